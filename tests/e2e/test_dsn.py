# SPDX-License-Identifier: MIT
# timeout: 400
"""Delivery status notifications of every kind, read by Python's email, and by others that bounces are read with (MIME-tools,
BounceParser, Mailman's detectors): what RFC 3461, 3464, 6522 and 6533 want of each field."""
import email
import email.policy
import email.utils
import json
import re
import subprocess
import unittest

from flufl.bounce import scan_message
from flufl.bounce._detectors.dsn import DSN as DsnDetector

from bed import case, gk
from bed.peer import Peer

ONLY = ("--only", "smtpd,deliver,authd,queue,dkim")
BODY = "Hello there,\r\nthis is the body.\r\n"


def foreign_report(test, envid, message_id):
    """Sends ann a report as another server would; the reply to it."""
    report = f"""From: MAILER-DAEMON@mx.far.test\r\nTo: ann@a.test\r\nSubject: failure\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r\n--b\r\n\r\nIt failed.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nOriginal-Envelope-Id: {envid}\r\nReporting-MTA: dns; mx.far.test\r
\r\nFinal-Recipient: rfc822; ok@far.test\r\nAction: failed\r\nStatus: 5.2.2\r\nDiagnostic-Code: smtp; 552 5.2.2 full\r
\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\n\r\n--b--\r\n"""
    with test.smtp() as smtp:
        smtp.ehlo("mx.far.test")
        smtp.mail("", [])
        test.assertEqual(smtp.rcpt("ann@a.test")[0], 250)
        return smtp.data(report.encode())


def all_detected(raw):
    """What Mailman's detectors find: (temporary failures, permanent ones)."""
    message = email.message_from_bytes(raw)
    temporary, permanent = DsnDetector().process(message)
    assert scan_message(message) == permanent
    return temporary, permanent


def submit(test, message_id):
    """A message from ann to ok@far.test."""
    with test.smtp("submission") as smtp:
        smtp.starttls(context=case.TLS)
        smtp.login("ann@a.test", test.gk.PASSWORD)
        smtp.sendmail("ann@a.test", ["ok@far.test"], f"From: ann@a.test\r\nMessage-ID: {message_id}\r\nSubject: x\r\n\r\nx\r\n".encode())


class Dsn(case.Case):
    UP_OPTIONS = ONLY
    DOMAINS = {"a.test": ["ann", "bob", "carl"]}

    @classmethod
    def setUpClass(cls):
        every = ["8BITMIME", "SMTPUTF8", "DSN", "PIPELINING", "SIZE"]
        cls.home = Peer(every)  # where senders read their mail
        refusals = {f"RCPT TO:<{name}@": reply for name, reply in (("no", "550 5.1.1 nobody of that name, sorry"), ("nö", "550 5.1.1 niemand heißt so"),
                                                                  ("later", "451 4.2.1 not now"), ("spät", "451 4.2.1 jetzt nicht"),
                                                                  ("full", "552 5.2.2 mailbox full"))}
        cls.far = Peer(every, refusals)
        cls.plain = Peer(["SMTPUTF8", "8BITMIME"])  # knows no DSN
        cls.SETTINGS = f"""[smtp]
relay_networks = ["127.0.0.0/8"]
[queue]
retry_first = "1s"
retry_most = "1s"
delay_warning = "1s"
dsn_size = "20k"
tls = "never"
[queue.routes]
"home.test" = "127.0.0.1:{cls.home.port}"
"far.test" = "127.0.0.1:{cls.far.port}"
"plain.test" = "127.0.0.1:{cls.plain.port}"
"""
        super().setUpClass()
        gk.run("gk-alias", "add", "team@a.test", "ann@a.test", "bob@a.test", "ok@far.test", "--root", cls.gk.root)
        gk.run("gk-alias", "add", "out@a.test", "ok@plain.test", "--root", cls.gk.root)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for peer in (cls.home, cls.far, cls.plain):
            peer.close()

    def send(self, number, recipients, utf8, ret=None, size=0, header=""):
        """One message with ENVID n+<number>; RECIPIENTS are (address, parameters)."""
        sender = "ännchen@home.test" if utf8 else "ann@home.test"
        subject = "Grüße" if utf8 else "greetings"
        message = f"From: <{sender}>\r\nTo: <x@far.test>\r\nSubject: {subject}\r\nMessage-ID: <m{number}@home.test>\r\n{header}\r\n{BODY}" + "x" * 70 * (size // 72)
        with self.smtp() as smtp:
            smtp.command_encoding = "utf-8"
            smtp.ehlo("client.test")
            options = [f"ENVID=n+2B{number}", *([f"RET={ret}"] if ret else []), *(["SMTPUTF8", "BODY=8BITMIME"] if utf8 else [])]
            self.assertEqual(smtp.mail(sender, options)[0], 250)
            for address, parameters in recipients:
                self.assertEqual(smtp.rcpt(address, parameters)[0], 250)
            self.assertEqual(smtp.data(message.encode())[0], 250)

    def report(self, number, seconds=30):
        """The DSN about message NUMBER, taken apart; waits for it."""
        def about(transaction):
            return f"n+{number}\r\n".encode() in transaction["data"]
        transaction = self.wait(f"a DSN about {number}", lambda: self.home.found(about), seconds)[0]
        self.assertEqual(transaction["mail"].split(" ")[1], "FROM:<>")
        self.assertIn("NOTIFY=NEVER", transaction["rcpt"][0])
        return transaction, email.message_from_bytes(transaction["data"], policy=email.policy.SMTPUTF8)

    @staticmethod
    def groups(dsn, transaction):
        """The field groups of the delivery-status part. Python knows none but message/delivery-status, and takes others for messages."""
        delimiter = f"--{dsn.get_boundary()}\r\n".encode()
        text = transaction["data"].split(delimiter)[2].decode().split("\r\n\r\n", 1)[1]
        return [{name.lower(): str(value) for name, value in email.message_from_string(block, policy=email.policy.SMTPUTF8).items()}
                for block in text.strip().split("\r\n\r\n")]

    def check(self, number, kind, utf8, recipient, original, full, status, said=None, ascii_form=None):
        transaction, dsn = self.report(number)
        self.assertEqual(dsn.defects, [])
        kind_of = "global-delivery-status" if utf8 else "delivery-status"
        self.assertEqual((dsn.get_content_type(), dsn.get_param("report-type"), dsn["Auto-Submitted"]), ("multipart/report", kind_of, "auto-replied"))
        self.assertEqual(dsn["In-Reply-To"], f"<m{number}@home.test>")
        self.assertEqual("SMTPUTF8" in transaction["mail"], utf8)
        if not utf8:
            self.assertTrue(transaction["data"].isascii())
        words, report, returned = dsn.get_payload()
        self.assertEqual(words.get_content_type(), "text/plain")
        text = re.sub(r"\s+", " ", words.get_content())
        self.assertIn(f"<{recipient if utf8 else ascii_form or recipient}>:", text)
        if said:
            self.assertIn(said, text)
        self.assertEqual(report.get_content_type(), f"message/{kind_of}")
        message, fields = self.groups(dsn, transaction)
        self.assertEqual(message["original-envelope-id"], f"n+{number}")
        self.assertEqual(message["reporting-mta"], "dns; mx.a.test")
        self.assertIsNotNone(email.utils.parsedate_to_datetime(message["arrival-date"]))
        ascii_address = recipient.isascii()
        shown = recipient if utf8 or ascii_address else ascii_form
        self.assertEqual(fields["final-recipient"], f"{'rfc822' if ascii_address else 'utf-8'}; {shown}")
        self.assertEqual(fields.get("original-recipient"), original)
        self.assertEqual((fields["action"], fields["status"]), (kind, status))
        self.assertIsNotNone(email.utils.parsedate_to_datetime(fields["last-attempt-date"]))
        self.assertIn(fields["final-log-id"], text if kind == "failed" else fields["final-log-id"])
        if kind in ("failed", "delayed", "relayed"):
            self.assertRegex(fields["remote-mta"], r"^dns; \[?127\.0\.0\.1\]?$")
            self.assertTrue(fields["diagnostic-code"].startswith("smtp; "), fields["diagnostic-code"])
        self.assertEqual("will-retry-until" in fields, kind == "delayed")
        form = ("message/global" if utf8 else "message/rfc822") if full else ("message/global-headers" if utf8 else "text/rfc822-headers")
        self.assertEqual(returned.get_content_type(), form)
        raw = transaction["data"].decode()
        self.assertEqual("this is the body" in raw, full)
        self.assertIn(f"Subject: {'Grüße' if utf8 else 'greetings'}", raw)
        return fields, text

    def read_by_others(self, number, kind, utf8, recipient, original, full, status):
        """What MIME-tools, BounceParser and Mailman's detectors make of the DSN about NUMBER is what Python does."""
        transaction, dsn = self.report(number)
        done = subprocess.run(["perl", f"{gk.ROOT}/tests/bed/dsn_reader.pl"], input=transaction["data"], capture_output=True, timeout=60, check=True)
        read = json.loads(done.stdout)
        form = "global-delivery-status" if utf8 else "delivery-status"
        returned = ("message/global" if utf8 else "message/rfc822") if full else ("message/global-headers" if utf8 else "text/rfc822-headers")
        self.assertEqual((read["type"], read["report_type"], read["parts"]), ("multipart/report", form, ["text/plain", f"message/{form}", returned]))
        self.assertEqual(read["groups"], [{name: re.sub(r"\s+", " ", value) for name, value in group.items()} for group in self.groups(dsn, transaction)])
        message, fields = read["groups"]
        self.assertEqual((message["original-envelope-id"], fields["action"], fields["status"]), (f"n+{number}", kind, status))
        self.assertEqual((fields["original-recipient"], fields["final-recipient"].split("; ")[1]), (original, recipient))
        if utf8:
            return  # BounceParser and Mailman know RFC 3464 alone
        self.assertEqual(read["original"], f"<m{number}@home.test>")
        if kind == "failed":
            self.assertEqual([(each["action"], each["status"]) for each in read["bounced"]], [(kind, status)])
            self.assertEqual([each["email"] for each in read["bounced"]], [original.split("; ")[1]])
        temporary, permanent = all_detected(transaction["data"])
        wanted = {original.split("; ")[1].encode()}
        self.assertEqual((temporary, permanent), (wanted if kind == "delayed" else set(), wanted if kind == "failed" else set()))

    def test_every_kind_in_ascii_and_utf8_for_every_ret(self):
        number, wanted = 100, []
        kinds = (("failed", ("no@far.test", "nö@far.test"), "FAILURE", "5.1.1"), ("delayed", ("later@far.test", "spät@far.test"), "DELAY", "4.2.1"),
                 ("delivered", ("carl@a.test", "carl@a.test"), "SUCCESS", "2.0.0"), ("relayed", ("ok@plain.test", "öl@plain.test"), "SUCCESS,FAILURE", "2.0.0"),
                 ("expanded", ("team@a.test", "team@a.test"), "SUCCESS", "2.0.0"))
        for kind, addresses, notify, status in kinds:
            for utf8 in (False, True):
                for ret in (None, "FULL", "HDRS"):
                    number += 1
                    recipient = addresses[utf8]
                    coded = "".join(c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in recipient)
                    orcpt = f"utf-8;old-{coded}" if utf8 else f"rfc822;old+2B{recipient}"
                    original = f"utf-8; old-{recipient}" if utf8 else f"rfc822; old+{recipient}"
                    self.send(number, [(recipient, [f"NOTIFY={notify}", f"ORCPT={orcpt}"])], utf8, ret)
                    # RFC 3461, 4.3: RET speaks of failures.
                    wanted.append((number, kind, utf8, recipient, original, kind == "failed" and ret != "HDRS", status))
        for each in wanted:
            with self.subTest(number=each[0], kind=each[1], utf8=each[2]):
                self.check(*each)
                self.read_by_others(*each)

    def test_a_failure_says_what_the_peer_said_and_what_to_do(self):
        self.send(1, [("no@far.test", []), ("full@far.test", [])], False)
        transaction, dsn = self.report(1)
        text = re.sub(r"\s+", " ", dsn.get_payload()[0].get_content())
        for part in ("<no@far.test>: 127.0.0.1", "answered 550 5.1.1 nobody of that name, sorry Nobody has this address. Check it for typing errors",
                     "552 5.2.2 mailbox full The mailbox is full.", "If you need help, ask postmaster@mx.a.test and name "):
            self.assertIn(part.split(" ", 1)[1] if part.startswith("<no@") else part, text)
        _, first, second = self.groups(dsn, transaction)
        self.assertEqual({first["final-recipient"], second["final-recipient"]}, {"rfc822; no@far.test", "rfc822; full@far.test"})

    def test_utf8_in_a_report_to_an_ascii_sender_is_in_seven_bits(self):
        with self.smtp() as smtp:
            smtp.command_encoding = "utf-8"
            smtp.ehlo("client.test")
            smtp.mail("ann@home.test", ["SMTPUTF8", "ENVID=n+2B2", "RET=HDRS"])
            smtp.rcpt("nö@far.test", ["ORCPT=utf-8;nö@far.test"])
            smtp.data("From: <ann@home.test>\r\nSubject: Grüße\r\nMessage-ID: <m2@home.test>\r\n\r\nthis is the body\r\n".encode())
        transaction, dsn = self.report(2)
        _, report, returned = dsn.get_payload()
        fields = self.groups(dsn, transaction)[1]
        self.assertEqual(report.get_content_type(), "message/delivery-status")
        self.assertEqual((fields["final-recipient"], fields["original-recipient"]), ("utf-8; n\\x{F6}@far.test",) * 2)
        self.assertEqual(returned.get_content_type(), "message/global-headers")

    def test_a_large_message_comes_back_as_its_header(self):
        self.send(3, [("no@far.test", [])], False, size=30000)
        _, dsn = self.report(3)
        self.assertEqual(dsn.get_payload()[2].get_content_type(), "text/rfc822-headers")

    def test_who_wants_to_hear_nothing_hears_nothing(self):
        self.send(4, [("no@far.test", ["NOTIFY=NEVER"]), ("ok@plain.test", []), ("ok@far.test", ["NOTIFY=SUCCESS"]), ("carl@a.test", ["NOTIFY=FAILURE"])], False)
        self.wait("the messages", lambda: self.far.found(lambda t: "NOTIFY=SUCCESS" in str(t["rcpt"])) and self.plain.found(lambda t: b"<m4@" in t["data"]))
        sent = self.far.found(lambda t: b"<m4@" in t["data"])[0]
        # The next server knows DSN: it reports, by what was asked of us (RFC 3461, 5.2.1).
        self.assertIn("ENVID=n+2B4", sent["mail"])
        self.wait("an end", lambda: [e for e in self.gk.events("queue.done") if e["id"]])
        self.assertEqual(self.home.found(lambda t: b"n+4\r\n" in t["data"]), [])

    def test_an_alias_to_one_leaves_the_report_to_the_next_server(self):
        self.send(5, [("out@a.test", ["NOTIFY=SUCCESS"])], False)
        fields, _ = self.check(5, "relayed", False, "ok@plain.test", "rfc822; out@a.test", False, "2.0.0")
        self.assertEqual(len(self.home.found(lambda t: b"n+5\r\n" in t["data"])), 1)
        self.assertEqual(fields["action"], "relayed")

    def test_an_alias_to_many_asks_its_members_for_no_success(self):
        self.send(6, [("team@a.test", ["NOTIFY=SUCCESS,DELAY"])], False)
        self.check(6, "expanded", False, "team@a.test", None, False, "2.0.0")
        sent = self.wait("the copy", lambda: self.far.found(lambda t: b"<m6@" in t["data"]))[0]
        self.assertIn("NOTIFY=DELAY ORCPT=rfc822;team@a.test", sent["rcpt"][0])

    def test_a_failed_dsn_is_dropped(self):
        with self.smtp() as smtp:
            smtp.ehlo("client.test")
            smtp.mail("", [])
            smtp.rcpt("no@far.test", [])
            smtp.data(b"Subject: null\r\nMessage-ID: <m7@home.test>\r\n\r\nx\r\n")
        self.wait("the failure", lambda: [e for e in self.gk.events("queue.failed") if e["recipient"] == "no@far.test"])
        self.assertEqual(self.home.found(lambda t: b"<m7@" in t["data"]), [])

    def test_a_report_that_comes_back_is_tied_to_what_was_sent(self):
        submit(self, "<back@a.test>")
        sent = self.wait("the message", lambda: self.far.found(lambda t: b"<back@a.test>" in t["data"]))[0]
        envid = re.search(r"ENVID=(\S+)", sent["mail"])[1]
        for name, message_id in ((envid, "<x@y>"), ("foreign", "<back@a.test>")):
            before = len(self.gk.events("queue.bounce_received"))
            self.assertEqual(foreign_report(self, name, message_id)[0], 250)
            self.wait("the event", lambda n=before: len(self.gk.events("queue.bounce_received")) > n)
            event = self.gk.events("queue.bounce_received")[-1]
            self.assertEqual((event["queue"], event["recipient"], event["account"], event["status"]), (envid, "ok@far.test", "ann@a.test", "5.2.2"))
        row, = [json.loads(line) for line in gk.run("gk-queue", "bounces", "--json", "--root", self.gk.root).splitlines()]
        self.assertEqual((row["id"], row["action"], row["text"], row["mta"], row["message_id"]), (envid, "failed", "552 5.2.2 full", "mx.far.test", "<back@a.test>"))

    def test_a_report_about_what_nobody_sent_is_called_unknown(self):
        self.assertEqual(foreign_report(self, "nothing", "<never@a.test>")[0], 250)
        self.wait("the event", lambda: self.gk.events("queue.bounce_unknown"))


class KnownReports(case.Case):
    UP_OPTIONS = ONLY

    @classmethod
    def setUpClass(cls):
        cls.far = Peer(["DSN"])
        cls.SETTINGS = f"""[delivery]
bounces = "known"
[queue.routes]
"far.test" = "127.0.0.1:{cls.far.port}"
"""
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.far.close()

    def test_a_report_about_what_was_never_sent_is_refused(self):
        submit(self, "<mine@a.test>")
        self.wait("the message", lambda: self.far.found(lambda t: b"<mine@" in t["data"]))
        code, text = foreign_report(self, "x", "<forged@a.test>")
        self.assertEqual((code, text[:5]), (550, b"5.7.1"))
        self.assertEqual(foreign_report(self, "x", "<mine@a.test>")[0], 250)
        # What is no report comes in from the null reverse-path as ever.
        self.deliver(b"Subject: I am away\r\n\r\nx\r\n", sender="<>")
        self.assertEqual(len(self.gk.files("ann@a.test")), 2)


if __name__ == "__main__":
    unittest.main()
