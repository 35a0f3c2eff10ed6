# SPDX-License-Identifier: MIT
"""Mail from programs of this machine, as cron, PHP, git, mutt and others send it: gk-sendmail and gk-queue send."""
import datetime
import email
import email.policy
import json
import os
import pwd
import subprocess
import time
import unittest

from bed import case, gk

MESSAGE = "From: ann@a.test\nTo: bob@a.test\nSubject: {0}\n\nhello {0}\n"


class Sendmail(case.Case):
    HOSTNAME = "a.test"
    DOMAINS = {"a.test": ["ann", "bob", "root", "eve"]}
    SETTINGS = """[smtp]
max_size = "1MB"
[sendmail.senders]
"*" = "*"
"65534" = "nobody@a.test @web.test"
[queue]
retry_first = "1s"
retry_most = "1s"
[queue.routes]
"away.test" = "127.0.0.1:1"
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.symlink(f"{os.path.abspath(gk.BIN)}/gk-sendmail", f"{cls.folder}/sendmail")
        os.chmod(cls.folder, 0o755)
        os.chmod(cls.gk.root, 0o755)
        cls.user = pwd.getpwuid(os.getuid()).pw_name

    def send(self, *words, stdin="", code=0, root=None, prefix=(), name="sendmail", env=None):
        """What it printed on both, and nothing else: the exit code is CODE."""
        done = subprocess.run([*prefix, f"{self.folder}/{name}", *words], input=stdin.encode() if isinstance(stdin, str) else stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
                              env={**os.environ, "GK_ROOT": root or self.gk.root, **(env or {})})
        self.assertEqual(done.returncode, code, done.stdout.decode(errors="replace"))
        return done.stdout.decode(errors="replace")

    def found(self, address, word):
        for path in self.gk.files(address):
            raw = gk.contents(path)
            if word.encode() in raw:
                return email.message_from_bytes(raw, policy=email.policy.default)
        return None

    def arrived(self, address, word):
        return self.wait(f"{word} for {address}", lambda: self.found(address, word))

    def rows(self, *words):
        return [json.loads(line) for line in gk.run("gk-queue", "list", "--json", *words, "--root", self.gk.root).splitlines()]

    def test_cron(self):
        job = "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@a> /etc/job\nContent-Type: text/plain; charset=UTF-8\n\ngrün cron-1\n"
        self.send("-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root", stdin=job)
        message = self.arrived("root@a.test", "cron-1")
        self.assertEqual(message["From"], "Cron Daemon <root@a.test>")
        self.assertEqual(message["To"], "root@a.test")
        self.assertEqual(message["Return-Path"], f"<{self.user}@a.test>")
        self.assertIn(f"(gk, from uid {os.getuid()})", message["Received"])
        self.assertTrue(message["Date"] and message["Message-ID"])
        self.assertEqual(message.get_content(), "grün cron-1\n")

    def test_a_job_that_prints_for_a_long_time(self):
        # cron opens the pipe at the first line; the rest may come hours later.
        with subprocess.Popen([f"{self.folder}/sendmail", "-i", "bob"], stdin=subprocess.PIPE, env={**os.environ, "GK_ROOT": self.gk.root}) as job:
            for part in range(5):
                job.stdin.write(b"Subject: slow-job\n\n" if part == 0 else b"line %d\n" % part)
                job.stdin.flush()
                time.sleep(0.02)
            job.stdin.close()
            self.assertEqual(job.wait(30), 0)
        self.assertIn("line 4", self.arrived("bob@a.test", "slow-job").get_content())

    def test_php(self):
        # mail() opens "sendmail -t -i -fADDRESS" and writes To and Subject before the script's own fields.
        self.send("-t", "-i", "-fbounce@a.test", stdin="To: bob@a.test\r\nSubject: php-1\r\nX-PHP-Originating-Script: 33:a.php\r\n"
                  "From: Shop <shop@a.test>\r\nBcc: eve@a.test\r\n\r\nbody\r\n.\r\nmore\r\n")
        for address in ("bob@a.test", "eve@a.test"):
            message = self.arrived(address, "php-1")
            self.assertIsNone(message["Bcc"])
            self.assertEqual(message["Return-Path"], "<bounce@a.test>")
            self.assertEqual(message.get_content(), "body\n.\nmore\n")

    def test_php_itself(self):
        def mail(to, subject, code):
            script = (f'exit(mail("{to}", "{subject}", "body\\r\\n.\\r\\nmore", "From: Shop <shop@a.test>\\r\\nBcc: eve@a.test", '
                      '"-fbounce@a.test") ? 0 : 1);')
            done = subprocess.run(["php", "-n", "-d", f"sendmail_path={self.folder}/sendmail -t -i", "-r", script], capture_output=True, timeout=60,
                                  check=False, env={**os.environ, "GK_ROOT": self.gk.root})
            self.assertEqual(done.returncode, code, done)
        mail("bob@a.test", "php-itself", 0)
        for address in ("bob@a.test", "eve@a.test"):
            message = self.arrived(address, "php-itself")
            self.assertEqual((message["Bcc"], message["Return-Path"], message["Subject"]), (None, "<bounce@a.test>", "php-itself"))
            self.assertEqual(message.get_content(), "body\n.\nmore\n")
        # mail() says no where the recipient is unknown, as Debian's PHP reads the exit code.
        mail("nobody@a.test", "php-nobody", 1)
        self.assertIsNone(self.found("eve@a.test", "php-nobody"))

    @unittest.skipUnless(os.getuid() == 0, "needs root, to put files in others' places")
    def test_cron_itself(self):
        """The daemon, in a mount namespace of its own, where sendmail is ours and the only table is this one."""
        table = f"{self.folder}/crontabs"
        os.makedirs(table, mode=0o700, exist_ok=True)
        with open(f"{table}/root", "w", encoding="utf-8") as file:
            file.write("* * * * * printf 'cron-itself\\n.\\nlast\\n'\n")
        os.chmod(f"{table}/root", 0o600)
        script = (f"mount --make-rprivate / && mount --bind {table} /var/spool/cron/crontabs && mount -t tmpfs none /etc/cron.d && mount -t tmpfs none /run && "
                  f"mount --bind {os.path.abspath(gk.BIN)}/gk-sendmail /usr/sbin/sendmail && : > {self.folder}/crontab && "
                  f"mount --bind {self.folder}/crontab /etc/crontab && exec cron -f")
        with subprocess.Popen(["unshare", "-m", "sh", "-c", script], env={**os.environ, "GK_ROOT": self.gk.root}) as cron:
            try:
                message = self.wait("cron's mail", lambda: self.found("root@a.test", "cron-itself\n"), 90)
            finally:
                cron.terminate()
        self.assertEqual((message["Return-Path"], message["To"]), (f"<{self.user}@a.test>", "root@a.test"))
        self.assertIn("Cron", message["Subject"])
        self.assertEqual(message.get_content(), "cron-itself\n.\nlast\n")

    def test_git_send_email(self):
        # As Git's send-email calls a --sendmail-cmd: sendmail -i [-f SENDER] RECIPIENT…
        self.send("-i", "-f", "ann@a.test", "bob@a.test", "eve@a.test", stdin="From: Ann <ann@a.test>\nTo: bob@a.test\nCc: eve@a.test\n"
                  "Subject: [PATCH] git-1\nX-Mailer: git-send-email 2.39.2\nMIME-Version: 1.0\n\n---\n-- \n2.39.2\n\n")
        for address in ("bob@a.test", "eve@a.test"):
            self.assertEqual(self.arrived(address, "git-1")["Subject"], "[PATCH] git-1")

    def test_git_itself(self):
        if subprocess.run(["git", "send-email", "--help-all"], capture_output=True, check=False).returncode == 1:
            self.skipTest("no git send-email here")
        patch = f"{self.folder}/0001.patch"
        with open(patch, "w", encoding="utf-8") as file:
            file.write("From 0123456789 Mon Sep 17 00:00:00 2001\nFrom: Ann <ann@a.test>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"
                       "Subject: [PATCH] git-itself\n\n---\n")
        self.call("git", "-c", "user.name=Ann", "-c", "user.email=ann@a.test", "send-email", "--quiet", "--confirm=never", "--suppress-cc=all", "--from=ann@a.test", "--to=bob@a.test",
                  f"--sendmail-cmd={self.folder}/sendmail", patch, env={"GK_ROOT": self.gk.root, "HOME": self.folder})
        self.arrived("bob@a.test", "git-itself")

    def test_mutt(self):
        rc = f"{self.folder}/muttrc"
        with open(rc, "w", encoding="utf-8") as file:
            file.write(f'set sendmail="{self.folder}/sendmail -oem -oi"\nset from=ann@a.test use_from=yes use_envelope_from=yes copy=no\n'
                       "set dsn_notify=failure,delay dsn_return=hdrs\n")
        for program in ("neomutt", "mutt"):
            self.call(program, "-F", rc, "-s", f"{program}-1", "-b", "eve@a.test", "--", "bob@a.test", stdin=b"from mutt\n",
                      env={"GK_ROOT": self.gk.root, "HOME": self.folder})
            message = self.arrived("bob@a.test", f"{program}-1")
            self.assertEqual((message["Return-Path"], message["Bcc"]), ("<ann@a.test>", None))
            self.arrived("eve@a.test", f"{program}-1")

    def test_mailx(self):
        self.send("-i", "-r", "ann@a.test", "--", "bob", stdin="To: bob\nSubject: mailx-1\n\n.\nend\n")
        message = self.arrived("bob@a.test", "mailx-1")
        self.assertEqual((message["To"], message.get_content()), ("bob@a.test", ".\nend\n"))

    def test_a_dot_ends_the_message_where_it_may(self):
        said = self.send("-v", "bob", stdin="Subject: dot-1\n\nbefore\n.\nafter\n")
        self.assertEqual(self.arrived("bob@a.test", "dot-1").get_content(), "before\n")
        self.assertRegex(said, r"^[0-9A-Z]+\n$")

    def test_bare_words_become_a_message(self):
        self.send("-F", "Backup, nightly", "bob", stdin="bare-words of a script\nsecond\n")
        message = self.arrived("bob@a.test", "bare-words")
        self.assertEqual(message["From"], f'"Backup, nightly" <{self.user}@a.test>')
        self.assertEqual(message.get_content(), "bare-words of a script\nsecond\n")

    def test_resent_fields_name_the_recipients(self):
        self.send("-t", stdin="Resent-From: ann@a.test\nResent-To: eve@a.test\nFrom: x@b.test\nTo: bob@a.test\nSubject: resent-1\n\nhi\n")
        self.arrived("eve@a.test", "resent-1")
        self.assertIsNone(self.found("bob@a.test", "resent-1"))

    def test_the_dialogue_on_stdin(self):
        said = self.send("-bs", stdin="EHLO localhost\r\nMAIL FROM:<ann@a.test>\r\nRCPT TO:<bob@a.test>\r\nDATA\r\n"
                         "Subject: dialogue-1\r\n\r\nhi\r\n.\r\nQUIT\r\n")
        self.assertIn("250 2.0.0 ok", said)
        self.assertTrue(said.startswith("220 ") and said.endswith("bye\r\n"), said)
        self.arrived("bob@a.test", "dialogue-1")

    def test_the_queue_is_listed_and_flushed(self):
        self.send("-oi", "-f", "ann@a.test", "x@away.test", stdin=MESSAGE.format("queued-1"))
        self.wait("the deferral", lambda: self.rows("--recipient", "x@away.test", "--status", "deferred"))
        self.assertIn("x@away.test", self.send("-bp"))
        os.path.exists(f"{self.folder}/mailq") or os.symlink(f"{os.path.abspath(gk.BIN)}/gk-sendmail", f"{self.folder}/mailq")
        self.assertIn("x@away.test", self.send(name="mailq"))
        self.send("-q")
        self.send("-bi")
        gk.run("gk-queue", "delete", "--recipient", "x@away.test", "--yes", "--root", self.gk.root)

    def test_exit_codes(self):
        self.assertIn("nobody@a.test: 550 5.1.1", self.send("-i", "bob", "nobody@a.test", stdin=MESSAGE.format("half-1"), code=67))
        self.send(stdin=MESSAGE.format("x"), code=64)
        self.send("-z", code=64)
        self.send("-t", stdin="Subject: nobody named\n\nx\n", code=64)
        self.send("bob@@a.test", stdin="x\n", code=65)
        self.send("bob", stdin="Subject: huge\n\n" + "x" * 70 * 1024 + "\n" + ("y" * 998 + "\n") * 1100, code=65)
        self.send("-N", "sometimes", "bob", code=64)
        # All or none: the one who is there has not got it either.
        self.assertIsNone(self.found("bob@a.test", "half-1"))

    @unittest.skipUnless(os.getuid() == 0, "needs root, to be somebody else")
    def test_users_send_as_whom_they_may(self):
        as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        self.send("-i", "bob", stdin="Subject: unprivileged-1\n\nhi\n", prefix=as_nobody)
        message = self.arrived("bob@a.test", "unprivileged-1")
        self.assertEqual(message["Return-Path"], "<nobody@a.test>")
        self.assertIn("from uid 65534", message["Received"])
        self.send("-f", "x@web.test", "bob", stdin="From: y@web.test\nSubject: unprivileged-2\n\nhi\n", prefix=as_nobody)
        self.arrived("bob@a.test", "unprivileged-2")
        self.assertIn("you may not send as ann@a.test", self.send("-f", "ann@a.test", "bob", stdin="hi\n", prefix=as_nobody, code=77))
        self.assertIn("you may not write as ann@a.test", self.send("bob", stdin="From: ann@a.test\n\nhi\n", prefix=as_nobody, code=77))

    def test_without_the_daemon(self):
        self.gk.stop()
        try:
            self.send("-i", "root", stdin=MESSAGE.format("spooled-1"))
            self.assertEqual(len(os.listdir(f"{self.gk.root}/spool/new")), 1)
            said = self.send("-bs", stdin="QUIT\r\n", code=75)
            self.assertIn("gk-smtpd does not answer", said)
            if os.getuid() == 0:
                as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
                self.send("-i", "root", stdin="x\n", prefix=as_nobody, code=75)
            os.rename(f"{self.gk.root}/spool/tmp", f"{self.gk.root}/spool/gone")
            with open(f"{self.gk.root}/spool/tmp", "wb"):
                pass
            try:
                self.assertIn("the spool cannot be used", self.send("-i", "root", stdin="x\n", code=75))
            finally:
                os.unlink(f"{self.gk.root}/spool/tmp")
                os.rename(f"{self.gk.root}/spool/gone", f"{self.gk.root}/spool/tmp")
            with open(f"{self.gk.root}/gk.toml.d/99-bad.toml", "w", encoding="utf-8") as file:
                file.write("[smtp\n")
            try:
                self.send("-i", "root", stdin="x\n", code=78)
            finally:
                os.unlink(f"{self.gk.root}/gk.toml.d/99-bad.toml")
        finally:
            self.gk.start()
        self.assertIn("uid", self.arrived("root@a.test", "spooled-1")["Received"])

    def test_while_local_delivery_is_away(self):
        # Asked again by the queue: cron does not send twice.
        for pid in self.gk.pids("gk-deliver"):
            os.kill(pid, 9)
        self.send("-i", "root", stdin=MESSAGE.format("later-1"))
        self.arrived("root@a.test", "later-1")

    def test_at_a_time(self):
        soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
        root = ("--root", self.gk.root)
        said = gk.run("gk-queue", "send", "--from", "ann@a.test", "--to", "bob@a.test", "--at", soon, *root, stdin=MESSAGE.format("timed-1"))
        first = said.split()[0]
        self.assertEqual(said.split()[1], soon)
        later = gk.run("gk-queue", "send", "--at", "+2h", *root, stdin=MESSAGE.format("timed-2")).split()[0]
        never = gk.run("gk-queue", "send", "--at", "tomorrow 09:00", *root, stdin=MESSAGE.format("timed-3")).split()[0]
        self.wait("the list", lambda: {later, never} <= {row["id"] for row in self.rows("--status", "scheduled")})
        waiting = {row["id"]: row for row in self.rows("--status", "scheduled")}
        self.assertIn(later, waiting)
        self.assertTrue(waiting[later]["next"] > soon)
        gk.run("gk-queue", "flush", *root)
        gk.run("gk-queue", "delete", never, "--yes", *root)
        self.arrived("bob@a.test", "timed-1")
        self.assertIsNone(self.found("bob@a.test", "timed-2"))
        gk.run("gk-queue", "reschedule", "--at", "+3s", later, *root)
        self.arrived("bob@a.test", "timed-2")
        gk.run("gk-queue", "reschedule", "--at", "+3s", first, *root, code=66)
        gk.run("gk-queue", "send", "--at", "2001-01-01 09:00", "--to", "bob", *root, stdin="x", code=65)
        gk.run("gk-queue", "send", "--at", "+3650d", "--to", "bob", *root, stdin="x", code=65)
        self.assertIsNone(self.found("bob@a.test", "timed-3"))
        self.assertTrue(self.gk.events("queue.scheduled"))


if __name__ == "__main__":
    unittest.main()
