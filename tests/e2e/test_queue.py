# SPDX-License-Identifier: MIT
"""The queue between two instances of gk: delivery with TLS, bounces, a peer that is away, and what gk-queue says and does."""
import email
import email.policy
import json
import os
import shutil
import unittest

from bed import case, gk

ONLY = ("--only", "smtpd,deliver,authd,queue,dkim")
MESSAGE = b"From: ann@a.test\r\nSubject: %s\r\nMessage-ID: <%s@a.test>\r\n\r\nhello\r\n.dot\r\n"


class Queue(case.Case):
    UP_OPTIONS = ONLY

    @classmethod
    def setUpClass(cls):
        cls.far = gk.Instance("mx.b.test", {"b.test": ["carl"]}, up_options=ONLY)
        cls.far.start()
        cls.SETTINGS = f"""[queue]
retry_first = "1s"
retry_most = "1s"
[queue.routes]
"b.test" = "127.0.0.1:{cls.far.port('smtp')}"
"dead.test" = "127.0.0.1:1"
"""
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        cls.far.stop()
        if not cls.far.keep:
            shutil.rmtree(cls.far.root, ignore_errors=True)
        super().tearDownClass()

    def submit(self, name, *recipients):
        with self.smtp("submission") as smtp:
            smtp.starttls(context=case.TLS)
            smtp.login("ann@a.test", self.gk.PASSWORD)
            smtp.sendmail("ann@a.test", list(recipients), MESSAGE % (name, name))

    def tool(self, *words, **more):
        return gk.run("gk-queue", *words, "--root", self.gk.root, **more)

    def rows(self, *words):
        return [json.loads(line) for line in self.tool("list", "--json", *words).splitlines()]

    def found(self, instance, address, subject):
        for path in instance.files(address):
            with open(path, "rb") as file:
                message = email.message_from_binary_file(file, policy=email.policy.default)
            if subject in str(message):
                return message
        return None

    def test_mail_goes_out_with_tls_and_failures_come_back(self):
        self.submit(b"first", "carl@b.test", "nobody@b.test")
        self.wait("the message", lambda: self.found(self.far, "carl@b.test", "<first@a.test>"))
        dsn = self.wait("the DSN", lambda: self.found(self.gk, "ann@a.test", "nobody@b.test"))
        self.assertEqual((dsn.get_content_type(), dsn["Return-Path"], dsn.defects), ("multipart/report", "<>", []))
        status = [part for part in dsn.walk() if part.get_content_type() == "message/delivery-status"][0].get_payload()
        self.assertEqual((status[1]["Action"], status[1]["Status"]), ("failed", "5.1.1"))
        self.assertEqual(status[1]["Final-Recipient"], "rfc822; nobody@b.test")
        delivered = [event for event in self.gk.events("queue.delivered") if event["recipient"] == "carl@b.test"]
        self.assertTrue(delivered[0]["tls"].startswith("TLSv1.3"))
        self.wait("an empty queue", lambda: not self.rows())

    def test_what_a_stopped_peer_missed_arrives_when_it_is_back(self):
        self.far.stop()
        try:
            for number in range(5):
                self.submit(b"late%d" % number, "carl@b.test")
            self.wait("deferrals", lambda: len(self.rows("--recipient", "@b.test", "--status", "deferred")) == 5)
        finally:
            self.far.start()
        for number in range(5):
            self.wait("the message", lambda n=number: self.found(self.far, "carl@b.test", f"<late{n}@a.test>"), 30)
        self.wait("an empty queue", lambda: not self.rows("--recipient", "@b.test"))

    def test_lists_pipe_into_commands(self):
        for number in range(3):
            self.submit(b"dead%d" % number, "x@dead.test")
        self.wait("deferrals", lambda: len(self.rows("--recipient", "x@dead.test", "--status", "deferred")) == 3)
        listed = self.tool("list", "--recipient", "@dead.test")
        self.tool("hold", "-", stdin=listed)
        # One that was being tried becomes held when its attempt ends.
        self.wait("the hold", lambda: len(self.rows("--status", "held")) == 3)
        some = self.rows("--status", "held")[0]["id"]
        shown = self.tool("show", some)
        self.assertIn("Connection refused", shown)
        self.assertIn(" hold ", shown)
        self.assertEqual(self.tool("delete", "--sender", "ann@a.test", "--dry-run").count("delete "), 3)
        self.tool("delete", some, stdin="", code=77)
        self.tool("show", "NOSUCH", code=66)
        self.tool("show", "../x", code=65)
        self.tool("delete", "-", "--yes", stdin=listed)
        self.assertEqual(self.rows(), [])

    def test_works_on_the_files_where_no_daemon_runs(self):
        self.submit(b"cold", "x@dead.test")
        self.wait("the deferral", lambda: self.rows("--status", "deferred"))
        self.gk.stop()
        try:
            row = self.rows()[0]
            self.assertEqual(row["recipients"], ["x@dead.test"])
            self.tool("hold", row["id"])
            self.assertEqual(self.rows()[0]["status"], "held")
        finally:
            self.gk.start()
        self.assertEqual(self.rows()[0]["status"], "held")
        self.tool("delete", row["id"], "--yes")
        self.assertEqual(os.listdir(f"{self.gk.root}/spool/active"), [])


if __name__ == "__main__":
    unittest.main()
