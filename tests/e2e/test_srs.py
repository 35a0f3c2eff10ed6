#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Forwarding: a report finds its way back over two forwarders, each of which rewrote the sender; postsrsd agrees; a strict sender's mail
is taken by the last for the ARC seals of the others."""
import json
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
import unittest

from bed import gk
from bed.nameserver import NameServer

ZONE = """\
b.test             TXT  v=spf1 ip4:203.0.113.7 -all
_dmarc.b.test      TXT  v=DMARC1; p=reject; psd=n
a.test             TXT  v=spf1 ip4:127.0.0.1 -all
c.test             TXT  v=spf1 ip4:127.0.0.1 -all
strict.test        TXT  v=spf1 ip4:127.0.0.1 -all
_dmarc.strict.test TXT  v=DMARC1; p=reject; psd=n
"""
SETTINGS = """
[dns]
resolver = ["127.0.0.1@{dns}"]
timeout = "2s"
[smtp]
authentication_loopback = true
authentication_time = "3s"
[arc]
trusted_sealers = {trusted}
[queue]
retry_first = "1s"
retry_most = "1s"
[queue.routes]
{routes}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Srs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dns = NameServer(ZONE)
        cls.dns.__enter__()
        bases = dict(zip("acf", (gk.free_port_base() for _ in range(3))))
        ports = {domain: bases[host] + 25 for domain, host in (("a.test", "a"), ("c.test", "c"), ("far.test", "f"), ("b.test", "f"), ("strict.test", "f"))}
        routes = "\n".join(f'"{domain}" = "127.0.0.1:{port}"' for domain, port in ports.items())
        settings = SETTINGS.format(dns=cls.dns.port, routes=routes, trusted='["a.test"]')
        # The senders' own host is the last one too. It trusts c.test alone.
        cls.a = gk.Instance("mx.a.test", {"a.test": ["ann"]}, settings, port_base=bases["a"])
        cls.c = gk.Instance("mx.c.test", {"c.test": ["carl"]}, settings, port_base=bases["c"])
        cls.f = gk.Instance("mx.far.test", {"far.test": ["dan"], "b.test": ["bob"], "strict.test": ["eve"]}, settings.replace('["a.test"]', '["c.test"]'), port_base=bases["f"])
        cls.hosts = (cls.a, cls.c, cls.f)
        for host, domain in ((cls.a, "a.test"), (cls.c, "c.test")):
            gk.run("gk-dkim", "genkey", domain, "--active", "--root", host.root)
        cls.zone = ZONE
        cls.keys = tempfile.mkdtemp(prefix="gk-keys-")
        gk.run("gk-dkim", "genkey", "b.test", "--active", "--root", cls.keys)
        for root, domain in ((cls.a.root, "a.test"), (cls.c.root, "c.test"), (cls.keys, "b.test")):
            for line in gk.run("gk-dkim", "dns", domain, "--json", "--root", root).splitlines():
                record = json.loads(line)
                cls.zone += f"{record['name'].rstrip('.')} {record['type']} {record['value']}\n"
        cls.dns.set(cls.zone)
        for alias, target in (("out@a.test", "on@c.test"), ("lost@a.test", "lost@c.test"), ("near@a.test", "carl@c.test"), ("direct@a.test", "dan@far.test")):
            gk.run("gk-alias", "add", alias, target, "--root", cls.a.root)
        for alias, target in (("on@c.test", "dan@far.test"), ("lost@c.test", "ghost@far.test")):
            gk.run("gk-alias", "add", alias, target, "--root", cls.c.root)
        for host in cls.hosts:
            host.start()

    @classmethod
    def tearDownClass(cls):
        codes = [host.stop() for host in cls.hosts]
        for folder in (cls.keys, *(host.root for host in cls.hosts)):
            shutil.rmtree(folder, ignore_errors=True)
        cls.dns.__exit__()
        if any(codes):
            raise gk.Failed(f"gk-up ended with {codes}")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            for host in self.hosts:
                print(host.logs(15))

    def send(self, to, subject):
        text = f"From: Bob <bob@b.test>\nTo: {to}\nSubject: {subject}\nMessage-ID: <{time.monotonic_ns()}@b.test>\n\nhello\n"
        signed = gk.run("gk-dkim", "sign", "-d", "b.test", "--root", self.keys, stdin=text)
        with smtplib.SMTP("127.0.0.1", self.a.port("smtp"), timeout=30) as smtp:
            smtp.sendmail("bob@b.test", [to], signed.replace("\n", "\r\n").encode())

    def arrived(self, host, address, word):
        def look():
            return next((text for text in (gk.contents(path).decode() for path in host.files(address)) if word in text), None)
        return gk.wait_for(f"{word} at {address}", look, 40)

    def test_a_strict_senders_mail_arrives_over_two_forwarders(self):
        self.send("out@a.test", "token-strict")
        text = self.arrived(self.f, "dan@far.test", "token-strict")
        # The first forwarder's part is kept, and the last one answers for it: SPF passes for c.test.
        path = text.splitlines()[0]
        self.assertRegex(path, r"Return-Path: <SRS1=[A-Z2-7]{6}=a\.test==[A-Z2-7]{6}=[A-Z2-7]{2}=b\.test=bob@c\.test>")
        results = {(each["method"], each["result"]) for each in
                   map(json.loads, gk.run("gk-authres", "parse", "--json", stdin=text).splitlines())}
        self.assertIn(("spf", "pass"), results)
        self.assertIn(("arc", "pass"), results)
        self.assertIn("i=2;", text)

    def send_unsigned(self, to, subject):
        """From a domain whose mail passes by SPF alone, which forwarding breaks."""
        text = f"From: Eve <eve@strict.test>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{time.monotonic_ns()}@strict.test>\r\n\r\nhello\r\n"
        with smtplib.SMTP("127.0.0.1", self.a.port("smtp"), timeout=30) as smtp:
            smtp.sendmail("eve@strict.test", [to], text.encode())

    def test_a_strict_sender_is_accepted_for_the_forwarders_seal(self):
        self.send_unsigned("near@a.test", "token-sealed")
        text = self.arrived(self.c, "carl@c.test", "token-sealed")
        results = {(each["method"], each["result"]) for each in
                   map(json.loads, gk.run("gk-authres", "parse", "--json", stdin=text.split("ARC-Seal:")[0]).splitlines())}
        self.assertIn(("arc", "pass"), results)
        self.assertIn(("dmarc", "fail"), results)
        self.assertIn("Return-Path: <SRS0=", text)

    def test_a_strict_sender_is_refused_where_the_forwarder_is_not_trusted_and_told_so(self):
        self.send_unsigned("direct@a.test", "token-distrust")
        report = self.arrived(self.f, "eve@strict.test", "dan@far.test")
        self.assertIn("5.7.", report)
        self.assertIn("Return-Path: <>", report)

    def test_a_report_comes_back_over_both(self):
        self.send("lost@a.test", "token-lost")
        report = self.arrived(self.f, "bob@b.test", "ghost@far.test")
        self.assertIn("5.1.1", report)
        self.assertIn("Return-Path: <>", report)

    def test_what_is_not_ours_or_too_old_is_refused(self):
        good = gk.run("gk-srs", "forward", "bob@b.test", "--domain", "a.test", "--root", self.a.root).strip()
        self.assertEqual(gk.run("gk-srs", "reverse", good, "--root", self.a.root).strip(), "bob@b.test")
        with smtplib.SMTP("127.0.0.1", self.a.port("smtp"), timeout=30) as smtp:
            smtp.ehlo("mx.far.test")
            smtp.mail("")
            self.assertEqual(smtp.rcpt(good)[0], 250)
            self.assertEqual(smtp.rcpt(good.lower())[0], 250)
            for wrong in (good.replace("bob@", "bad@"), "SRS0=AAAAAA=AA=b.test=bob@a.test", "SRS1=AAAAAA=b.test==x@a.test"):
                code, said = smtp.rcpt(wrong)
                self.assertEqual((code, said.split()[0]), (550, b"5.7.1"), wrong)
        gk.run("gk-srs", "rotate", "--root", self.a.root)
        self.assertEqual(gk.run("gk-srs", "reverse", good, "--root", self.a.root).strip(), "bob@b.test")
        self.assertEqual(len(gk.run("gk-srs", "list", "--root", self.a.root).splitlines()), 2)
        with smtplib.SMTP("127.0.0.1", self.a.port("smtp"), timeout=30) as smtp:
            smtp.ehlo("mx.far.test")
            smtp.mail("")
            self.assertEqual(smtp.rcpt(good)[0], 250)

    @unittest.skipIf(shutil.which("postsrsd") is None, "postsrsd is not installed")
    def test_postsrsd_and_we_pass_each_others_addresses_back(self):
        folder = tempfile.mkdtemp(prefix="gk-postsrsd-")
        with open(f"{folder}/secret", "w", encoding="ascii") as file:
            file.write("0123456789abcdef\n")
        there, back = free_port(), free_port()
        process = subprocess.Popen(["postsrsd", f"-s{folder}/secret", "-dp.test", "-l127.0.0.1", f"-f{there}", f"-r{back}", "-a=", "-n4", "-N4"])
        try:
            def ask(port, address):
                with socket.create_connection(("127.0.0.1", port), 10) as peer:
                    peer.sendall(f"get {address}\n".encode())
                    code, _, said = peer.makefile().readline().strip().partition(" ")
                return said if code == "200" else None
            gk.wait_for("postsrsd", lambda: socket.socket().connect_ex(("127.0.0.1", back)) == 0)
            ours = gk.run("gk-srs", "forward", "bob@b.test", "--domain", "a.test", "--root", self.a.root).strip()
            theirs = ask(there, ours)  # the second forwarder is postsrsd
            self.assertRegex(theirs, r"^SRS1=.*=a\.test=.*@p\.test$")
            self.assertEqual(ask(back, theirs).lower(), ours.lower())
            self.assertEqual(gk.run("gk-srs", "reverse", ask(back, theirs), "--root", self.a.root).strip(), "bob@b.test")
            first = ask(there, "eve@b.test")  # the first is postsrsd
            second = gk.run("gk-srs", "forward", first, "--domain", "a.test", "--root", self.a.root).strip()
            self.assertTrue(second.startswith("SRS1="), second)
            restored = gk.run("gk-srs", "reverse", second, "--root", self.a.root).strip()
            self.assertEqual(restored, first)
            self.assertEqual(ask(back, restored), "eve@b.test")
        finally:
            process.terminate()
            process.wait(10)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main()
