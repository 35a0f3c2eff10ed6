# SPDX-License-Identifier: MIT
"""Full-text search: gk-search over delivered and moved mail, FUZZY by IMAP, and an index that is killed, full, deleted and fed hostile mail."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from bed import case, gk

SEARCH = f"{gk.BIN}/gk-search"


def message(subject, body, headers=""):
    return f"From: Eve Sender <eve.sender@outside.test>\r\nTo: ann@a.test\r\nSubject: {subject}\r\n{headers}\r\n{body}\r\n".encode()


HTML = "Content-Type: text/html; charset=utf-8\r\n"
MIXED = ("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n",
         "--b\r\n\r\ncover letter\r\n--b\r\nContent-Type: text/csv; name=\"Umsätze.csv\"\r\nContent-Disposition: attachment\r\n\r\nzebra;42\r\n--b--")


class Delivered(case.Case):
    """What daemons deliver and move, seen by the tool and by FUZZY."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls.smtp(cls) as smtp:
            for bytes_ in (message("Invoice for June", "please pay the amount"), message("Holiday", "the invoice can wait until we are back"),
                           message("=?utf-8?b?5p2x5Lqs6YO9?=", "<p>gr&uuml;&szlig;e aus <b>K&ouml;ln</b></p><script>invoice</script>", HTML),
                           message("Figures", MIXED[1], MIXED[0])):
                smtp.sendmail("eve@outside.test", ["ann@a.test"], bytes_)

    def query(self, *words, code=0):
        out = self.call(SEARCH, "query", "--root", self.gk.root, "-a", "ann@a.test", "--json", *words, code=code)
        return [json.loads(line) for line in out.splitlines()]

    def subjects(self, *words, code=0):
        return [found["subject"] for found in self.query(*words, code=code)]

    def test_1_the_best_comes_first_and_says_where_it_is(self):
        self.assertEqual(self.subjects("invoice"), ["Invoice for June", "Holiday"])
        best = self.query("invoice")[0]
        self.assertEqual((best["mailbox"], best["account"], best["snippet"]), ("INBOX", "ann@a.test", "please pay the amount"))
        with open(best["path"], "rb") as file:
            self.assertIn(b"Invoice for June", file.read())
        for query, subject in (("grusse koln", "東京都"), ("京都", "東京都"), ("filename:umsatze zebra", "Figures"), ("has:attachment", "Figures"),
                               ("from:eve.sender@outside.test -invoice is:unread \"cover letter\"", "Figures")):
            self.assertEqual(self.subjects(query), [subject], query)
        self.assertEqual(self.subjects("nowhere", code=1), [])
        paths = self.call(SEARCH, "query", "--root", self.gk.root, "-a", "ann@a.test", "-0", "invoice").split(b"\0")
        self.assertEqual([os.path.exists(path) for path in paths], [True, True, False])  # the last is what follows the last NUL
        self.call(SEARCH, "query", "--root", self.gk.root, "-a", "ann@a.test", "(open", code=64)
        self.call(SEARCH, "query", "--root", self.gk.root, "-a", "nobody@a.test", "x", code=66)

    def test_2_fuzzy_finds_by_imap_what_words_say(self):
        with self.imap() as imap:
            self.assertIn("SEARCH=FUZZY", imap.capabilities)
            imap.select("INBOX")
            self.assertEqual(imap.search(None, "FUZZY", "TEXT", '"invoice"')[1], [b"1 2"])
            self.assertEqual(imap.search(None, "FUZZY", "TEXT", '"grusse KOLN"')[1], [b"3"])
            self.assertEqual(imap.search(None, "TEXT", '"grusse"')[1], [b""])
            self.deliver(message("Just now", "an invoice again"))
            self.wait("the new message to be found", lambda: imap.search(None, "FUZZY", "TEXT", "again")[1] == [b"5"])
            imap.store("5", "+FLAGS", "\\Deleted")
            imap.expunge()
            self.assertEqual(imap.search(None, "FUZZY", "TEXT", "again")[1], [b""])

    def test_3_a_move_needs_no_reading(self):
        with self.imap() as imap:
            imap.select("INBOX")
            imap.uid("MOVE", "2", "Archive")
        self.assertEqual([found["mailbox"] for found in self.query("holiday")], ["Archive"])
        added = json.loads(self.call(SEARCH, "index", "--root", self.gk.root, "-a", "ann@a.test", "--json"))
        self.assertEqual((added["added"], added["messages"]), (0, 4))
        self.call(SEARCH, "check", "--root", self.gk.root, "-a", "ann@a.test")
        self.assertIn(b"bob@a.test", self.call(SEARCH, "check", "--root", self.gk.root, "--all", code=1))  # he has no index

    def test_4_either_database_may_go(self):
        home = self.gk.home("ann@a.test")
        for name in ("index.db", "search.db"):
            for suffix in ("", "-wal", "-shm"):
                if os.path.exists(f"{home}/{name}{suffix}"):
                    os.unlink(f"{home}/{name}{suffix}")
            self.assertIn("Invoice for June", self.subjects("invoice"), name)
        self.call(SEARCH, "drop", "--root", self.gk.root, "-a", "ann@a.test")
        self.assertIn(b"no-index", self.call(SEARCH, "check", "--root", self.gk.root, "-a", "ann@a.test", code=1))


class Offline(unittest.TestCase):
    """A Maildir alone, without a daemon anywhere."""

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="gk-search-")
        for name in ("cur", "new", "tmp"):
            os.makedirs(f"{self.home}/Maildir/{name}")
        self.addCleanup(shutil.rmtree, self.home)

    def put(self, number, bytes_):
        with open(f"{self.home}/Maildir/new/{1700000000 + number}.M{number}P1.test", "wb") as file:
            file.write(bytes_)

    def search(self, *words, prefix=(), code=0, timeout=120):
        done = subprocess.run([*prefix, SEARCH, words[0], "--home", self.home, *words[1:]], capture_output=True, check=False, timeout=timeout)
        self.assertEqual(done.returncode, code, done.stderr.decode(errors="replace"))
        return done.stdout

    def count(self, *query, code=0):
        return self.search("query", "--paths", "--as-it-is", *query, code=code).count(b"\n")

    def test_goes_on_where_it_was_killed(self):
        for number in range(3000):
            self.put(number, message(f"number{number}", "common words " + " ".join(f"w{number * 7 + k}" for k in range(200))))
        self.search("check", code=1)
        running = subprocess.Popen([SEARCH, "index", "--home", self.home], stdout=subprocess.DEVNULL)
        try:
            gk.wait_for("the first messages to be in the index", lambda: running.poll() is not None or self.some_but_not_all(), 60)
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait()
        if self.count("common") == 3000:
            self.skipTest("it was done before it could be killed")
        self.assertIn(b"missing", self.search("check", code=1))
        self.search("index")
        self.search("check")
        self.assertEqual(self.count("common"), 3000)
        self.assertEqual(self.count("number2999 w20993"), 1)

    def some_but_not_all(self):
        done = subprocess.run([SEARCH, "query", "--home", self.home, "--paths", "--as-it-is", "common"], capture_output=True, check=False)
        return done.stdout.count(b"\n") > 0

    @unittest.skipUnless(shutil.which("strace"), "no strace here")
    def test_a_full_disk_ends_a_run_and_harms_nothing(self):
        for number in range(300):
            self.put(number, message(f"number{number}", "common words"))
        self.search("check", code=1)
        full = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC:when=40+")
        self.search("index", prefix=full, code=75)
        self.search("index")
        self.search("check")
        self.assertEqual(self.count("common"), 300)

    def test_hostile_mail_costs_little(self):
        deep = b"Subject: deep\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 20000 + b"bottom\r\n"
        wide = b"Subject: wide\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 50000
        html = b"Subject: html\r\nContent-Type: text/html\r\n\r\n" + b"<a '<!--&#x" * 500_000
        words = b"Subject: words\r\n\r\n" + b" ".join(b"%x" % (k * 2654435761 % 2**32) for k in range(400_000))
        fields = b"Subject: fields\r\nTo: " + b"a@b.test, " * 100_000 + b"\r\n\r\nx\r\n"
        for number, bytes_ in enumerate((deep, wide, html, words, fields, b"", b"\0" * 100_000, os.urandom(1_000_000))):
            self.put(number, bytes_)
        began = time.monotonic()
        self.search("index")
        self.assertLess(time.monotonic() - began, 60)
        self.search("check")
        self.assertEqual(self.count("subject:deep OR subject:wide OR subject:html OR subject:words OR subject:fields"), 5)
        self.assertLess(os.path.getsize(f"{self.home}/search.db"), 32 << 20)


if __name__ == "__main__":
    unittest.main()
