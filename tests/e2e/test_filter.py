# SPDX-License-Identifier: MIT
"""Sieve at delivery, through the programs as they run: mail comes in by SMTP, scripts by ManageSieve, answers leave by the queue.

a.test is here, b.test is another gk behind its own port 25; what each of them says goes back and forth.
"""
import email
import email.policy
import json
import os
import shutil
import smtplib
import tempfile
import unittest

from bed import gk
from bed.managesieve import Client

QUEUE = """[queue]
retry_first = "1s"
retry_most = "1s"
[queue.routes]
"{domain}" = "127.0.0.1:{port}"
"""


class Filter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gk-filter-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        for name in ("before", "after", "global"):
            os.mkdir(f"{cls.folder}/{name}")
        far = gk.free_port_base()
        cls.near = gk.Instance("mx.a.test", {"a.test": ["ann", "ben", "cat"]}, QUEUE.format(domain="b.test", port=far + 25) + f"""[sieve]
before = "{cls.folder}/before"
after = "{cls.folder}/after"
global = "{cls.folder}/global"
""")
        cls.addClassCleanup(cls.clean, cls.near)
        cls.far = gk.Instance("mx.b.test", {"b.test": ["bob", "zoe", "owner-x", "x-request"]},
                              QUEUE.format(domain="a.test", port=cls.near.port("smtp")), port_base=far)
        cls.addClassCleanup(cls.clean, cls.far)
        cls.near.start()
        cls.far.start()
        gk.run("gk-alias", "add", "both@a.test", "ann@a.test", "ben@a.test", "--root", cls.near.root)

    @staticmethod
    def clean(instance):
        instance.stop()
        if not instance.keep:
            shutil.rmtree(instance.root, ignore_errors=True)

    def setUp(self):
        for user in ("ann", "ben", "cat"):
            self.clear(self.near, f"{user}@a.test")
        for user in ("bob", "zoe", "owner-x", "x-request"):
            self.clear(self.far, f"{user}@b.test")

    @staticmethod
    def clear(instance, address):
        home = instance.home(address)
        for mailbox in ["INBOX"] + [name[1:] for name in (os.listdir(f"{home}/Maildir") if os.path.isdir(f"{home}/Maildir") else []) if name.startswith(".") and os.path.isdir(f"{home}/Maildir/{name}")]:
            for path in instance.files(address, mailbox):
                os.unlink(path)
        for name in ("sieve/active", "sieve.db", "sieve.log"):
            if os.path.lexists(f"{home}/{name}"):
                os.unlink(f"{home}/{name}")

    def script(self, text, user="ann@a.test", instance=None):
        """Stores and activates it as a client does."""
        instance = instance or self.near
        client = Client(instance.port("sieve"))
        self.addCleanup(client.close)
        self.assertEqual(client.login(user, instance.PASSWORD), ['OK "logged in"'])
        self.assertEqual(client.put("main", text), ["OK"])
        self.assertEqual(client.ask('SETACTIVE "main"'), ["OK"])
        self.assertEqual(client.ask("LOGOUT"), ['OK "goodbye"'])

    def send(self, fields="", to="ann@a.test", sender="bob@b.test", subject="hello", header_to=None, body="text", instance=None):
        """By SMTP from outside; the reply (code, text)."""
        message = (f"{fields}From: {sender or 'MAILER-DAEMON@b.test'}\r\nTo: {header_to or to}\r\nSubject: {subject}\r\n"
                   f"Message-ID: <{subject}.{os.urandom(4).hex()}@b.test>\r\n\r\n{body}\r\n")
        recipients = [to] if isinstance(to, str) else to
        with smtplib.SMTP("127.0.0.1", (instance or self.near).port("smtp"), timeout=30) as smtp:
            smtp.ehlo("client.b.test")
            smtp.mail(sender)
            for one in recipients:
                self.assertEqual(smtp.rcpt(one)[0], 250)
            return smtp.data(message)

    def messages(self, instance, address, mailbox="INBOX", count=None):
        """Those of a mailbox; waits for COUNT where given."""
        if count is not None:
            gk.wait_for(f"{count} messages for {address}", lambda: len(instance.files(address, mailbox)) == count, 20)
        return [email.message_from_bytes(gk.contents(path), policy=email.policy.default) for path in sorted(instance.files(address, mailbox))]

    def quiet(self):
        """Nothing waits or is under way at either side."""
        def idle(instance):
            return not any(os.listdir(f"{instance.root}/spool/{part}") for part in ("tmp", "new", "active"))
        gk.wait_for("empty queues", lambda: idle(self.near) and idle(self.far), 30)

    # ---- actions

    def test_fileinto_flags_and_create(self):
        self.script('require ["fileinto", "mailbox", "imap4flags"];\nif header :contains "subject" "list" { fileinto :create :flags "\\\\Flagged" "Lists/gk"; }\n')
        self.assertEqual(self.send(subject="a list")[0], 250)
        self.assertEqual(self.send(subject="other")[0], 250)
        filed = self.near.files("ann@a.test", "Lists/gk")
        self.assertEqual(len(filed), 1)
        self.assertTrue(filed[0].endswith(":2,F"), filed)
        self.assertEqual([message["subject"] for message in self.messages(self.near, "ann@a.test")], ["other"])

    def test_discard_and_keep_by_an_administrators_scripts(self):
        paths = [f"{self.folder}/before/10-spam.sieve", f"{self.folder}/after/10-rest.sieve"]
        for path, text in zip(paths, ['if header :contains "subject" "viagra" { discard; stop; }', 'require ["fileinto", "mailbox"]; fileinto :create "Rest";']):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.addCleanup(os.unlink, path)
        self.script('require "fileinto"; if header "subject" "mine" { fileinto "Archive"; }')
        for subject in ("viagra", "mine", "neither"):
            self.assertEqual(self.send(subject=subject)[0], 250)
        self.assertEqual(self.messages(self.near, "ann@a.test"), [])
        self.assertEqual([m["subject"] for m in self.messages(self.near, "ann@a.test", "Archive")], ["mine"])
        self.assertEqual([m["subject"] for m in self.messages(self.near, "ann@a.test", "Rest")], ["neither"])

    def test_redirect_leaves_with_the_senders_reverse_path_and_stops_loops(self):
        self.script('redirect "zoe@b.test";')
        self.script('redirect "ann@a.test";', "zoe@b.test", self.far)
        self.assertEqual(self.send()[0], 250)
        # From ann to zoe, back to ann, who has had it: there it stays.
        found = self.messages(self.near, "ann@a.test", count=1)[0]
        self.quiet()
        self.assertEqual(self.messages(self.far, "zoe@b.test"), [])
        self.assertEqual(found.get_all("Delivered-To")[1:], ["zoe@b.test", "ann@a.test"])
        self.assertIn("loop", gk.contents(f"{self.near.home('ann@a.test')}/sieve.log").decode())

    def test_reject_is_a_550_where_all_recipients_agree_and_a_dsn_where_not(self):
        self.script('require "ereject";\nereject "write to my lawyer";')
        code, said = self.send()
        self.assertEqual(code, 550, said)
        self.assertIn(b"write to my lawyer", said)
        code, said = self.send(to=["ann@a.test", "ben@a.test"])
        self.assertEqual(code, 250, said)
        self.messages(self.near, "ben@a.test", count=1)
        report = self.messages(self.far, "bob@b.test", count=1)[0]
        self.assertEqual(report.get_content_type(), "multipart/report")
        self.assertIn("write to my lawyer", report.as_string())
        # By an alias one of two refuses: the other has it, and the sender is told.
        self.assertEqual(self.send(to="both@a.test")[0], 250)
        self.messages(self.near, "ben@a.test", count=2)
        self.messages(self.far, "bob@b.test", count=2)
        self.assertEqual(self.messages(self.near, "ann@a.test"), [])

    def test_editheader_duplicate_and_notify(self):
        self.script('require ["editheader", "duplicate", "enotify"];\nif duplicate :header "X-Once" { discard; stop; }\n'
                    'addheader "X-Filtered" "yes";\nnotify :message "new: mail" "mailto:zoe@b.test";\n')
        for _ in range(2):
            self.assertEqual(self.send("X-Once: 1\r\n")[0], 250)
        found = self.messages(self.near, "ann@a.test", count=1)[0]
        self.assertEqual(found["X-Filtered"], "yes")
        told = self.messages(self.far, "zoe@b.test", count=1)[0]
        self.assertEqual(told["subject"], "new: mail")
        self.assertTrue(told["Auto-Submitted"].startswith("auto-notified"))
        self.assertEqual(told["Return-Path"], "<>")

    def test_include_and_a_script_that_fails(self):
        with open(f"{self.folder}/global/lists.sieve", "w", encoding="utf-8") as file:
            file.write('require "fileinto"; if exists "List-Id" { fileinto "Archive"; stop; }')
        self.script('require "include"; include :global "lists";')
        self.assertEqual(self.send("List-Id: <x.b.test>\r\n")[0], 250)
        self.messages(self.near, "ann@a.test", "Archive", count=1)
        # An editor left nonsense behind: the mail is in INBOX, and the owner can read why.
        with open(f"{self.near.home('ann@a.test')}/sieve/main.sieve", "w", encoding="utf-8") as file:
            file.write('keep;\nfrobnicate "x";\n')
        self.assertEqual(self.send(subject="still")[0], 250)
        self.messages(self.near, "ann@a.test", count=1)
        note = gk.contents(f"{self.near.home('ann@a.test')}/sieve.log").decode()
        self.assertIn("main:2:1:", note)
        failed = self.near.events("sieve.failed")[-1]
        self.assertIn("main:2:1:", failed["error"])

    def test_the_trace_and_the_dry_run_tell_what_is_done(self):
        self.script('require ["fileinto", "copy"];\nredirect :copy "zoe@b.test";\nfileinto "Archive";\n')
        self.assertEqual(self.send()[0], 250)
        event = self.near.events("sieve.action")[-1]
        told = gk.run("gk-log", "trace", event["id"], "--root", self.near.root)
        self.assertIn('Sieve of ann@a.test (main), line 2: redirect "zoe@b.test"', told)
        self.assertIn('Sieve of ann@a.test (main), line 3: fileinto "Archive"', told)
        said = gk.run("gk-deliver", "--root", self.near.root, "-d", "ann@a.test", "-f", "bob@b.test", "--dry-run", "--json", stdin="Subject: x\n\ny\n")
        rows = [json.loads(line) for line in said.splitlines()]
        self.assertEqual([(row["action"], row["account"], row["mailbox"]) for row in rows], [("spool", "zoe@b.test", ""), ("file", "ann@a.test", "Archive")])

    # ---- vacation

    def test_vacation_answers_once_with_everything_in_its_place(self):
        self.script('require "vacation";\nvacation :days 7 :subject "Grüße" "Bin verreist.";')
        for _ in range(3):
            self.assertEqual(self.send("References: <0@b.test>\r\n")[0], 250)
        answer = self.messages(self.far, "bob@b.test", count=1)[0]
        self.quiet()
        self.assertEqual(len(self.messages(self.far, "bob@b.test")), 1)
        original = self.messages(self.near, "ann@a.test", count=3)
        self.assertIn(answer["In-Reply-To"], [message["Message-ID"] for message in original])
        self.assertEqual(answer["References"], f"<0@b.test> {answer['In-Reply-To']}")
        self.assertEqual(answer["Auto-Submitted"], "auto-replied (vacation)")
        self.assertEqual(answer["Return-Path"], "<>")
        self.assertEqual((answer["From"], answer["To"], answer["Subject"]), ("ann@a.test", "bob@b.test", "Grüße"))
        self.assertEqual(answer.get_content().strip(), "Bin verreist.")

    def test_vacation_says_nothing_where_it_must_not(self):
        self.script('require "vacation";\nvacation "away";')
        count = 0
        for fields in ("List-Id: <x.b.test>\r\n", "List-Unsubscribe: <https://b.test/>\r\n", "Precedence: bulk\r\n", "Precedence: junk\r\n", "Auto-Submitted: auto-generated\r\n",
                       "Auto-Submitted: auto-replied\r\n", "X-Auto-Response-Suppress: OOF\r\n"):
            self.assertEqual(self.send(fields)[0], 250)
            count += 1
        for sender in ("", "owner-x@b.test", "x-request@b.test", "MAILER-DAEMON@b.test", "noreply@b.test"):
            self.assertEqual(self.send(sender=sender)[0], 250)
            count += 1
        # Not to her, but to a list or as a blind copy.
        self.assertEqual(self.send(header_to="everybody@b.test")[0], 250)
        self.messages(self.near, "ann@a.test", count=count + 1)
        self.quiet()
        for user in ("bob", "owner-x", "x-request"):
            self.assertEqual(self.messages(self.far, f"{user}@b.test"), [], user)

    def test_two_on_vacation_do_not_loop(self):
        self.script('require "vacation";\nvacation :days 1 "ann is away";')
        self.script('require "vacation";\nvacation :days 1 "zoe is away";', "zoe@b.test", self.far)
        self.assertEqual(self.send(sender="zoe@b.test")[0], 250)
        self.messages(self.far, "zoe@b.test", count=1)
        self.quiet()
        self.assertEqual(len(self.messages(self.near, "ann@a.test")), 1)
        self.assertEqual(len(self.messages(self.far, "zoe@b.test")), 1)


if __name__ == "__main__":
    unittest.main()
