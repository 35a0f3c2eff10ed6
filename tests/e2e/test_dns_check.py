#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# timeout: 600
"""gk-dns-check against Knot: nothing wrong in the healthy zone, every seeded fault found, and mended by --fix."""
import collections
import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import tomllib
import unittest

from bed import gk, knot

HOST, ADDRESSES = "mx.good.test", ("192.0.2.1", "2001:db8::1")
ZONES = {"test": True, "good.test": True, "other.test": False, "plain.test": False, "parked.test": False,
         "2.0.192.in-addr.arpa": False, "8.b.d.0.1.0.0.2.ip6.arpa": False}
# What others have, and what no gk-dns-check could know.
POLICY = f"version: STSv1\nmode: enforce\nmx: {HOST}\nmax_age: 604800\n"
WORLD = ["mta-sts.good.test A 127.0.0.1", "_mta-sts.good.test TXT v=STSv1; id=20261128;", "mx.other.test A 198.51.100.1", "spf.other.test TXT v=spf1 ip4:198.51.100.0/24 -all", 'good.test CAA 0 issue "letsencrypt.org"']
FAULTS = f"{gk.ROOT}/tests/data/dnscheck/faults.toml"


def make_certificates(folder):
    """mx for HOST, renewed for it with another key, other for another name: all by an authority that CAA knows."""
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/O=Let's Encrypt/CN=test root", "-days", "2")
    for name, names in (("mx", [HOST]), ("renewed", [HOST]), ("other", ["www.other.test"]), ("web", ["mta-sts.good.test"])):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={names[0]}")
        with open(f"{folder}/ext", "w", encoding="ascii") as file:
            file.write("subjectAltName=" + ",".join(f"DNS:{each}" for each in names) + "\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.crt", "-days", "1",
                "-extfile", "ext")


class Server:
    """What our side shows to the world: port 25 as far as TLS, and the policy over HTTPS. Each dialogue in a thread."""

    def __init__(self, folder):
        self.folder = folder
        self.reset()
        self.smtp, self.web = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        for listener, talk in ((self.smtp, self.greet), (self.web, self.serve)):
            threading.Thread(target=self.accept, args=(listener, talk), daemon=True).start()

    def reset(self):
        self.policy, self.certificate, self.greeting = POLICY, "mx", HOST

    def close(self):
        for listener in (self.smtp, self.web):
            listener.close()

    def accept(self, listener, talk):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.dialogue, args=(peer, talk), daemon=True).start()

    def dialogue(self, peer, talk):
        peer.settimeout(10)
        with peer, contextlib.suppress(OSError):
            talk(peer)

    def tls(self, peer, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{self.folder}/{name}.crt", f"{self.folder}/{name}.key")
        return context.wrap_socket(peer, server_side=True)

    def greet(self, peer):
        peer.sendall(f"220 {self.greeting} ESMTP\r\n".encode())
        peer.recv(1000)
        peer.sendall(f"250-{self.greeting}\r\n250 STARTTLS\r\n".encode())
        peer.recv(1000)
        peer.sendall(b"220 2.0.0 go ahead\r\n")
        with self.tls(peer, self.certificate) as secure:
            secure.recv(1000)

    def serve(self, peer):
        with self.tls(peer, "web") as secure:
            asked = secure.recv(10000).split(b"\r\n")[0]
            found = asked == b"GET /.well-known/mta-sts.txt HTTP/1.1" and self.policy
            secure.sendall(f"HTTP/1.1 {'200 OK' if found else '404 Not Found'}\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                           f"Content-Length: {len(self.policy)}\r\n\r\n{self.policy}".encode())


@unittest.skipUnless(knot.installed(), "knot and knot-dnsutils are not installed")
class DnsCheck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gk-dns-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.dns = cls.enterClassContext(knot.NameServer(ZONES))
        cls.root = f"{cls.folder}/root"
        make_certificates(cls.folder)
        cls.server = Server(cls.folder)
        cls.addClassCleanup(cls.server.close)
        gk.run("gk-config", "init", "--root", cls.root, "--hostname", HOST)
        server = f"127.0.0.1@{cls.dns.port}"
        os.makedirs(f"{cls.root}/gk.toml.d", exist_ok=True)
        with open(f"{cls.folder}/anchor", "w", encoding="ascii") as file:
            file.write(f"test. DS {cls.dns.ds('test')}\n")
        with open(f"{cls.root}/gk.toml.d/50-test.toml", "w", encoding="utf-8") as file:
            stubs = "\n".join(f'"{zone}" = "{server}"' for zone in ZONES if zone == "test" or zone.endswith("arpa"))
            file.write(f"""[server]
public_addresses = ["{'", "'.join(ADDRESSES)}"]
[tls]
certificate = "{cls.folder}/mx.crt"
key = "{cls.folder}/mx.key"
[dns]
timeout = "5s"
trust_anchor_file = "{cls.folder}/anchor"
[dns.stubs]
{stubs}
""")
        for domain in ("good.test", "plain.test"):
            gk.run("gk-domain", "add", domain, "--root", cls.root)
            gk.run("gk-dkim", "genkey", domain, "--active", "--root", cls.root)
        gk.run("gk-dkim", "genkey", "good.test", "-a", "rsa", "--root", cls.root)
        cls.dns.edit(add=[knot.Record.parse(line) for line in WORLD])
        cls.names = cls.key_names()
        cls.publish()

    @classmethod
    def key_names(cls):
        names = {"host": HOST}
        for line in gk.run("gk-dkim", "list", "good.test", "--json", "--root", cls.root).splitlines():
            key = json.loads(line)
            kind = "next" if key["state"] == "published" else key["algorithm"].split("-")[0]
            names[kind] = f"{key['selector']}._domainkey.good.test"
        for line in gk.run("gk-dkim", "dns", "good.test", "--json", "--root", cls.root).splitlines():
            record = json.loads(line)
            names |= {f"{kind}_key": record["value"] for kind in ("rsa", "next") if names[kind] == record["name"]}
        names["other_key"] = names["next_key"]
        return names

    @classmethod
    def publish(cls):
        """From zones with an SOA alone to healthy ones, by what --zone says."""
        for domain, options in (("good.test", ()), ("plain.test", ()), ("parked.test", ("--no-mail",))):
            lines = cls.call(domain, "--zone", *options, code=None).splitlines()
            records = []
            for line in lines:
                name, _, _, kind, data = line.split(None, 4)
                records.append(knot.Record(name, kind, knot.unquoted(data) if kind == "TXT" else data))
            cls.dns.edit(add=records)
        cls.healthy = cls.dns.read_all()

    @classmethod
    def call(cls, *words, code=0):
        return gk.run("gk-dns-check", *cls.common(), *words, code=code)

    @classmethod
    def common(cls):
        return ["--root", cls.root, "--smtp-at", f"127.0.0.1@{cls.server.smtp.getsockname()[1]}", "--ca-file", f"{cls.folder}/ca.crt",
                "--https-port", str(cls.server.web.getsockname()[1])]

    def findings(self, domain, *options, code=None):
        return [json.loads(line)["id"] for line in self.call(domain, "--json", *options, code=code).splitlines()]

    def filled(self, lines):
        return [knot.Record.parse(re.sub(r"\{(\w+)\}", lambda match: self.names[match[1]], line)) for line in lines]

    def test_nothing_is_wrong_in_the_healthy_zone(self):
        self.assertEqual(self.findings("good.test", code=0), [])
        # Nobody has to sign a zone.
        self.assertEqual(self.findings("plain.test", code=0), ["dnssec-none"])
        self.assertEqual(self.findings("parked.test", code=0), ["dnssec-none"])

    def seed(self, fault):
        patterns = self.filled(fault.get("remove", []))
        gone = [record for record in self.healthy if any(record.matches(pattern) for pattern in patterns)]
        for pattern in patterns:
            self.assertTrue(any(record.matches(pattern) for record in gone), f"{pattern.key()} is not in the healthy zone")
        self.dns.edit(gone, self.filled(fault.get("add", [])))
        self.server.reset()
        for side in ("policy", "certificate", "greeting"):
            setattr(self.server, side, fault.get(side, getattr(self.server, side)))

    def test_every_seeded_fault_is_found_and_mended(self):
        with open(FAULTS, "rb") as file:
            faults = tomllib.load(file)["fault"]
        self.assertGreaterEqual(len(faults), 45)
        for fault in faults:
            domain, options = fault.get("domain", "good.test"), fault.get("options", [])
            always = [] if domain == "good.test" else ["dnssec-none"]
            with self.subTest(fault["name"]):
                self.seed(fault)
                try:
                    found = self.findings(domain, *options)
                    expected = collections.Counter(fault["expect"] + always)
                    if "dnssec-ds-unsigned" in expected:
                        expected -= collections.Counter(always)
                    self.assertEqual(collections.Counter(found), expected)
                    if fault.get("mended", True):
                        self.call(domain, "--fix", "--yes", "--key", f"{self.dns.folder}/update.key", "--update-server",
                                  f"127.0.0.1@{self.dns.port}", "--wait", "10s", *options)
                        self.assertEqual(self.findings(domain, *options, code=0), always)
                finally:
                    self.server.reset()
                    self.dns.restore(self.healthy)

    def fix(self, *words, code=0, env=None, key=None):
        """--fix of good.test; what it wrote to both outputs."""
        done = subprocess.run([f"{gk.BIN}/gk-dns-check", *self.common(), "good.test", "--fix", "--wait", "10s",
                               "--update-server", f"127.0.0.1@{self.dns.port}", "--key", key or f"{self.dns.folder}/update.key", *words],
                              capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def break_dmarc(self):
        self.addCleanup(self.dns.restore, self.healthy)
        self.dns.edit(remove=[record for record in self.healthy if record.name == "_dmarc.good.test"])

    def test_nothing_is_sent_without_a_yes(self):
        self.break_dmarc()
        before = [record.key() for record in self.dns.read_all()]
        shown, _ = self.fix("--dry-run", code=1)
        self.assertIn('  + _dmarc.good.test. 3600 IN TXT "v=DMARC1;', shown)
        _, said = self.fix(code=1)
        self.assertIn("nothing was sent; --yes sends without asking", said)
        self.assertEqual([record.key() for record in self.dns.read_all()], before)
        change, = [json.loads(line) for line in self.fix("--dry-run", "--json", code=1)[0].splitlines()]
        self.assertEqual((change["op"], change["zone"], change["name"], change["type"]), ("add", "good.test", "_dmarc.good.test", "TXT"))

    def test_both_update_programs_serve(self):
        folder = tempfile.mkdtemp(dir=self.folder)
        os.symlink(shutil.which("knsupdate"), f"{folder}/nsupdate")
        for path in ([folder] if shutil.which("nsupdate") is None else [folder, os.path.dirname(shutil.which("nsupdate"))]):
            with self.subTest(path):
                self.break_dmarc()
                _, said = self.fix("--yes", env={"PATH": path})
                self.assertIn("1 changes are seen", said)
                self.dns.restore(self.healthy)

    def test_a_key_that_the_server_does_not_know_is_refused_in_words(self):
        self.break_dmarc()
        key = f"{self.folder}/wrong.key"
        with open(key, "w", encoding="ascii") as file:
            file.write('key "gk-test" { algorithm hmac-sha256; secret "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmc="; };\n')
        _, said = self.fix("--yes", key=key, code=75)
        self.assertRegex(said, "zone good.test: k?nsupdate did not update it")
        self.assertNotIn("d3Jvbmcg", said)
        self.assertEqual(self.findings("good.test"), ["dmarc-missing"])

    def test_a_program_in_the_directory_changes_dns(self):
        hooks = f"{self.root}/dns.d"
        os.makedirs(hooks)
        self.addCleanup(shutil.rmtree, hooks)
        shutil.copy(f"{gk.ROOT}/packaging/dns.d/10-knotc", hooks)
        with open(f"{hooks}/KNOT_SOCKET", "w", encoding="ascii") as file:
            file.write(f"{self.dns.folder}/knot.sock\n")
        self.break_dmarc()
        self.dns.edit(remove=[record for record in self.healthy if (record.name, record.type) == ("good.test", "TXT")],
                      add=[knot.Record.parse("good.test TXT v=spf1 +all")])
        self.call("good.test", "--fix", "--yes", "--wait", "10s")
        self.assertEqual(self.findings("good.test", code=0), [])

    def test_what_is_refused_does_not_keep_back_the_rest(self):
        self.break_dmarc()
        self.dns.edit(remove=[record for record in self.healthy if record.type == "PTR" and record.name.startswith("1.2.0.192")])
        hooks = f"{self.folder}/one"
        os.makedirs(hooks)
        with open(f"{hooks}/10-only", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nread -r line\ncase $line in *'\"zone\":\"good.test\"'*) ;; *) exit 69 ;; esac\n"
                       f"printf '%s\\n' \"$line\" | KNOT_SOCKET= {gk.ROOT}/packaging/dns.d/10-knotc\n")
        os.chmod(f"{hooks}/10-only", 0o755)
        done = subprocess.run([f"{gk.BIN}/gk-dns-check", *self.common(), "good.test", "--fix", "--yes", "--wait", "1s", "--hooks", hooks],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 75)
        self.assertIn("zone 2.0.192.in-addr.arpa: no program in", done.stderr)

    def test_signatures_that_do_not_validate_are_one_finding(self):
        path = f"{self.root}/gk.toml.d/60-wrong.toml"
        with open(f"{self.folder}/wrong-anchor", "w", encoding="ascii") as file:
            file.write(f"test. DS {self.dns.ds('good.test')}\n")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'[dns]\ntrust_anchor_file = "{self.folder}/wrong-anchor"\n')
        self.addCleanup(os.unlink, path)
        self.assertEqual(self.findings("good.test", code=1), ["dnssec-bogus"])

    def test_all_domains_of_the_directory_are_checked(self):
        said = [json.loads(line) for line in self.call("--all", "--json", code=0).splitlines()]
        self.assertEqual([(each["domain"], each["id"]) for each in said], [("plain.test", "dnssec-none")])
        self.assertEqual(self.call("--all", "--ignore", "dnssec-none", "--json"), "")
        self.call("--all", "--ignore", "dnssec-never", code=64)

    def test_what_cannot_be_told_is_said(self):
        zone = f"{self.folder}/down.txt"
        with open(zone, "w", encoding="utf-8") as file:
            file.write("new.test TEMPFAIL\n_dmarc.new.test TEMPFAIL\n")
        said = [json.loads(line) for line in self.call("new.test", "--json", "--dns-file", zone, "--host", "mx.new.test", "--ip", "192.0.2.9", code=1).splitlines()]
        self.assertIn("new.test MX", [each["name"] for each in said if each["id"] == "unknown"])

    def test_a_domain_that_says_that_it_has_no_mail_is_believed_unless_it_is_ours(self):
        zone = f"{self.folder}/null.txt"
        with open(zone, "w", encoding="utf-8") as file:
            file.write("null.test MX 0 .\nnull.test TXT v=spf1 -all\n_dmarc.null.test TXT v=DMARC1; p=reject\n")
        self.assertEqual(gk.run("gk-dns-check", "null.test", "--root", "", "--json", "--dns-file", zone), "")
        ours = gk.run("gk-dns-check", "null.test", "--root", "", "--json", "--dns-file", zone, "--ip", "192.0.2.9", code=1)
        self.assertIn("mx-null", [json.loads(line)["id"] for line in ours.splitlines()])

    def test_it_works_before_there_is_anything(self):
        """A name and an address make a zone in which nothing is wrong."""
        def call(zone, *words, code):
            return gk.run("gk-dns-check", "new.test", "--host", "mx.new.test", "--ip", "192.0.2.9", "--root", "", "--no-connect", "--dns-file", zone, *words, code=code)

        lines = call("/dev/null", "--zone", code=1).splitlines()
        zone = f"{self.folder}/new.txt"
        with open(zone, "w", encoding="utf-8") as file:
            for line in lines:
                name, _, _, kind, data = line.split(None, 4)
                file.write(f"{name} {kind} {data}\n")
        self.assertEqual({json.loads(line)["severity"] for line in call(zone, "--json", code=0).splitlines()}, {"advice"})


if __name__ == "__main__":
    unittest.main()
