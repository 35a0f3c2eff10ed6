# SPDX-License-Identifier: MIT
"""The Maildir is the truth: Dovecot takes it over and gives it back; mutt and mblaze change it behind gk's back."""
# alone: bounds how soon a change is heard
import imaplib
import os
import select
import shutil
import subprocess
import sys
import time
import unittest

from bed import case, dovecot, gk, mail


def view(imap, mailbox):
    """What a client remembers of a mailbox: UIDVALIDITY and, by UID, flags and body."""
    imap.select(mailbox, readonly=True)
    validity = imap.response("UIDVALIDITY")[1]
    found = {}
    if imap.search(None, "ALL")[1] != [b""]:
        for row in imap.fetch("1:*", "(UID FLAGS BODY.PEEK[TEXT])")[1]:
            if isinstance(row, tuple):
                uid = int(row[0].split(b"UID ")[1].split()[0].rstrip(b")"))
                flags = {flag for flag in imaplib.ParseFlags(row[0]) if flag != b"\\Recent"}
                found[uid] = (flags, row[1].replace(b"\r\n", b"\n"))
    return validity, found


class ForeignTools(case.Case):
    NAMED = '"Work/2026 &ANw-bersicht"'

    def setUp(self):
        self.user = f"{self._testMethodName.removeprefix('test_')}@a.test"
        self.gk.add_user(self.user)
        self.unread = b""

    def fill(self, count=25):
        with self.smtp() as smtp:
            for message in mail.some(count, seed=21):
                smtp.sendmail("sender@outside.test", [self.user], message)
        with self.imap(self.user) as imap:
            imap.select("INBOX")
            imap.store("1:5", "+FLAGS", "(\\Seen $Forwarded)")
            imap.store("3", "+FLAGS", "(\\Flagged \\Answered projectX)")
            imap.store("7", "+FLAGS", "(\\Deleted)")
            imap.copy("2:4", "Archive")
            imap.create(self.NAMED)
            imap.copy("8:9", self.NAMED)
            imap.expunge()

    @unittest.skipUnless(os.geteuid() == 0, "Dovecot's private instance needs root")
    def test_dovecot_opens_what_gk_filled_and_gk_what_dovecot_changed(self):
        self.fill()
        with self.imap(self.user) as imap:
            ours = {box: view(imap, box) for box in ("INBOX", "Archive", self.NAMED)}
        self.gk.stop()
        with dovecot.Dovecot({"ann": self.gk.maildir(self.user)}) as other:
            with imaplib.IMAP4("127.0.0.1", other.port, timeout=30) as imap:
                imap.login("ann", "pw")
                for box, (validity, found) in ours.items():
                    self.assertEqual(view(imap, box), (validity, found), f"Dovecot sees {box} otherwise")
                imap.select("INBOX")
                imap.store("1", "+FLAGS", "(\\Draft newword)")
                imap.append("INBOX", "(\\Seen)", None, b"From: dovecot@x\r\nSubject: by dovecot\r\n\r\nhello from dovecot\r\n")
                imap.copy("1", "Archive")
                imap.store("2", "+FLAGS", "(\\Deleted)")
                imap.expunge()
                theirs = {box: view(imap, box) for box in ("INBOX", "Archive", self.NAMED)}
        self.gk.start()
        with self.imap(self.user) as imap:
            for box, (validity, found) in theirs.items():
                self.assertEqual(view(imap, box), (validity, found), f"gk sees {box} otherwise than Dovecot left it")

    @unittest.skipUnless(os.geteuid() == 0, "Dovecot's private instance needs root")
    def test_gk_adopts_a_maildir_that_dovecot_made(self):
        path = f"{self.folder}/adopt/Maildir"
        for part in ("", "/cur", "/new", "/tmp"):
            os.makedirs(path + part, exist_ok=True)
        os.chmod(self.folder, 0o755)
        with dovecot.Dovecot({"ann": path}) as other:
            with imaplib.IMAP4("127.0.0.1", other.port, timeout=30) as imap:
                imap.login("ann", "pw")
                for number, message in enumerate(mail.Maker(22).messages(12)):
                    imap.append("INBOX", "(\\Seen)" if number % 2 else "(kw1 kw2)", None, message)
                imap.create("Sub/Deeper")
                imap.append("Sub/Deeper", "(\\Flagged)", None, mail.Maker(23).message())
                imap.subscribe("Sub/Deeper")
                imap.select("INBOX")
                imap.store("4:6", "+FLAGS", "(\\Deleted)")
                imap.expunge()
                theirs = {box: view(imap, box) for box in ("INBOX", "Sub/Deeper")}
        home = self.gk.home(self.user)
        self.gk.stop()
        shutil.rmtree(f"{home}/Maildir")
        for name in os.listdir(home):
            if name.startswith("index.db"):
                os.remove(f"{home}/{name}")
        shutil.move(path, f"{home}/Maildir")
        gk.run("gk-mailbox", "adopt", "--account", self.user, "--root", self.gk.root)
        self.gk.start()
        with self.imap(self.user) as imap:
            for box, expected in theirs.items():
                self.assertEqual(view(imap, box), expected)
            self.assertIn(b"Sub/Deeper", b" ".join(imap.lsub()[1]))

    def test_every_index_deleted_and_nothing_has_changed(self):
        self.fill()
        with self.imap(self.user) as imap:
            before = {box: view(imap, box) for box in ("INBOX", "Archive", "Sent", self.NAMED)}
        self.gk.stop()
        removed = 0
        for name in os.listdir(self.gk.home(self.user)):
            if name.startswith("index.db"):
                os.remove(f"{self.gk.home(self.user)}/{name}")
                removed += 1
        self.assertGreater(removed, 0)
        self.gk.start()
        with self.imap(self.user) as imap:
            self.assertEqual({box: view(imap, box) for box in before}, before)

    # ---- behind gk's back, while a client idles

    def idle(self):
        imap = self.imap(self.user)
        imap.select("INBOX")
        imap.send(b"I1 IDLE\r\n")
        self.assertTrue(imap.readline().startswith(b"+"))
        return imap

    def heard(self, imap, wanted, seconds=4.0):
        """Reads lines of an idling client until one has WANTED; how long that took. Past imaplib, whose buffer would hide lines."""
        started = time.monotonic()
        said = []
        while time.monotonic() - started < seconds:
            while b"\n" in self.unread:
                line, self.unread = self.unread.split(b"\n", 1)
                said.append(line)
                if wanted in line:
                    took = time.monotonic() - started
                    print(f"    heard {wanted.decode()} after {took * 1000:.0f} ms")
                    return took
            if imap.sock.pending() or select.select([imap.sock], [], [], 0.05)[0]:
                self.unread += imap.sock.recv(65536)
        self.fail(f"an idle client did not hear {wanted} within {seconds} s but {said}")

    def wake(self, imap):
        imap.send(b"DONE\r\n")
        self.heard(imap, b"I1 OK")
        self.assertEqual(self.unread, b"")

    def test_an_idle_client_hears_of_new_mail_from_gk(self):
        imap = self.idle()
        self.deliver(mail.Maker(31).message(), [self.user])
        self.assertLess(self.heard(imap, b"1 EXISTS"), 2.0)
        self.wake(imap)
        imap.logout()

    def test_an_idle_client_hears_what_mblaze_adds_flags_and_deletes(self):
        self.deliver(mail.Maker(32).message(), [self.user])
        imap = self.idle()
        maildir = self.gk.maildir(self.user)
        self.call("mdeliver", maildir, stdin=b"From: m@x\nSubject: by mblaze\n\nhello\n")
        self.assertLess(self.heard(imap, b"2 EXISTS"), 2.0)
        listed = self.call("mlist", maildir).decode().split()
        self.call("mflag", "-S", "-F", *listed)
        self.assertLess(self.heard(imap, b"\\Flagged"), 2.0)
        os.remove(self.call("mlist", maildir).decode().split()[0])
        self.assertLess(self.heard(imap, b"EXPUNGE"), 2.0)
        self.wake(imap)
        imap.logout()

    def test_an_idle_client_hears_what_mutt_does(self):
        with self.smtp() as smtp:
            for message in mail.Maker(33).messages(3):
                smtp.sendmail("x@outside.test", [self.user], message)
        imap = self.idle()
        config = self.write("neomuttrc", f"set mbox_type=Maildir\nset folder={self.folder}\nset mail_check=0\nset quit=yes\nset delete=yes\nset wait_key=no\nset header_cache=\"\"\n"
                            "push \"<first-entry><flag-message><next-entry><delete-message><quit>\"\n")
        self.call("timeout", "30", "script", "-qec", f"neomutt -n -F {config} -f {self.gk.maildir(self.user)}", "/dev/null",
                  env={"TERM": "xterm", "HOME": self.folder}, code=None, stdin=b"")
        self.assertLess(self.heard(imap, b"EXPUNGE"), 2.0)
        self.wake(imap)
        self.assertEqual(len(imap.search(None, "FLAGGED")[1][0].split()), 1)
        self.assertEqual(len(imap.search(None, "ALL")[1][0].split()), 2)
        imap.logout()


if __name__ == "__main__":
    unittest.main()
