#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""gk-dmarc as an administrator and a script use it: answers, exit codes, settings. DNS is a file."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from bed import gk

ZONE = """\
_dmarc.a.test       TXT  v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:r@a.test
a.test              TXT  v=spf1 ip4:192.0.2.1 -all
news.a.test         TXT  v=spf1 ip4:192.0.2.2 -all
_dmarc.old.test     TXT  v=DMARC1; p=reject; pct=25
_dmarc.try.test     TXT  v=DMARC1; p=quarantine; t=y; rua=mailto:r@else.test,mailto:x@gone.test
try.test._report._dmarc.else.test  TXT  v=DMARC1
_dmarc.down.test    TEMPFAIL
_dmarc.bad.test     TXT  v=DMARC1; p=rejekt
_dmarc.two.test     TXT  v=DMARC1; p=none
_dmarc.two.test     TXT  v=DMARC1; p=reject
bob.lists.test      A    198.51.100.9
198.51.100.9        PTR  bob.lists.test
"""


def message(author):
    return f"From: Ann <{author}>\nTo: bob@b.test\nSubject: Hello\n\nHow are you?\n"


class Dmarc(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gk-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.zone = self.write("zone.txt", ZONE)

    def write(self, name, text):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def check(self, text, *words, code, zone=None):
        said = gk.run("gk-dmarc", "check", "--json", "--root", self.folder, "--dns-file", zone or self.zone, *words, stdin=text, code=code)
        return json.loads(said) if said else None

    def show(self, domain, code):
        done = subprocess.run([f"{gk.BIN}/gk-dmarc", "show", domain, "--json", "--root", self.folder, "--dns-file", self.zone],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def test_spf_of_the_client_decides(self):
        answer = self.check(message("ann@a.test"), "--ip", "192.0.2.1", "--from", "<x@a.test>", code=0)
        self.assertEqual((answer["check"], answer["result"], answer["disposition"]), ("dmarc", "pass", "none"))
        self.assertTrue(answer["spf_aligned"])
        answer = self.check(message("ann@a.test"), "--ip", "192.0.2.2", "--helo", "news.a.test", "--from", "", code=0)
        self.assertEqual(answer["spf"], "pass news.a.test (relaxed)")
        answer = self.check(message("ann@a.test"), "--ip", "192.0.2.9", "--from", "x@a.test", code=1)
        self.assertEqual((answer["result"], answer["disposition"], answer["policy_domain"], answer["tag"]), ("fail", "reject", "a.test", "p"))
        self.assertEqual(self.check(message("ann@news.a.test"), code=1)["disposition"], "quarantine")
        self.assertEqual(self.check(message("ann@gone.a.test"), code=1)["tag"], "np")

    def test_a_signature_is_verified(self):
        gk.run("gk-dkim", "genkey", "a.test", "--active", "-a", "ed25519", "--root", self.folder)
        keys = [json.loads(line) for line in gk.run("gk-dkim", "dns", "a.test", "--json", "--root", self.folder).splitlines()]
        zone = self.write("signed.txt", ZONE + "".join(f"{key['name']} {key['type']} {key['value']}\n" for key in keys))
        signed = gk.run("gk-dkim", "sign", "--root", self.folder, stdin=message("ann@a.test"))
        answer = self.check(signed, zone=zone, code=0)
        self.assertEqual((answer["dkim"], answer["dkim_aligned"], answer["spf"]), ("pass a.test (strict)", True, "none"))
        self.assertEqual(self.check(signed.replace("How", "Who"), zone=zone, code=1)["dkim"], "fail a.test")

    def test_none_and_errors_have_their_exit_codes(self):
        self.assertEqual(self.check(message("ann@none.test"), code=1)["result"], "none")
        self.assertEqual(self.check("Subject: x\n\n", code=1)["reason"], "there is no From field")
        self.assertEqual(self.check(message("ann@bad.test"), code=1)["result"], "none")
        self.assertEqual(self.check(message("ann@a..test"), code=1)["result"], "permerror")
        self.assertEqual(self.check(message("ann@down.test"), code=75)["result"], "temperror")
        self.assertEqual(self.check(message("x@two.test, y@a.test"), "--spf-result", "pass", "--spf-domain", "two.test", code=1)["from"], "a.test")
        for words in (("--ip", "1.2.3"), ("--ip", "192.0.2.1"), ("--from", "x@a.test"), ("--spf-result", "good", "--spf-domain", "a.test"),
                      ("--spf-result", "pass"), ("--sample", "100")):
            self.assertIsNone(self.check(message("ann@a.test"), *words, code=64), words)
        self.check("", "/nonexistent", code=66)

    def test_test_mode_and_sampling_take_one_step(self):
        answer = self.check(message("ann@try.test"), code=1)
        self.assertEqual((answer["policy"], answer["disposition"], answer["overrides"]), ("quarantine", "none", "policy_test_mode"))
        self.assertEqual(self.check(message("ann@old.test"), "--sample", "24", code=1)["disposition"], "reject")
        self.assertEqual(self.check(message("ann@old.test"), "--sample", "25", code=1)["disposition"], "quarantine")

    def test_settings_override_what_is_published(self):
        self.write("gk.toml", '[server]\nhostname = "mx.test"\n[dmarc]\nexempt_domains = ["old.test"]\ntrusted_forwarders = ["203.0.113.0/24", "lists.test"]\n'
                              'most_severe = "quarantine"\n')
        self.assertEqual(self.check(message("ann@old.test"), code=1)["overrides"], "local_policy: the policy of this domain is not applied here")
        self.assertEqual(self.check(message("ann@a.test"), code=1)["disposition"], "quarantine")
        for ip in ("203.0.113.7", "198.51.100.9"):
            answer = self.check(message("ann@a.test"), "--ip", ip, "--from", "x@lists.test", code=1)
            self.assertEqual((answer["result"], answer["disposition"]), ("fail", "none"))
            self.assertTrue(answer["overrides"].startswith("trusted_forwarder"))
        self.write("gk.toml", '[server]\nhostname = "mx.test"\n[dmarc]\ntrusted_forwarders = ["lists"]\n')
        self.assertIsNone(self.check(message("ann@a.test"), code=78))

    def test_show_walks_and_asks_for_consent(self):
        lines, said = self.show("news.a.test", 0)
        self.assertEqual([line["name"] for line in lines if line["what"] == "walk"], ["_dmarc.news.a.test", "_dmarc.a.test", "_dmarc.test"])
        self.assertEqual([(line["name"], line["value"]) for line in lines if line["what"] == "policy"], [("a.test", "quarantine")])
        self.assertEqual([line["value"] for line in lines if line["what"] == "rua"], ["inside"])
        self.assertIn("3 of 8 queries", said)
        lines, said = self.show("try.test", 1)
        self.assertEqual([line["value"] for line in lines if line["what"] == "rua"], ["given", "refused"])
        self.assertIn("try.test._report._dmarc.gone.test", said)

    def test_show_names_what_is_wrong(self):
        for domain, code, words in (("none.test", 1, "no DMARC record"), ("bad.test", 1, "p=rejekt"), ("two.test", 1, "2 records"),
                                    ("old.test", 0, "pct is not in use"), ("down.test", 75, ""), ("a..test", 1, "not a domain name")):
            with self.subTest(domain=domain):
                self.assertIn(words, self.show(domain, code)[1])

    def test_a_line_is_written_for_people_too(self):
        said = gk.run("gk-dmarc", "check", "--root", self.folder, "--dns-file", self.zone, stdin=message("ann@a.test"), code=1)
        self.assertEqual(said.split("\t")[:3], ["dmarc", "fail", "reject"])
        self.assertEqual(said.count("\n"), 1)

    def test_any_bytes_get_an_answer(self):
        for text in (b"", b"\x00\xff\n\n", b"From: " + b"(" * 100000, b"From: a@a.test\r\n" * 2000, b"X: y\n" * 400000 + b"From: ann@a.test\n\n"):
            done = subprocess.run([f"{gk.BIN}/gk-dmarc", "check", "--json", "--root", self.folder, "--dns-file", self.zone], input=text,
                                  capture_output=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(json.loads(done.stdout)["result"], ("none", "fail", "permerror"))
        self.assertEqual(json.loads(done.stdout)["result"], "permerror")


if __name__ == "__main__":
    unittest.main()
