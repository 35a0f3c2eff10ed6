# SPDX-License-Identifier: MIT
"""What an operator does to a queue at work: finding, explaining, redirecting, rerouting, giving up, draining, and limits."""
import json
import os
import shutil
import smtplib
import unittest

from bed import case, gk

ONLY = ("--only", "smtpd,deliver,authd,queue,dkim")
MESSAGE = b"From: %s\r\nSubject: %s\r\nMessage-ID: <%s@a.test>\r\n\r\nhello\r\n"


class QueueOperate(case.Case):
    UP_OPTIONS = ONLY
    DOMAINS = {"a.test": ["ann", "bob", "news", "few"]}

    @classmethod
    def setUpClass(cls):
        cls.far = gk.Instance("mx.b.test", {"b.test": ["carl"]}, up_options=ONLY)
        cls.far.start()
        cls.SETTINGS = f"""[queue]
retry_first = "1h"
bulk_senders = ["news@a.test"]
[queue.routes]
"b.test" = "127.0.0.1:{cls.far.port('smtp')}"
"dead.test" = "127.0.0.1:1"
[smtp.submission_overrides]
"few@a.test" = "messages_hour=2 recipients_hour=3"
"""
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        cls.far.stop()
        if not cls.far.keep:
            shutil.rmtree(cls.far.root, ignore_errors=True)
        super().tearDownClass()

    def submit(self, name, *recipients, account="ann@a.test"):
        with self.smtp("submission") as smtp:
            smtp.starttls(context=case.TLS)
            smtp.login(account, self.gk.PASSWORD)
            smtp.sendmail(account, list(recipients), MESSAGE % (account.encode(), name, name))

    def tool(self, *words, **more):
        return gk.run("gk-queue", *words, "--root", self.gk.root, **more)

    def rows(self, *words):
        return [json.loads(line) for line in self.tool("list", "--json", *words).splitlines()]

    def one(self, recipient):
        # Not all of them are tried: the destination is known to be away.
        self.wait("the message", lambda: self.rows("--recipient", recipient))
        return self.rows("--recipient", recipient)[0]["id"]

    def found(self, instance, address, text):
        for path in instance.files(address):
            with open(path, encoding="utf-8", errors="replace") as file:
                if text in file.read():
                    return True
        return False

    def test_finds_shows_and_explains(self):
        self.submit(b"why", "why@dead.test")
        some = self.one("why@dead.test")
        self.wait("the deferral", lambda: self.rows("--recipient", "why@dead.test", "--status", "deferred"))
        self.assertEqual([row["id"] for row in self.rows("--recipient", "why@dead.test", "--account", "ann@a.test", "--newer", "1h",
                                                         "--reason", "REFUSED")], [some])
        self.assertIn(some, [row["id"] for row in self.rows("--domain", "DEAD.test")])
        self.assertEqual(self.rows("--recipient", "why@dead.test", "--older", "1h"), [])
        self.assertIn(some, [row["id"] for row in self.rows("--next-hop", "[127.0.0.1]:1")])
        self.assertEqual(self.tool("list", "-0", "--recipient", "why@dead.test"), some + "\0")
        self.assertIn("Subject: why\n", self.tool("show", "--header", some).replace("\r", ""))
        self.assertIn("hello\n", self.tool("show", "--message", some).replace("\r", ""))
        said = self.tool("explain", some)
        for part in ("was tried 1 time", "Connection refused", "The next attempt is due at", "given up and returned"):
            self.assertIn(part, said)
        facts = json.loads(self.tool("explain", "--json", some))
        self.assertEqual(facts["destinations"][0]["route"], "[127.0.0.1]:1")
        stats = [json.loads(line) for line in self.tool("stats", "--json").splitlines()]
        self.assertEqual([row["state"] for row in stats if row["name"] == "dead.test"], ["down"])
        self.assertIn("TOTAL", self.tool("stats", "--by", "age"))
        self.assertIn("ann@a.test", self.tool("stats", "--by", "sender"))
        self.tool("list", "--older", "soon", code=65)
        self.tool("delete", some, "--yes")

    def test_redirects_and_reroutes(self):
        self.submit(b"redirected", "red@dead.test")
        some = self.one("red@dead.test")
        self.tool("redirect", some, "--to", "not an address", code=65)
        done = json.loads(self.tool("redirect", some, "--to", "carl@b.test", "--json"))
        self.assertEqual((done["id"], done["done"]), (some, True))
        self.wait("the message", lambda: self.found(self.far, "carl@b.test", "<redirected@a.test>"))
        self.submit(b"rerouted", "carl@dead.test", "bob@a.test")
        some = self.one("carl@dead.test")
        self.tool("redirect", some, "--to", "carl@b.test")
        self.wait("the message", lambda: self.found(self.far, "carl@b.test", "<rerouted@a.test>"))
        self.submit(b"another", "x@dead.test")
        some = self.one("x@dead.test")
        self.tool("reroute", some, "--via", f"127.0.0.1:{self.far.port('smtp')}")
        # That host does not take mail for others, and says so for good.
        self.wait("the DSN", lambda: self.found(self.gk, "ann@a.test", "Subject: another"))

    def test_gives_up_at_once(self):
        self.submit(b"bounced", "bounce@dead.test")
        some = self.one("bounce@dead.test")
        self.tool("bounce", some, stdin="", code=77)
        self.tool("bounce", some, "--because", "a wrong list", "--yes")
        self.wait("the DSN", lambda: self.found(self.gk, "ann@a.test", "a wrong list"))
        self.wait("its end", lambda: not self.rows("--recipient", "bounce@dead.test"))
        self.tool("bounce", some, "--yes", code=66)

    def test_drains_over_a_restart(self):
        self.tool("drain", "--domain", "b.test")
        try:
            self.submit(b"drained", "carl@b.test")
            self.wait("the message", lambda: self.rows("--recipient", "carl@b.test"))
            self.gk.stop()
            self.gk.start()
            stats = self.wait("stats", lambda: [row for row in map(json.loads, self.tool("stats", "--json").splitlines())
                                                if row["name"] == "b.test"])
            self.assertEqual(stats[0]["state"], "drained")
            self.assertFalse(self.found(self.far, "carl@b.test", "<drained@a.test>"))
        finally:
            self.tool("drain", "--off")
        self.wait("the message", lambda: self.found(self.far, "carl@b.test", "<drained@a.test>"))

    def test_a_bulk_sender_is_told_at_once_what_it_could_know(self):
        self.submit(b"first", "nobody@b.test", account="news@a.test")
        known = self.wait("the entry", lambda: self.tool("suppress", "list"))
        self.assertIn("news@a.test\tnobody@b.test", known)
        self.submit(b"second", "nobody@b.test", account="news@a.test")
        self.wait("the DSN", lambda: self.found(self.gk, "news@a.test", "suppressed since"))
        self.tool("suppress", "remove", "nobody@b.test", "--account", "news@a.test")
        self.assertEqual(self.tool("suppress", "list"), "")
        self.tool("suppress", "import", stdin=known)
        self.assertEqual(self.tool("suppress", "list"), known)
        self.tool("suppress", "remove", "nobody@b.test", "--account", "news@a.test")
        self.tool("suppress", "remove", "nobody@b.test", "--account", "news@a.test", code=66)

    def test_an_account_cannot_flood(self):
        for number in range(2):
            self.submit(b"few%d" % number, "bob@a.test", account="few@a.test")
        with self.assertRaises(smtplib.SMTPSenderRefused) as refused:
            self.submit(b"few", "bob@a.test", account="few@a.test")
        self.assertEqual(refused.exception.smtp_code, 450)
        said = refused.exception.smtp_error.decode()
        self.assertRegex(said, r"^4\.7\.1 few@a\.test sent 2 messages in the last hour; the limit is 2; try again after .*\d\d:\d\d$")
        self.gk.stop()
        self.gk.start()
        with self.assertRaises(smtplib.SMTPSenderRefused):
            self.submit(b"few", "bob@a.test", account="few@a.test")
        self.submit(b"others", "bob@a.test")
        self.assertEqual(self.gk.events("submission.limited")[0]["actor"], "few@a.test")
        shown = json.loads(gk.run("gk-user", "show", "few@a.test", "--json", "--root", self.gk.root))
        self.assertEqual((shown["messages_last_day"], shown["recipients_last_day"]), (2, 2))


if __name__ == "__main__":
    unittest.main()
