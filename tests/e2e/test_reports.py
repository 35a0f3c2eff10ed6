#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""DMARC and TLS reports from one gk to another: observations of a day, the message in the spool, its XML and JSON as other
programs read them, and the sums that the receiver is shown."""
import datetime
import email
import email.policy
import gzip
import http.server
import io
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree
import zipfile

from bed import gk

YESTERDAY = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
NS = {"d": "urn:ietf:params:xml:ns:dmarc-2.0"}
ZONE = """\
_dmarc.a.test                       TXT  v=DMARC1; p=reject; rua=mailto:dmarc@a.test,mailto:x@r.test,mailto:x@victim.test
a.test._report._dmarc.r.test        TXT  v=DMARC1
_smtp._tls.a.test                   TXT  v=TLSRPTv1; rua=mailto:tls@a.test
"""


def at_noon():
    noon = datetime.datetime.combine(YESTERDAY, datetime.time(12), datetime.timezone.utc)
    return int(noon.timestamp() * 1000)


def dmarc_line(ip, **other):
    line = {"v": 1, "at_ms": at_noon(), "source_ip": ip, "header_from": "a.test", "policy_domain": "a.test", "envelope_from": "a.test",
            "organizational_domain": "a.test", "p": "reject", "disposition": "pass", "dkim_aligned": True, "spf_aligned": False,
            "dkim": [{"domain": "a.test", "selector": "s", "result": "pass"}], "spf": {"domain": "a.test", "scope": "mfrom", "result": "fail"},
            "rua": ["mailto:dmarc@a.test", "mailto:x@r.test", "mailto:x@victim.test"]}
    return json.dumps({**line, **other}) + "\n"


def tls_line(result, **other):
    line = {"v": 1, "at_ms": at_noon(), "policy_domain": "a.test", "policy_type": "sts", "policy": ["version: STSv1"], "result": result,
            "receiving_mx": "mx.a.test"}
    return json.dumps({**line, **other}) + "\n"


class Reports(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gk-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.zone = f"{self.folder}/zone.txt"
        self.write_zone(ZONE)
        self.roots = {name: f"{self.folder}/{name}" for name in "ab"}
        for name, root in self.roots.items():
            gk.run("gk-config", "init", "--root", root, "--hostname", f"mx.{name}.test")
        os.makedirs(f"{self.roots['b']}/gk.toml.d", exist_ok=True)
        self.configure('sender = "reports@b.test"\norganization = "B & Sons"\n')
        day = YESTERDAY.strftime("%Y%m%d")
        self.dmarc_file = f"{self.roots['b']}/spool/reports/dmarc-{day}.jsonl"
        self.tls_file = f"{self.roots['b']}/spool/reports/tlsrpt-{day}.jsonl"

    def write_zone(self, text):
        with open(self.zone, "w", encoding="utf-8") as file:
            file.write(text)

    def configure(self, settings):
        with open(f"{self.roots['b']}/gk.toml.d/50-test.toml", "w", encoding="utf-8") as file:
            file.write("[reports]\n" + settings)

    def observe(self, path, *lines):
        with open(path, "a", encoding="utf-8") as file:
            file.write("".join(lines))

    def run_json(self, program, root, *words, code=0, stdin=None, env=None):
        said = gk.run(program, *words, "--json", "--root", self.roots[root], code=code, stdin=stdin, env=env)
        return [json.loads(line) for line in said.splitlines()]

    def send(self, program="gk-dmarc", *words, code=0, env=None):
        return self.run_json(program, "b", "send", "--dns-file", self.zone, *words, code=code, env=env)

    def spooled(self):
        """Recipient and message of each file in b's spool, as the format says: a head line, the envelope, the bytes."""
        found = []
        folder = f"{self.roots['b']}/spool/new"
        for name in sorted(os.listdir(folder)):
            content = gk.contents(f"{folder}/{name}")
            words = content.split(b"\n", 1)[0].split()
            begin = content.index(b"\n") + 1 + int(words[2])
            message = email.message_from_bytes(content[begin:begin + int(words[4])], policy=email.policy.default)
            found.append((message["To"].addresses[0].addr_spec, message))
        return dict(found)

    def a_day_of_mail(self):
        self.observe(self.dmarc_file, *[dmarc_line("192.0.2.1")] * 40, *[dmarc_line("192.0.2.1", envelope_from="")] * 2,
                     *[dmarc_line("2001:db8::9", dkim_aligned=False, dkim=[], disposition="reject", header_from="news.a.test")] * 7,
                     '{"torn')

    def test_the_receiver_is_shown_the_sums_of_what_the_sender_saw(self):
        self.a_day_of_mail()
        planned = {line["destination"]: line["state"] for line in self.send("gk-dmarc", "--dry-run")}
        self.assertEqual(planned, {"dmarc@a.test": "to-send", "x@r.test": "to-send", "x@victim.test": "skipped"})
        self.assertEqual(self.spooled(), {})
        sent = {line["destination"]: line["state"] for line in self.send()}
        self.assertEqual(sent, {"dmarc@a.test": "sent", "x@r.test": "sent", "x@victim.test": "skipped"})
        self.assertEqual(self.send(), [])
        messages = self.spooled()
        self.assertEqual(sorted(messages), ["dmarc@a.test", "x@r.test"])

        # As others read it.
        message = messages["dmarc@a.test"]
        self.assertRegex(message["Subject"], r"^Report Domain: a\.test Submitter: b\.test Report-ID: <[0-9a-f]+@b\.test>$")
        self.assertEqual(message["From"].addresses[0].addr_spec, "reports@b.test")
        attachment, = message.iter_attachments()
        self.assertRegex(attachment.get_filename(), r"^b\.test!a\.test!\d+!\d+![0-9a-f]+\.xml\.gz$")
        report = xml.etree.ElementTree.fromstring(gzip.decompress(attachment.get_content()))
        self.assertEqual(report.findtext("d:report_metadata/d:org_name", None, NS), "B & Sons")
        self.assertEqual(sum(int(count.text) for count in report.findall("d:record/d:row/d:count", NS)), 49)
        self.assertEqual(len(report.findall("d:record", NS)), 3)

        # As the other gk does: once, however often it comes.
        for path in ("first", "again"):
            file = f"{self.folder}/{path}"
            with open(file, "wb") as out:
                out.write(message.as_bytes())
            said, = self.run_json("gk-dmarc", "a", "ingest", file)
            self.assertEqual((said["outcome"], said["domain"]), ("stored" if path == "first" else "duplicate", "a.test"))
        sums = {line["source_ip"]: line for line in self.run_json("gk-dmarc", "a", "report")}
        self.assertEqual((sums["192.0.2.1"]["messages"], sums["192.0.2.1"]["passed"], sums["192.0.2.1"]["spf_aligned"]), (42, 42, 0))
        self.assertEqual((sums["2001:db8::9"]["messages"], sums["2001:db8::9"]["passed"], sums["2001:db8::9"]["rejected"]), (7, 0, 7))
        words = gk.run("gk-dmarc", "report", "--root", self.roots["a"])
        self.assertIn("a.test: 49 messages, 85.7 % pass DMARC, from 2 sources", words)
        self.assertIn("all fail, 7 rejected; as news.a.test", words)
        self.run_json("gk-dmarc", "a", "report", "--domain", "b.test", code=1)
        self.run_json("gk-dmarc", "a", "report", "--since", "2100-01-01", code=1)
        listed, = self.run_json("gk-dmarc", "a", "received")
        self.assertEqual((listed["organization"], listed["messages"]), ("B & Sons", 49))
        states = {line["destination"]: line["state"] for line in self.run_json("gk-dmarc", "b", "sent")}
        self.assertEqual(states, sent)

    def test_the_xml_is_valid_by_the_schema_of_the_rfc(self):
        if not shutil.which("xmllint"):
            self.skipTest("xmllint is not installed")
        self.a_day_of_mail()
        self.observe(self.dmarc_file, "\n" + dmarc_line("192.0.2.3", discovery_method="treewalk", sp="none", np="none", adkim="r", aspf="s", t="y",
                                                        fo="1:d", envelope_to="b.test", reasons=[{"type": "policy_test_mode", "comment": "<&>"}]))
        said = gk.run("gk-dmarc", "send", "--print", "--root", self.roots["b"], "--dns-file", self.zone)
        report = said[:said.index("</feedback>") + len("</feedback>")]
        schema = f"{os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}/data/dmarc/rfc9990.xsd"
        done = subprocess.run(["xmllint", "--noout", "--schema", schema, "-"], input=report, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        broken = subprocess.run(["xmllint", "--noout", "--schema", schema, "-"], input=report.replace("<p>reject", "<p>maybe"),
                                capture_output=True, text=True, check=False)
        self.assertNotEqual(broken.returncode, 0)

    def test_a_mailbox_is_looked_through_once_and_left_as_it_is(self):
        self.a_day_of_mail()
        self.send()
        root = self.roots["a"]
        gk.run("gk-domain", "add", "a.test", "--root", root)
        gk.run("gk-user", "add", "dmarc@a.test", "--root", root, "--password-file", "-", stdin="correct horse 7\n")
        for message in (self.spooled()["dmarc@a.test"].as_string(), "Subject: hello\n\nNo report.\n"):
            gk.run("gk-deliver", "--root", root, "-d", "dmarc@a.test", stdin=message)
        before = sorted(os.listdir(f"{root}/mail/a.test/dmarc/Maildir/new"))
        said = self.run_json("gk-dmarc", "a", "ingest", "--account", "dmarc@a.test")
        self.assertEqual([line["outcome"] for line in said], ["stored"])
        self.assertEqual(self.run_json("gk-dmarc", "a", "ingest", "--account", "dmarc@a.test"), [])
        self.assertEqual(sorted(os.listdir(f"{root}/mail/a.test/dmarc/Maildir/new")), before)
        self.run_json("gk-dmarc", "a", "ingest", "--account", "nobody@a.test", code=66)

    def test_bombs_and_rubbish_end_quickly_with_a_reason(self):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr("../../../etc/cron.d/x", b"<feedback>" + b" " * (300 << 20))
        many = io.BytesIO()
        with zipfile.ZipFile(many, "w") as out:
            for number in range(20000):
                out.writestr(str(number), b"x")
        laughs = '<?xml version="1.0"?><!DOCTYPE feedback [<!ENTITY a "ha">' + "".join(
            f'<!ENTITY {chr(n)} "{"&" + chr(n - 1) + ";"}{"&" + chr(n - 1) + ";"}">' for n in range(ord("b"), ord("z"))) + "]><feedback>&y;</feedback>"
        for name, content, reason in (("zip bomb", archive.getvalue(), "reports.max_"), ("gzip bomb", gzip.compress(b"<feedback>" + b" " * (300 << 20)), "reports.max_"),
                                      ("many members", many.getvalue(), "20000 members"), ("laughs", laughs.encode(), "document type"),
                                      ("deep", b"<feedback>" + b"<a>" * 5_000_000, "nested deeper"), ("cut", gzip.compress(b"<feedback>" * 1000)[:30], "cut off"),
                                      ("json", b'{"policies":' + b"[" * 5_000_000, "not JSON")):
            with self.subTest(name=name):
                path = f"{self.folder}/hostile"
                with open(path, "wb") as file:
                    file.write(content)
                begin = time.monotonic()
                said, = self.run_json("gk-dmarc", "a", "ingest", path, code=65)
                self.assertIn(reason, said["error"])
                self.assertLess(time.monotonic() - begin, 20)
        self.run_json("gk-dmarc", "a", "report", code=1)

    def test_a_kill_at_any_time_sends_each_report_once(self):
        self.write_zone("")
        lines = [dmarc_line(f"192.0.2.{number % 250}", policy_domain=f"d{number}.test", organizational_domain=f"d{number}.test",
                            header_from=f"d{number}.test", rua=[f"mailto:d@d{number}.test"]) for number in range(300)]
        self.observe(self.dmarc_file, *lines)
        kills = 0
        for round_ in range(200):
            run = subprocess.Popen([f"{gk.BIN}/gk-dmarc", "send", "--root", self.roots["b"], "--dns-file", self.zone],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                run.wait(0.004 + 0.003 * round_)
                if run.returncode == 0:
                    break
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGKILL)
                run.wait()
                kills += 1
        self.assertEqual(self.send(), [])
        self.assertGreater(kills, 3)
        names = os.listdir(f"{self.roots['b']}/spool/new")
        self.assertEqual((len(names), len(self.spooled())), (300, 300))
        self.assertEqual([line["state"] for line in self.run_json("gk-dmarc", "b", "sent")], ["sent"] * 300)

    def test_tls_sessions_are_reported_by_mail(self):
        self.observe(self.tls_file, *[tls_line("success")] * 9, *[tls_line("certificate-expired", reason_code="X509_EXPIRED")] * 3)
        line, = self.send("gk-tlsrpt")
        self.assertEqual((line["destination"], line["state"], line["messages"]), ("tls@a.test", "sent", 12))
        message = self.spooled()["tls@a.test"]
        self.assertEqual((message["TLS-Report-Domain"], message["TLS-Report-Submitter"], message["TLS-Required"]), ("a.test", "b.test", "No"))
        self.assertEqual((message.get_content_type(), message.get_param("report-type")), ("multipart/report", "tlsrpt"))
        part = list(message.iter_parts())[1]
        self.assertEqual(part.get_content_type(), "application/tlsrpt+gzip")
        report = json.loads(gzip.decompress(part.get_content()))
        self.assertEqual(report["policies"][0]["summary"], {"total-successful-session-count": 9, "total-failure-session-count": 3})
        stored, = self.run_json("gk-tlsrpt", "a", "ingest", stdin=message.as_bytes().decode())
        self.assertEqual((stored["outcome"], stored["kind"]), ("stored", "tls"))
        sums = self.run_json("gk-tlsrpt", "a", "report")
        self.assertEqual((sums[0]["successes"], sums[0]["failures"], sums[1]["result"], sums[1]["sessions"]), (9, 3, "certificate-expired", 3))
        self.assertIn("a.test by MTA-STS: 12 sessions, 3 failed, in 1 report", gk.run("gk-tlsrpt", "report", "--root", self.roots["a"]))
        received, = self.run_json("gk-tlsrpt", "a", "received")
        self.assertEqual(self.run_json("gk-tlsrpt", "a", "show", str(received["id"])), [report])

    def test_tls_sessions_are_reported_by_https(self):
        certificate, key = f"{self.folder}/t.crt", f"{self.folder}/t.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=t.a.test",
                        "-addext", "subjectAltName=DNS:t.a.test", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        posted, answers = [], [503, 201]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                posted.append((self.path, self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(answers.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.write_zone(f"_smtp._tls.a.test TXT v=TLSRPTv1; rua=https://t.a.test:{server.server_port}/v1/report\nt.a.test A 127.0.0.1\n")
        self.observe(self.tls_file, tls_line("success"))
        trust = {"SSL_CERT_FILE": certificate}
        # A stranger's URI into our own network.
        self.assertIn("do not go to port", self.send("gk-tlsrpt", env=trust)[0]["detail"])
        os.unlink(f"{self.roots['b']}/reports/reports.db")
        os.rename(self.tls_file + ".sent", self.tls_file)
        self.configure('sender = "reports@b.test"\nhttps_private = true\n')
        # A certificate that nobody trusts.
        line, = self.send("gk-tlsrpt", code=75)
        self.assertEqual((line["state"], posted), ("retry", []))
        line, = self.send("gk-tlsrpt", code=75, env=trust)
        self.assertEqual((line["state"], line["detail"]), ("retry", "t.a.test answered 503"))
        self.assertEqual(self.send("gk-tlsrpt", env=trust)[0]["state"], "sent")
        self.assertEqual(self.send("gk-tlsrpt", env=trust), [])
        self.assertEqual([(path, kind) for path, kind, _ in posted], [("/v1/report", "application/tlsrpt+gzip")] * 2)
        self.assertEqual(posted[0][2], posted[1][2])
        self.assertEqual(json.loads(gzip.decompress(posted[1][2]))["organization-name"], "mx.b.test")

    def test_without_a_sender_nothing_is_sent_and_the_setting_is_named(self):
        self.a_day_of_mail()
        self.configure("")
        self.send(code=78)
        self.assertEqual(self.spooled(), {})
        self.configure('sender = "not an address"\n')
        self.send(code=78)


if __name__ == "__main__":
    unittest.main()
