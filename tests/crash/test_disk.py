# SPDX-License-Identifier: MIT
"""A full disk and failing flushes: a 4yz reply, nothing lost, nothing torn, and all well when the disk is."""
import os
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import unittest

from bed import gk, ledger, mail


class Disk(unittest.TestCase):
    def start(self, root=None):
        instance = gk.Instance("mx.a.test", {"a.test": ["ann"]}, root=root, up_options=["--restart-delay-most", "0"],
                               settings="[queue.routes]\n\"b.test\" = \"127.0.0.1:1\"\n")
        self.addCleanup(lambda: (instance.stop(), shutil.rmtree(instance.root, ignore_errors=True) if root is None else None))
        return instance.start()

    def reply(self, instance, message, recipient="ann@a.test", port="smtp"):
        """The reply to the end of DATA, or to whatever refused before."""
        from bed import case
        with smtplib.SMTP("127.0.0.1", instance.port(port), timeout=30) as smtp:
            if port == "submission":
                smtp.starttls(context=case.TLS)
                smtp.login("ann@a.test", instance.PASSWORD)
            smtp.ehlo()
            for code, text in (smtp.mail("ann@a.test"), smtp.rcpt(recipient)):
                if code != 250:
                    return code, text
            try:
                return smtp.data(message)
            except smtplib.SMTPDataError as error:
                return error.smtp_code, error.smtp_error

    def test_a_full_disk_is_a_4yz_and_loses_nothing(self):
        folder = tempfile.mkdtemp(prefix="gk-full-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=True)
        self.addCleanup(lambda: (subprocess.run(["umount", "-l", folder], check=False), os.rmdir(folder)))
        instance = self.start(f"{folder}/gk")
        known, maker = ledger.Ledger(), mail.Maker(61)
        big = b"Subject: big\r\nMessage-ID: <%d@full.test>\r\n\r\n" + b"x" * 70 + b"\r\n" * 1
        codes = []
        for number in range(60):
            message = (big % number) + (b"0123456789" * 7 + b"\r\n") * 10_000
            code, _ = self.reply(instance, message)
            known.note(message, "ann@a.test", code == 250)
            codes.append(code)
            if codes[-3:] == [codes[-1]] * 3 and codes[-1] != 250:
                break
        self.assertIn(250, codes)
        self.assertTrue(400 <= codes[-1] < 500, codes)
        self.assertTrue(all(code == 250 or 400 <= code < 500 for code in codes), codes)
        lost, _, torn = known.check({"ann@a.test": instance.files("ann@a.test")})
        print(f"    full disk: {codes.count(250)} accepted, then {codes[-1]}; lost {lost}, torn {len(torn)}")
        self.assertEqual((lost, torn), (0, []))
        self.assertEqual(os.listdir(instance.maildir("ann@a.test") + "/tmp"), [])
        # Room again: an administrator frees some, and mail flows.
        removed = sorted(instance.files("ann@a.test"))[:5]
        for path in removed:
            os.remove(path)
        message = maker.message()
        gk.wait_for("a delivery after there is room", lambda: self.reply(instance, message)[0] == 250, 20)

    def inject(self, instance, program, injection):
        """strace on a daemon until the returned function is called."""
        pid = gk.wait_for(program, lambda: next(iter(instance.pids(program)), None), 10)
        said = tempfile.NamedTemporaryFile(prefix="gk-strace-")
        tracer = subprocess.Popen(["strace", "-f", "-p", str(pid), "-o", "/dev/null", "-e", f"trace={injection.split(':')[0]}", "-e", f"inject={injection}"], stderr=said)
        gk.wait_for("strace", lambda: b"attached" in open(said.name, "rb").read(), 10)

        def end():
            tracer.send_signal(signal.SIGINT)
            tracer.wait(10)
        return end

    def failing(self, program, injection, port, recipient, files):
        instance = self.start()
        maker = mail.Maker(injection)
        first = maker.message()
        self.assertEqual(self.reply(instance, first, recipient, port)[0], 250)
        before = len(files(instance))
        end = self.inject(instance, program, injection)
        known = ledger.Ledger()
        codes = []
        try:
            for message in maker.messages(8):
                code, _ = self.reply(instance, message, recipient, port)
                codes.append(code)
                known.note(message, recipient, code == 250)
        finally:
            end()
        print(f"    {program} with {injection}: replies {codes}")
        self.assertTrue(any(400 <= code < 500 for code in codes), codes)
        self.assertTrue(all(code == 250 or 400 <= code < 500 for code in codes), codes)
        accepted = sum(code == 250 for code in codes)
        self.assertEqual(self.reply(instance, maker.message(), recipient, port)[0], 250)
        if recipient.endswith("a.test") and port == "smtp":
            self.assertEqual(len(files(instance)), before + accepted + 1)
            known.sent.update({ledger.case.digest(first): first})
            lost, _, _ = known.check({recipient: files(instance)})
            self.assertEqual(lost, 0)

    def test_a_failing_fsync_of_a_message_is_a_4yz(self):
        self.failing("gk-deliver", "fsync,fdatasync,syncfs:error=EIO", "smtp", "ann@a.test", lambda i: i.files("ann@a.test"))

    def test_every_second_flush_failing_loses_nothing(self):
        self.failing("gk-deliver", "fsync,fdatasync,syncfs:error=EIO:when=1+2", "smtp", "ann@a.test", lambda i: i.files("ann@a.test"))

    def test_no_space_while_writing_is_a_4yz(self):
        self.failing("gk-deliver", "write,writev,pwrite64:error=ENOSPC:when=2+3", "smtp", "ann@a.test", lambda i: i.files("ann@a.test"))

    def test_over_quota_of_the_file_system_is_a_4yz(self):
        self.failing("gk-deliver", "openat:error=EDQUOT:when=1+2", "smtp", "ann@a.test", lambda i: i.files("ann@a.test"))

    def test_a_failing_rename_is_a_4yz(self):
        self.failing("gk-deliver", "rename,renameat,renameat2,linkat:error=EIO:when=1+2", "smtp", "ann@a.test", lambda i: i.files("ann@a.test"))

    def test_a_failing_flush_of_the_spool_is_a_4yz(self):
        self.failing("gk-smtpd", "fsync,fdatasync,syncfs:error=EIO", "submission", "carl@b.test", lambda i: [])


if __name__ == "__main__":
    if os.geteuid() != 0 or not shutil.which("strace"):
        print("needs root and strace")
        sys.exit(77)
    unittest.main()
