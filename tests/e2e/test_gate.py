#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Mail from outside as gk-smtpd judges it: a name server of the test answers, and a PROXY header says where clients are."""
# alone: bounds how long a message waits
import json
import os
import shutil
import signal
import smtplib
import socket
import struct
import tempfile
import time
import unittest

from bed import gk
from bed.case import TLS, Case
from bed.nameserver import NameServer

ZONE = """\
good.test             TXT  v=spf1 ip4:192.0.2.1 -all
_dmarc.good.test      TXT  v=DMARC1; p=reject; psd=n; rua=mailto:dmarc@good.test
mx.good.test          A    192.0.2.1
mx.good.test          TXT  v=spf1 a -all
192.0.2.1             PTR  mx.good.test
soft.test             TXT  v=spf1 ip4:192.0.2.1 -all
_dmarc.soft.test      TXT  v=DMARC1; p=quarantine; psd=n; rua=mailto:dmarc@soft.test
watched.test          TXT  v=spf1 -all
_dmarc.watched.test   TXT  v=DMARC1; p=reject; psd=n
nomail.test           TXT  v=spf1 -all
down.test             TXT  TEMPFAIL
_dmarc.down.test      TXT  TEMPFAIL
mx.list.test          A    192.0.2.7
192.0.2.7             PTR  mx.list.test
"""
OURS, STRANGER, LIST = "192.0.2.1", "203.0.113.9", "192.0.2.7"


class ProxiedSmtp(smtplib.SMTP):
    """Comes from IP, by a PROXY protocol header."""

    def __init__(self, port, ip, helo):
        self.ip = ip
        super().__init__("127.0.0.1", port, local_hostname=helo, timeout=30)

    def _get_socket(self, host, port, timeout):
        made = socket.create_connection((host, port), timeout)
        made.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", 12) + socket.inet_aton(self.ip) + socket.inet_aton("127.0.0.1")
                     + struct.pack(">HH", 40000, port))
        return made


def message(domain, extra="", body="How are you?"):
    return f"{extra}From: Ann <ann@{domain}>\r\nTo: ann@a.test\r\nSubject: Hello\r\nMessage-ID: <{time.monotonic_ns()}@{domain}>\r\n\r\n{body}\r\n"


class Gate(Case):
    @classmethod
    def setUpClass(cls):
        far = gk.free_port_base()
        cls.far = gk.Instance("mx.far.test", {"far.test": ["carl"]}, port_base=far)
        cls.keys = tempfile.mkdtemp(prefix="gk-keys-")
        records = ""
        for domain in ("good.test", "list.test"):
            gk.run("gk-dkim", "genkey", domain, "--active", "--root", cls.keys)
            for line in gk.run("gk-dkim", "dns", domain, "--json", "--root", cls.keys).splitlines():
                record = json.loads(line)
                records += f"{record['name'].rstrip('.')} {record['type']} {record['value']}\n"
        cls.zone = ZONE + records
        cls.dns = NameServer(cls.zone)
        cls.dns.__enter__()
        cls.SETTINGS = f"""
[dns]
resolver = ["127.0.0.1@{cls.dns.port}"]
timeout = "2s"
[smtp]
proxy_listeners = ["smtp"]
authentication_time = "3s"
authserv_own_ids = ["old.a.test"]
[smtp.authentication_domains]
"watched.test" = "observe"
[arc]
trusted_sealers = ["list.test"]
[reports]
sender = "reports@a.test"
[queue.routes]
"far.test" = "127.0.0.1:{far + gk.PORTS["smtp"]}"
"""
        super().setUpClass()
        gk.run("gk-alias", "add", "away@a.test", "carl@far.test", "--root", cls.gk.root)
        gk.run("gk-dkim", "genkey", "a.test", "--active", "--root", cls.gk.root)
        for line in gk.run("gk-dkim", "dns", "a.test", "--json", "--root", cls.gk.root).splitlines():
            record = json.loads(line)
            cls.zone += f"{record['name'].rstrip('.')} {record['type']} {record['value']}\n"
        cls.dns.set(cls.zone)
        cls.far.start()

    @classmethod
    def tearDownClass(cls):
        cls.far.stop()
        shutil.rmtree(cls.far.root, ignore_errors=True)
        super().tearDownClass()
        cls.dns.__exit__()
        shutil.rmtree(cls.keys, ignore_errors=True)

    def setUp(self):
        self.before = {name: set(self.gk.files("ann@a.test", name)) for name in ("INBOX", "Junk")}
        self.seen = len(self.gk.events("message.authenticated"))

    def send(self, text, ip=OURS, sender="ann@good.test", helo="mx.good.test", to="ann@a.test"):
        with ProxiedSmtp(self.gk.port("smtp"), ip, helo) as smtp:
            smtp.sendmail(sender, [to], text.encode())

    def refused(self, *words, **options):
        with self.assertRaises(smtplib.SMTPDataError) as caught:
            self.send(*words, **options)
        return caught.exception.smtp_code, caught.exception.smtp_error.decode()

    def arrived(self, mailbox="INBOX"):
        """The one message that came since the test began."""
        new, = set(self.gk.files("ann@a.test", mailbox)) - self.before[mailbox]
        return gk.contents(new).decode()

    def event(self):
        event, = self.gk.events("message.authenticated")[self.seen:]
        return event

    def signed(self, text, domain="good.test"):
        return gk.run("gk-dkim", "sign", "-d", domain, "--root", self.keys, stdin=text.replace("\r\n", "\n")).replace("\n", "\r\n")

    def observations(self):
        folder = f"{self.gk.root}/spool/reports"
        lines = b"".join(gk.contents(f"{folder}/{name}") for name in sorted(os.listdir(folder))) if os.path.isdir(folder) else b""
        return [json.loads(line) for line in lines.splitlines()]

    def test_authentic_mail_arrives_with_one_field_above_received(self):
        self.send(self.signed(message("good.test")))
        text = self.arrived()
        self.assertEqual(text.count("Authentication-Results:"), 1)
        self.assertLess(text.index("Authentication-Results: mx.a.test;"), text.index("Received:"))
        results = [json.loads(line) for line in gk.run("gk-authres", "parse", "--json", stdin=text).splitlines()]
        self.assertEqual([(each["method"], each["result"]) for each in results],
                         [("iprev", "pass"), ("spf", "pass"), ("spf", "pass"), ("dkim", "pass"), ("dkim", "pass"), ("dmarc", "pass")])
        event = self.event()
        self.assertEqual((event["dmarc"], event["spf"], event["outcome"]), ("pass", "pass", "accept"))
        seen = self.observations()[-1]
        self.assertEqual((seen["header_from"], seen["disposition"], seen["envelope_to"]), ("good.test", "pass", "a.test"))

    def test_whose_mail_was_authentic_is_remembered_for_greylisting(self):
        self.send(self.signed(message("good.test")))
        known = [line for line in gk.run("gk-gate", "list", "--root", self.gk.root).splitlines() if "authentic" in line]
        self.assertEqual({line.split("\t")[0] for line in known}, {"192.0.2.0/24"})
        self.assertEqual({line.split("\t")[2] for line in known}, {"good.test", "mx.good.test"})

    def test_reports_are_told_from_other_mail_where_they_are_authentic(self):
        report = "TLS-Report-Domain: good.test\r\n"
        self.send(self.signed(message("good.test", report)))
        self.assertTrue(self.observations()[-1].get("is_report"))
        self.refused(message("good.test", report), ip=STRANGER, sender="x@evil.test", helo="evil.test")
        self.assertEqual(self.observations()[-1]["disposition"], "reject")
        self.assertNotIn("is_report", self.observations()[-1])

    def test_a_large_message_is_verified_while_it_streams(self):
        self.send(self.signed(message("good.test", body="line of text\r\n" * 800_000)))
        self.assertIn("dkim=pass", self.arrived()[:4000])
        with open(f"/proc/{self.gk.pids('gk-smtpd')[0]}/status", encoding="ascii") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        self.assertLess(peak, 64 * 1024)  # kB; the message has 11 MB

    def test_forged_mail_is_refused_with_domain_and_reason(self):
        code, said = self.refused(message("good.test"), ip=STRANGER, sender="x@evil.test", helo="evil.test")
        self.assertEqual(code, 550)
        self.assertIn("5.7.1", said)
        self.assertIn("neither SPF nor DKIM passes for good.test", said)
        self.assertEqual(set(self.gk.files("ann@a.test")), self.before["INBOX"])
        self.assertEqual(self.event()["outcome"], "reject")
        self.assertEqual(self.observations()[-1]["disposition"], "reject")

    def test_quarantined_mail_goes_to_junk(self):
        self.send(message("soft.test"), ip=STRANGER, sender="x@evil.test", helo="evil.test")
        text = self.arrived("Junk")
        self.assertIn("X-GK-Quarantine: dmarc=fail soft.test", text)
        self.assertIn("dmarc=fail", text)
        self.assertEqual(self.observations()[-1]["disposition"], "quarantine")

    def test_nobody_else_sends_mail_to_junk_or_speaks_in_our_name(self):
        forged = ("X-GK-Quarantine: dmarc=fail\r\nAuthentication-Results: mx.a.test; dmarc=pass\r\n"
                  "authentication-results :\r\n (c) \"OLD.a.test.\" 1; spf=pass\r\n"
                  "Authentication-Results: mx.b.test; spf=pass\r\n smtp.mailfrom=b.test\r\n")
        self.send(message("good.test", extra=forged))
        text = self.arrived()
        self.assertNotIn("X-GK-Quarantine", text)
        self.assertEqual(text.lower().count("authentication-results"), 2)
        self.assertIn("mx.b.test; spf=pass", text)
        self.assertEqual(text.count("mx.a.test;"), 1)

    def test_a_trusted_list_may_change_what_it_passes_on(self):
        text = self.signed(message("good.test")).replace("How are you?", "How are you?\r\n-- \r\nthe list")
        sealed = gk.run("gk-arc", "seal", "-d", "list.test", "--root", self.keys, "-r", "list.test; dmarc=pass header.from=good.test",
                        "--server", f"127.0.0.1@{self.dns.port}", stdin=text.replace("\r\n", "\n")).replace("\n", "\r\n")
        self.send(sealed, ip=LIST, sender="bounce@list.test", helo="mx.list.test")
        self.assertIn("arc=pass", self.arrived())
        event = self.event()
        self.assertEqual((event["dmarc"], event["outcome"]), ("fail", "accept"))
        self.assertIn("arc=pass", event["overrides"])
        self.assertEqual(self.observations()[-1]["disposition"], "none")
        # Without the seal the same message is a forgery.
        self.assertEqual(self.refused(text, ip=LIST, sender="bounce@list.test", helo="mx.list.test")[0], 550)

    def passed_on(self, text, **options):
        """What arrives at far.test of a message to the alias, and what gk-arc says of it there."""
        before = set(self.far.files("carl@far.test"))
        self.send(text, to="away@a.test", **options)
        new = gk.wait_for("carl's message", lambda: set(self.far.files("carl@far.test")) - before, 20)
        found = gk.contents(new.pop()).decode()
        said = gk.run("gk-arc", "verify", "--json", "--server", f"127.0.0.1@{self.dns.port}", stdin=found, code=None)
        return found, [json.loads(line) for line in said.splitlines()]

    def test_what_an_alias_passes_on_is_sealed(self):
        found, chain = self.passed_on(self.signed(message("good.test")))
        self.assertEqual((chain[0]["result"], chain[0]["instance"], chain[0]["domain"]), ("pass", 1, "a.test"), chain)
        self.assertIn("ARC-Authentication-Results: i=1; mx.a.test;", found)
        self.assertIn("dmarc=pass", chain[1]["reason"])
        # A chain that came with the message goes on.
        text = self.signed(message("good.test")).replace("How are you?", "How are you?\r\n-- \r\nthe list")
        sealed = gk.run("gk-arc", "seal", "-d", "list.test", "--root", self.keys, "-r", "list.test; dmarc=pass header.from=good.test",
                        "--server", f"127.0.0.1@{self.dns.port}", stdin=text.replace("\r\n", "\n")).replace("\n", "\r\n")
        _, chain = self.passed_on(sealed, ip=LIST, sender="bounce@list.test", helo="mx.list.test")
        self.assertEqual((chain[0]["result"], chain[0]["instance"]), ("pass", 2), chain)

    def test_what_was_not_checked_is_not_sealed(self):
        found, chain = self.passed_on(message("good.test"), ip="127.0.0.1")
        self.assertEqual(chain[0]["result"], "none")
        self.assertNotIn("ARC-Seal", found)

    def test_a_watched_domain_is_only_written_down(self):
        self.send(message("watched.test"), ip=STRANGER, sender="x@evil.test", helo="evil.test")
        self.assertIn("dmarc=fail", self.arrived())
        self.assertIn("observe: would be reject", self.event()["reason"])

    def test_a_domain_that_sends_no_mail_sends_none(self):
        code, said = self.refused(message("none.test"), ip=STRANGER, sender="x@nomail.test", helo="evil.test")
        self.assertEqual(code, 550)
        self.assertIn("SPF does not permit this client to send for nomail.test", said)

    def test_what_dns_does_not_tell_is_accepted_and_says_so(self):
        self.send(message("down.test"), ip=STRANGER, sender="x@down.test", helo="evil.test")
        text = self.arrived()
        self.assertIn("dmarc=temperror", text)
        self.assertIn("spf=temperror", text)

    def test_a_silent_name_server_costs_no_more_than_its_time(self):
        self.dns.silent = True
        begun = time.monotonic()
        try:
            self.send(message("silent.test"), ip="203.0.113.77", sender="x@silent.test", helo="silent.test")
        finally:
            self.dns.silent = False
        self.assertLess(time.monotonic() - begun, 9)
        self.assertIn("dmarc=temperror", self.arrived())

    def test_our_own_users_cannot_speak_in_our_name_either(self):
        with smtplib.SMTP("127.0.0.1", self.gk.port("submission"), timeout=30) as smtp:
            smtp.starttls(context=TLS)
            smtp.login("ann@a.test", self.gk.PASSWORD)
            smtp.sendmail("ann@a.test", ["ann@a.test"], message("a.test", extra="Authentication-Results: mx.a.test; dmarc=pass\r\nX-GK-Quarantine: x\r\n"))
        text = self.arrived()
        self.assertNotIn("Authentication-Results", text)
        self.assertNotIn("X-GK-Quarantine", text)

    def test_switched_off_by_a_reload_it_lets_everything_pass(self):
        path = f"{self.gk.root}/gk.toml.d/60-off.toml"

        def reload():
            reloads = len(self.gk.events("daemon.reloaded"))
            os.kill(self.gk.pids("gk-smtpd")[0], signal.SIGHUP)
            gk.wait_for("the reload", lambda: len(self.gk.events("daemon.reloaded")) > reloads)
        with open(path, "w", encoding="ascii") as file:
            file.write('[smtp]\nauthentication = "off"\n')
        try:
            reload()
            self.send(message("good.test"), ip=STRANGER, sender="x@evil.test", helo="evil.test")
            self.assertNotIn("Authentication-Results", self.arrived())
        finally:
            os.unlink(path)
            reload()
        self.assertEqual(self.refused(message("good.test"), ip=STRANGER, sender="x@evil.test", helo="evil.test")[0], 550)

    def test_loopback_clients_cost_no_question_to_dns(self):
        asked = len(self.dns.asked)
        self.send(message("good.test"), ip="127.0.0.1", sender="x@evil.test")
        self.assertEqual(len(self.dns.asked), asked)
        self.assertNotIn("Authentication-Results", self.arrived())
        self.assertEqual(len(self.gk.events("message.authenticated")), self.seen)

    def test_the_command_says_what_the_daemon_did(self):
        words = ["gk-authres", "check", "--json", "--server", f"127.0.0.1@{self.dns.port}", "--root", self.gk.root]
        said = gk.run(*words, "--ip", STRANGER, "--helo", "evil.test", "--from", "x@evil.test", stdin=message("good.test"), code=1)
        lines = [json.loads(line) for line in said.splitlines()]
        self.assertEqual(lines[-2]["check"], "gate")
        self.assertEqual(lines[-2]["result"], "reject")
        self.assertIn("dmarc=fail", lines[-1]["field"])
        said = gk.run(*words, "--ip", OURS, "--helo", "mx.good.test", "--from", "ann@good.test", stdin=message("good.test"))
        self.assertEqual(json.loads(said.splitlines()[-2])["result"], "accept")


if __name__ == "__main__":
    unittest.main()
