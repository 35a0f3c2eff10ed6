# SPDX-License-Identifier: MIT
"""Real clients read: curl, mbsync, neomutt, fetchmail, getmail and Python's imaplib."""
import imaplib
import os
import subprocess
import unittest

from bed import case, gk, mail


class Reading(case.Case):
    COUNT = 30

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.messages = mail.some(cls.COUNT, seed=5)
        with cls.smtp(cls) as smtp:
            for message in cls.messages:
                smtp.sendmail("sender@outside.test", ["ann@a.test"], message)
                smtp.sendmail("sender@outside.test", ["bob@a.test"], message)
        cls.digests = sorted(case.digest(message) for message in cls.messages)

    def same_bodies(self, messages):
        self.assertEqual(sorted(case.digest(message) for message in messages), self.digests)

    def test_imaplib_reads_every_body_unchanged(self):
        self.same_bodies(self.fetch_all())

    def test_imaplib_logs_in_with_starttls(self):
        with imaplib.IMAP4("127.0.0.1", self.gk.port("imap"), timeout=30) as imap:
            self.assertIn("LOGINDISABLED", imap.capabilities)
            imap.starttls(case.TLS)
            imap.login("ann@a.test", self.gk.PASSWORD)
            self.assertEqual(imap.select("INBOX", readonly=True)[1], [str(self.COUNT).encode()])

    def test_sizes_and_structures_agree_with_the_bytes(self):
        with self.imap() as imap:
            imap.select("INBOX", readonly=True)
            rows = imap.fetch("1:*", "(RFC822.SIZE BODY.PEEK[])")[1]
            for row in rows:
                if isinstance(row, tuple):
                    size = int(row[0].split(b"RFC822.SIZE ")[1].split()[0])
                    self.assertEqual(size, len(row[1]))
            self.assertEqual(len(imap.fetch("1:*", "(ENVELOPE BODYSTRUCTURE)")[1]) >= self.COUNT, True)

    def test_curl_lists_and_fetches(self):
        url = f"imaps://127.0.0.1:{self.gk.port('imaps')}"
        login = ("--user", f"ann@a.test:{self.gk.PASSWORD}")
        self.assertIn(b"INBOX", self.call("curl", "-sS", "-k", "--url", url, *login))
        fetched = self.call("curl", "-sS", "-k", "--url", f"{url}/INBOX;MAILINDEX=1", *login)
        self.assertIn(case.digest(fetched), self.digests)

    def mbsync(self, name, way):
        """Pulls every mailbox; WAY: how to reach the server."""
        local = f"{self.folder}/{name}"
        os.makedirs(local)
        config = self.write(f"{name}rc", f"""IMAPStore far
{way}

MaildirStore near
Path {local}/
Inbox {local}/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Near
Sync Pull
SyncState {local}/state-
""")
        self.call("mbsync", "-c", config, "-a", timeout=120)
        self.same_bodies([gk.contents(f"{local}/INBOX/{part}/{name}") for part in ("new", "cur") for name in os.listdir(f"{local}/INBOX/{part}")])
        self.assertTrue({"Drafts", "Sent", "Junk", "Trash", "Archive"} <= set(os.listdir(local)))

    def test_mbsync_pulls_everything(self):
        password = self.write("password", self.gk.PASSWORD)
        for mechanism in ("SCRAM-SHA-256", "PLAIN", "LOGIN"):
            with self.subTest(mechanism):
                self.mbsync(f"mbsync-{mechanism}", f"""Host localhost
Port {self.gk.port('imaps')}
User ann@a.test
PassCmd "cat {password}"
AuthMechs {mechanism}
SSLType IMAPS
CertificateFile {self.gk.root}/keys/tls/default.crt""")

    def test_mbsync_pulls_through_a_tunnel(self):
        self.mbsync("mbsync-tunnel", f'Tunnel "{gk.BIN}/gk-imapd --stdio --account ann@a.test --root {self.gk.root}"')

    def test_neomutt_reads_over_imap(self):
        out = f"{self.folder}/neomutt.txt"
        config = self.write("neomuttrc", f"""set imap_user="ann@a.test"
set imap_pass="{self.gk.PASSWORD}"
set ssl_starttls=no
set certificate_file="{self.gk.root}/keys/tls/default.crt"
set ssl_verify_host=no
set ssl_verify_dates=no
set header_cache=""
set folder="{self.folder}"
set timeout=5
set quit=yes
set delete=no
set wait_key=no
set confirmcreate=no
set confirmappend=no
set mbox_type=Maildir
push "<tag-pattern>~A<enter><tag-prefix><copy-message>{out}<enter><exit>"
""")
        self.on_terminal("neomutt", "-n", "-F", config, "-f", f"imaps://127.0.0.1:{self.gk.port('imaps')}/INBOX", env={"HOME": self.folder})
        copied = [f"{out}/{part}/{name}" for part in ("new", "cur") if os.path.isdir(f"{out}/{part}") for name in os.listdir(f"{out}/{part}")]
        self.assertEqual(len(copied), self.COUNT)
        self.same_bodies([gk.contents(path) for path in copied])

    def taker(self, name):
        """A program that keeps each message it is given on stdin as a file of its own; its path, and that of their folder."""
        folder = f"{self.folder}/{name}-took"
        os.makedirs(folder)
        return self.write(f"{name}-take", f"#!/bin/sh\nexec cat > {folder}/$$\n", 0o700), folder

    def taken(self, folder):
        return [gk.contents(f"{folder}/{name}") for name in os.listdir(folder)]

    def test_fetchmail_takes_everything(self):
        program, folder = self.taker("fetchmail")
        config = self.write("fetchmailrc", f"""poll 127.0.0.1 service {self.gk.port('imaps')} protocol IMAP
user "bob@a.test" password "{self.gk.PASSWORD}" ssl sslproto "TLS1.2+" no sslcertck fetchall keep no rewrite mda "{program}"
""")
        self.call("fetchmail", "-f", config, "--nosyslog", "-v", "--pidfile", f"{self.folder}/fetchmail.pid", "-i", f"{self.folder}/fetchids", timeout=120,
                  env={"HOME": self.folder, "FETCHMAILHOME": self.folder})
        self.same_bodies(self.taken(folder))

    def test_getmail_takes_everything(self):
        program, folder = self.taker("getmail")
        os.makedirs(f"{self.folder}/getmail")
        # Into a Maildir of its own getmail refuses to write as root, and the tests may run as anybody.
        self.write("getmail/getmailrc", f"""[retriever]
type = SimpleIMAPSSLRetriever
server = 127.0.0.1
port = {self.gk.port('imaps')}
username = bob@a.test
password = {self.gk.PASSWORD}
[destination]
type = MDA_external
path = {program}
allow_root_commands = true
[options]
delivered_to = false
received = false
""")
        for last in (False, False, True):
            try:
                self.call("getmail", f"--getmaildir={self.folder}/getmail", timeout=40, env={"HOME": self.folder})
                break
            except subprocess.TimeoutExpired:
                # Once in some thousand messages getmail does not notice that its MDA has ended, and waits for ever.
                if last:
                    raise
                for name in os.listdir(folder):
                    os.unlink(f"{folder}/{name}")
        self.same_bodies(self.taken(folder))

    def test_a_draft_is_filed_and_found(self):
        with self.imap("bob@a.test") as imap:
            draft = b"From: bob@a.test\r\nSubject: draft\r\n\r\nnot yet done\r\n"
            self.assertEqual(imap.append("Drafts", "\\Draft \\Seen", None, draft)[0], "OK")
            imap.select("Drafts")
            self.assertEqual(imap.search(None, "SUBJECT", "draft")[1], [b"1"])
            self.assertEqual(imap.fetch("1", "(BODY.PEEK[])")[1][0][1], draft)
            imap.store("1", "+FLAGS", "\\Deleted")
            self.assertEqual(imap.expunge()[1], [b"1"])


if __name__ == "__main__":
    unittest.main()
