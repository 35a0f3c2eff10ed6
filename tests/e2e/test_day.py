#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A day of one account in fast motion: many clients in turn, each changing something and seeing what the others did.

mbsync and offlineimap keep copies in both directions, neomutt has a header cache, imapfilter sorts, getmail and fetchmail take what is
new, imaplib and curl do the rest. In the evening both copies are what the server has, flags included, and gk-mailbox finds nothing.
"""
import contextlib
import hashlib
import os
import random
import re
import shutil
import ssl
import subprocess
import unittest

from bed import case, gk

ROUNDS = 5
FLAGS = {"\\Seen": "S", "\\Flagged": "F", "\\Answered": "R", "\\Draft": "D", "\\Deleted": "T"}


def token_of(message):
    found = re.search(rb"token-(\d+)", message)
    return int(found[1]) if found else None


class Day(case.Case):
    def setUp(self):
        self.random = random.Random(11)
        self.sent = 0
        self.password = self.write("password", self.gk.PASSWORD)
        certificate = ssl.PEM_cert_to_DER_cert(gk.contents(f"{self.gk.root}/keys/tls/default.crt").decode())
        self.fingerprint = hashlib.sha1(certificate).hexdigest()
        for name in ("mbsync", "offline", "cache"):
            os.makedirs(f"{self.folder}/{name}")

    # ---- clients

    def arrive(self, count, subject="news"):
        for _ in range(count):
            self.sent += 1
            self.deliver(f"From: s@outside.test\r\nTo: ann@a.test\r\nSubject: {subject} {self.sent}\r\n\r\ntoken-{self.sent} and more\r\n")

    def mbsync(self):
        config = self.write("mbsyncrc", f"""IMAPStore far
Host localhost
Port {self.gk.port('imaps')}
User ann@a.test
PassCmd "cat {self.password}"
SSLType IMAPS
CertificateFile {self.gk.root}/keys/tls/default.crt

MaildirStore near
Path {self.folder}/mbsync/
Inbox {self.folder}/mbsync/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns INBOX Archive
Create Both
Expunge Both
Sync All
SyncState *
""")
        self.call("mbsync", "-c", config, "-a", timeout=120)

    def offlineimap(self):
        config = self.write("offlineimaprc", f"""[general]
accounts = a
metadata = {self.folder}/offline-state
ui = quiet
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {self.folder}/offline
[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {self.gk.port('imaps')}
remoteuser = ann@a.test
remotepassfile = {self.password}
ssl = yes
cert_fingerprint = {self.fingerprint}
folderfilter = lambda name: name in ("INBOX", "Archive")
""")
        self.call("offlineimap", "-c", config, "-o", "-u", "quiet", timeout=120, env={"HOME": self.folder})

    def imapfilter(self):
        """What is called "sort" goes to the archive, seen."""
        config = self.write("imapfilter.lua", f"""options.hostnames = false
options.create = false
account = IMAP {{ server = "127.0.0.1", port = {self.gk.port('imaps')}, username = "ann@a.test", password = "{self.gk.PASSWORD}", ssl = "auto" }}
found = account.INBOX:contain_subject("sort")
found:mark_seen()
found:move_messages(account.Archive)
""")
        self.call("imapfilter", "-t", f"{self.gk.root}/keys/tls/default.crt", "-c", config, timeout=120, env={"HOME": self.folder})

    def neomutt(self):
        """Flags what is new and called "news"; the header cache is kept for the next time."""
        config = self.write("neomuttrc", f"""set imap_user="ann@a.test"
set imap_pass="{self.gk.PASSWORD}"
set ssl_starttls=no
set certificate_file="{self.gk.root}/keys/tls/default.crt"
set ssl_verify_host=no
set ssl_verify_dates=no
set header_cache="{self.folder}/cache"
set message_cachedir="{self.folder}/cache"
set imap_qresync=yes
set imap_condstore=yes
set folder="{self.folder}"
set timeout=5
set quit=yes
set delete=no
set wait_key=no
set auto_tag=no
push "<tag-pattern>~s news<enter><tag-prefix><set-flag>!<tag-prefix><clear-flag>*<sync-mailbox><quit>"
""")
        self.on_terminal("neomutt", "-n", "-F", config, "-f", f"imaps://127.0.0.1:{self.gk.port('imaps')}/INBOX", env={"HOME": self.folder})

    def taker(self, name):
        folder = f"{self.folder}/{name}-took"
        os.makedirs(folder, exist_ok=True)
        return self.write(f"{name}-take", f"#!/bin/sh\nexec cat > {folder}/$$\n", 0o700), folder

    def fetchmail(self):
        program, _ = self.taker("fetchmail")
        config = self.write("fetchmailrc", f"""poll 127.0.0.1 service {self.gk.port('imaps')} protocol IMAP
user "ann@a.test" password "{self.gk.PASSWORD}" ssl sslproto "TLS1.2+" no sslcertck keep no rewrite mda "{program}"
""")
        self.call("fetchmail", "-f", config, "--nosyslog", "--pidfile", f"{self.folder}/fetchmail.pid", "-i", f"{self.folder}/fetchids",
                  timeout=120, code=None, env={"HOME": self.folder, "FETCHMAILHOME": self.folder})

    def getmail(self):
        program, _ = self.taker("getmail")
        os.makedirs(f"{self.folder}/getmail", exist_ok=True)
        self.write("getmail/getmailrc", f"""[retriever]
type = SimpleIMAPSSLRetriever
server = 127.0.0.1
port = {self.gk.port('imaps')}
username = ann@a.test
password = {self.gk.PASSWORD}
[destination]
type = MDA_external
path = {program}
allow_root_commands = true
[options]
read_all = false
delivered_to = false
received = false
""")
        # Once in some thousand messages getmail does not notice that its MDA has ended, and waits for ever.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.call("getmail", f"--getmaildir={self.folder}/getmail", timeout=30, env={"HOME": self.folder})

    def scripts(self):
        """imaplib and curl: an answer, a search, a deletion."""
        with self.imap() as imap:
            imap.select("INBOX")
            uids = imap.uid("SEARCH", None, "ALL")[1][0].split()
            some = self.random.sample(imap.uid("SEARCH", None, "SUBJECT", "news")[1][0].split(), 3)
            imap.uid("STORE", some[0], "+FLAGS", "(\\Answered)")
            imap.uid("STORE", some[1], "+FLAGS", "(\\Seen $work)")
            imap.uid("STORE", some[2], "+FLAGS", "(\\Deleted)")
            imap.expunge()
        listed = self.call("curl", "-sS", "-k", "--url", f"imaps://127.0.0.1:{self.gk.port('imaps')}/INBOX?ALL", "--user", f"ann@a.test:{self.gk.PASSWORD}")
        self.assertEqual(len(listed.split()) - 2, len(uids) - 1)

    def change_copy(self, folder):
        """As somebody does who works with the copy while away: one message is flagged, one read, one removed."""
        names = [f"{part}/{name}" for part in ("cur", "new") for name in sorted(os.listdir(f"{folder}/{part}"))]
        flagged, read, removed = self.random.sample(names, 3)
        for name, letter in ((flagged, "F"), (read, "S")):
            base, _, letters = name[4:].partition(":2,")
            os.rename(f"{folder}/{name}", f"{folder}/cur/{base}:2,{''.join(sorted(set(letters) | {letter}))}")
        os.unlink(f"{folder}/{removed}")

    # ---- what there is in the evening

    def on_server(self, mailbox):
        found = {}
        with self.imap() as imap:
            imap.select(mailbox, readonly=True)
            for row in imap.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]:
                if isinstance(row, tuple):
                    flags = re.search(rb"FLAGS \(([^)]*)\)", row[0])[1].decode().split()
                    found[token_of(row[1])] = "".join(sorted(FLAGS[flag] for flag in flags if flag in FLAGS))
        return found

    @staticmethod
    def in_copy(folder):
        found = {}
        for part in ("new", "cur"):
            for name in os.listdir(f"{folder}/{part}"):
                found[token_of(gk.contents(f"{folder}/{part}/{name}"))] = "".join(sorted(letter for letter in name.partition(":2,")[2] if letter in "SFRDT"))
        return found

    def test_all_clients_agree_in_the_evening(self):
        for program in ("mbsync", "offlineimap", "imapfilter", "neomutt", "fetchmail", "getmail", "curl"):
            if not shutil.which(program):
                self.skipTest(f"{program} is not installed")
        self.arrive(12)
        for number in range(ROUNDS):
            with self.subTest(round=number):
                self.arrive(4)
                self.arrive(2, "sort")
                self.mbsync()
                self.neomutt()
                self.offlineimap()
                self.scripts()
                self.imapfilter()
                self.getmail()
                self.change_copy(f"{self.folder}/mbsync/INBOX")
                self.mbsync()
                self.offlineimap()
                self.change_copy(f"{self.folder}/offline/INBOX")
                self.fetchmail()
                self.offlineimap()
        self.mbsync()
        self.offlineimap()
        for mailbox in ("INBOX", "Archive"):
            there = self.on_server(mailbox)
            self.assertEqual(self.in_copy(f"{self.folder}/mbsync/{mailbox}"), there, f"mbsync's copy of {mailbox}")
            self.assertEqual(self.in_copy(f"{self.folder}/offline/{mailbox}"), there, f"offlineimap's copy of {mailbox}")
        self.assertEqual(len(self.on_server("Archive")), 2 * ROUNDS)
        self.assertGreater(sum("F" in flags for flags in self.on_server("INBOX").values()), ROUNDS)
        self.assertTrue(self.in_took("getmail"))
        self.assertTrue(self.in_took("fetchmail"))
        gk.run("gk-mailbox", "check", "-a", "ann@a.test", "--files", "--root", self.gk.root)

    def in_took(self, name):
        folder = f"{self.folder}/{name}-took"
        return {token_of(gk.contents(f"{folder}/{file}")) for file in os.listdir(folder)}


if __name__ == "__main__":
    unittest.main()
