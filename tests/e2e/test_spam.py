# SPDX-License-Identifier: MIT
"""gk-spam from the shell: what it is taught from files, Maildirs and mboxes, what it says then, and what a kill leaves."""
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from bed import case, gk

SPAM = f"{gk.BIN}/gk-spam"
GOODS = "cheap pills casino loan winner prize urgent discount guaranteed offer click unsubscribe money free".split()
TALK = "meeting lunch report train garden review patch letter thanks tomorrow kernel window draft question".split()


def message(number, spam):
    chance = random.Random(f"{number} {spam}")
    words = " ".join(chance.choice(GOODS if spam else TALK) for _ in range(60))
    sender = f"Seller <deal{number}@shop{number % 7}.test>" if spam else f"Ann <ann{number % 3}@a.test>"
    link = f"\nhttp://shop{number % 7}.test/buy?id={number}\n" if spam else "\n"
    return f"From: {sender}\nTo: bob@a.test\nSubject: {' '.join(words.split()[:4])}\nMessage-ID: <{number}@x.test>\n\n{words}{link}".encode()


class Tool(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gk-spam-")
        self.addCleanup(shutil.rmtree, self.folder)
        for name, spam in (("spam", True), ("ham", False)):
            os.makedirs(f"{self.folder}/mail/{name}")
            for number in range(60):
                self.write(f"mail/{name}/{number:03}", message(number, spam))

    def write(self, name, content):
        os.makedirs(os.path.dirname(f"{self.folder}/{name}"), exist_ok=True)
        with open(f"{self.folder}/{name}", "wb") as file:
            file.write(content)
        return f"{self.folder}/{name}"

    def call(self, verb, *words, home="model", stdin=b"", code=0):
        done = subprocess.run([SPAM, verb, "--home", f"{self.folder}/{home}", *words], input=stdin, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done.stdout

    def judged(self, *words, **options):
        return [json.loads(line) for line in self.call("classify", "--json", *words, **options).splitlines()]

    def stats(self, **options):
        return json.loads(self.call("stats", "--json", **options))

    def test_it_judges_what_it_was_trained_for_and_says_why(self):
        self.assertEqual(self.judged(stdin=message(1000, True), code=2)[0]["verdict"], "unsure")
        self.call("train", f"{self.folder}/mail")
        told = self.judged(stdin=message(1000, True), code=1)[0]
        self.assertEqual((told["message"], told["verdict"]), ("-", "spam"))
        self.assertEqual(len(told["reasons"].split(", ")), 5)
        self.assertIn("+", told["reasons"])
        self.assertEqual(self.judged(stdin=message(1000, False))[0]["verdict"], "ham")
        # Nothing at all is neither.
        self.assertLess(float(self.judged(stdin=b"")[0]["score"]), 0.9)

    def test_maildirs_mboxes_and_files_are_all_read(self):
        self.call("train", f"{self.folder}/mail")
        for number in range(3):
            self.write(f"Maildir/{('new', 'cur', 'tmp')[number]}/17{number}.x", message(2000 + number, True))
        self.write("Maildir/dovecot-uidlist", b"3 V1 N1\n")
        box = self.write("box", b"".join(b"From x@y Tue Dec  1 10:00:00 2026\n" + message(3000 + n, n == 1) + b"\n" for n in range(3)))
        found = self.judged(f"{self.folder}/Maildir", box, f"{self.folder}/mail/ham/001", code=1)
        self.assertEqual([(os.path.basename(each["message"]), each["verdict"]) for each in found],
                         [("171.x", "spam"), ("170.x", "spam"), ("box:1", "ham"), ("box:2", "spam"), ("box:3", "ham"), ("001", "ham")])

    def test_learning_counts_once_and_forgetting_leaves_no_trace(self):
        self.call("train", f"{self.folder}/mail")
        before = self.call("export")
        more = self.write("more", message(500, True).replace(b"cheap", b"quite another word"))
        first = json.loads(self.call("learn", "--spam", "--json", more))
        again = json.loads(self.call("learn", "--spam", "--json", more))
        self.assertEqual((first["learned"], again["learned"], again["known"]), (1, 0, 1))
        self.assertEqual(self.stats()["spam"], 61)
        self.assertEqual(json.loads(self.call("forget", "--json", more)), {"forgotten": 1, "unknown": 0})
        self.assertEqual(self.call("export"), before)
        self.assertEqual(json.loads(self.call("forget", "--json", more)), {"forgotten": 0, "unknown": 1})

    def test_a_model_goes_to_another_place_as_text(self):
        self.call("train", f"{self.folder}/mail")
        text = self.call("export")
        self.call("import", home="other", stdin=text)
        self.assertEqual(self.call("export", home="other"), text)
        asked = [message(n, n % 2 == 0) for n in range(700, 710)]
        for each in asked:
            code = subprocess.run([SPAM, "classify", "--home", f"{self.folder}/model"], input=each, capture_output=True, check=False)
            self.assertEqual(self.call("classify", home="other", stdin=each, code=code.returncode), code.stdout)
        self.call("import", home="other", stdin=text[:len(text) // 2] + b"\nnonsense\n", code=65)
        self.assertEqual(self.call("export", home="other"), text)

    def test_wrong_command_lines_are_told(self):
        self.call("learn", f"{self.folder}/mail", code=64)
        self.call("learn", "--spam", "--ham", f"{self.folder}/mail", code=64)
        self.call("train", "--passes", "0", f"{self.folder}/mail", code=64)
        self.call("train", f"{self.folder}/nothing", code=66)
        self.call("classify", f"{self.folder}/nothing", code=66)

    def test_killed_while_it_learns_it_holds_whole_batches_and_goes_on(self):
        for name, spam in (("spam", True), ("ham", False)):
            for number in range(60, 600):
                self.write(f"mail/{name}/{number:03}", message(number, spam))
        whole = json.loads(self.call("train", "--json", f"{self.folder}/mail", home="whole"))
        self.assertEqual(whole["learned"], 1200)
        for wait in (0.01, 0.03, 0.06, 0.1, 0.15, 0.2):
            training = subprocess.Popen([SPAM, "train", "--home", f"{self.folder}/model", f"{self.folder}/mail"], stdout=subprocess.DEVNULL)
            time.sleep(wait)
            training.send_signal(signal.SIGKILL)
            training.wait()
            if os.path.exists(f"{self.folder}/model/spam.db"):
                self.assertEqual((self.stats()["spam"] + self.stats()["ham"]) % 200, 0)
        self.call("train", f"{self.folder}/mail")
        self.assertEqual(self.stats()["spam"] + self.stats()["ham"], 1200)
        self.assertEqual(self.judged(stdin=message(5000, True), code=1)[0]["verdict"], "spam")
        # What is judged by is what is in the database.
        self.call("import", home="copy", stdin=self.call("export"))
        self.assertEqual(self.judged(f"{self.folder}/mail/ham"), self.judged(f"{self.folder}/mail/ham", home="copy"))

    def test_many_learn_at_once(self):
        each = [subprocess.Popen([SPAM, "learn", f"--{kind}", "--home", f"{self.folder}/model", f"{self.folder}/mail/{kind}/{n:03}"], stdout=subprocess.DEVNULL)
                for n in range(12) for kind in ("spam", "ham")]
        self.assertEqual([learning.wait(60) for learning in each], [0] * 24)
        self.assertEqual((self.stats()["spam"], self.stats()["ham"]), (12, 12))


class Delivery(case.Case):
    """What gk-deliver thinks of mail, where it files it, and what moves by IMAP teach."""

    SETTINGS = "[spam]\nleast = 10\n"

    def tool(self, verb, *words, stdin=None, code=0):
        return self.call(SPAM, verb, "--root", self.gk.root, *words, stdin=stdin, code=code)

    def send(self, content, recipient="ann@a.test"):
        with self.smtp() as smtp:
            smtp.sendmail("x@outside.test", [recipient], content.replace(b"\n", b"\r\n"))

    def field(self, imap, mailbox, subject):
        """The X-GK-Spam fields of the message with that subject, or None where it is not there."""
        imap.select(mailbox)
        found = imap.uid("SEARCH", "SUBJECT", subject)[1][0].split()
        if not found:
            return None
        head = imap.uid("FETCH", found[-1], "(BODY.PEEK[HEADER.FIELDS (X-GK-Spam)])")[1][0][1]
        return head.decode()

    def test_spam_goes_to_junk_once_enough_is_known_and_says_why(self):
        self.send(b"Subject: first\nX-GK-Spam: ham; score=0.0000\n\n" + b"cheap pills\n")
        with self.imap("ann@a.test") as imap:
            imap.create("Junk")
            self.assertEqual(self.field(imap, "INBOX", "first").strip(), "")  # nothing is known, and forgeries are taken out
        with tempfile.TemporaryDirectory() as folder:
            for name, spam in (("spam", True), ("ham", False)):
                os.makedirs(f"{folder}/{name}")
                for number in range(40):
                    with open(f"{folder}/{name}/{number}", "wb") as file:
                        file.write(message(number, spam))
            os.chmod(folder, 0o755)
            self.tool("train", folder)
        self.send(message(900, True).replace(b"Subject: ", b"Subject: marked "))
        self.send(message(901, False).replace(b"Subject: ", b"X-GK-Spam: spam; score=1.0\nSubject: wanted "))
        with self.imap("ann@a.test") as imap:
            junk, inbox = self.field(imap, "Junk", "marked"), self.field(imap, "INBOX", "wanted")
            self.assertRegex(junk, r"X-GK-Spam: spam; score=0\.9")
            self.assertEqual(junk.count("+") + junk.count(" -"), 5, junk)
            self.assertRegex(inbox, r"^X-GK-Spam: ham; score=0\.[0-8]")
            self.assertEqual(inbox.count("X-GK-Spam"), 1)

            # Moved out of Junk: not spam to its owner. Into it: spam. Into Trash: nothing is said.
            imap.select("Junk")
            uid = imap.uid("SEARCH", "SUBJECT", "marked")[1][0].split()[-1]
            self.assertEqual(imap.uid("MOVE", uid, "INBOX")[0], "OK")
            imap.select("INBOX")
            uid = imap.uid("SEARCH", "SUBJECT", "wanted")[1][0].split()[-1]
            self.assertEqual(imap.uid("COPY", uid, "Junk")[0], "OK")
        told = json.loads(self.tool("learn", "--pending", "--json"))
        self.assertEqual(told["learned"], 2)
        own = [json.loads(line) for line in self.tool("stats", "--json", "-a", "ann@a.test").splitlines()]
        self.assertEqual([(each["model"], each["spam"], each["ham"]) for each in own], [("shared", 40, 40), ("own", 1, 1)])
        self.assertEqual(json.loads(self.tool("learn", "--pending", "--json"))["learned"], 0)


if __name__ == "__main__":
    unittest.main()
