#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""gk-spf and gk-dkim as an administrator and a script use them: answers, exit codes, files. DNS is a file."""
import json
import os
import shutil
import tempfile
import unittest

from bed import gk

ZONE = """\
a.test          TXT  v=spf1 mx include:b.test -all exp=why.a.test
a.test          MX   10 mx.a.test
mx.a.test       A    192.0.2.1
why.a.test      TXT  %{i} is not ours
b.test          TXT  v=spf1 ip4:198.51.100.0/24 ?all
down.test       TXT  TEMPFAIL
loop.test       TXT  v=spf1 redirect=loop.test
"""
MESSAGE = b"From: Ann <ann@a.test>\nTo: bob@b.test\nSubject: Hello\n\nHow are you?\n"


class MailAuth(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gk-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.zone = self.write("zone.txt", ZONE)

    def write(self, name, text):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def spf(self, *words, code=0):
        return [json.loads(line) for line in gk.run("gk-spf", *words, "--json", "--dns-file", self.zone, code=code).splitlines()]

    def dkim(self, *words, stdin=None, code=0):
        return gk.run("gk-dkim", *words, "--root", self.folder, stdin=stdin, code=code)

    def publish(self):
        """What gk-dkim says is to be published, as a file of answers."""
        records = [json.loads(line) for line in self.dkim("dns", "a.test", "--json").splitlines()]
        return self.write("keys.txt", "".join(f"{each['name']} {each['type']} {each['value']}\n" for each in records))

    def results(self, message, keys, code=0):
        said = self.dkim("verify", "--json", "--dns-file", keys, stdin=message, code=code)
        return [json.loads(line)["result"] for line in said.splitlines()]

    def test_spf_says_pass_fail_and_cannot_tell_by_its_exit_code(self):
        for ip, sender, code, result in (("192.0.2.1", "ann@a.test", 0, "pass"), ("198.51.100.7", "ann@a.test", 0, "pass"),
                                         ("203.0.113.1", "ann@a.test", 1, "fail"), ("203.0.113.1", "ann@b.test", 1, "neutral"),
                                         ("203.0.113.1", "ann@none.test", 1, "none"), ("192.0.2.1", "ann@loop.test", 1, "permerror"),
                                         ("192.0.2.1", "ann@down.test", 75, "temperror")):
            with self.subTest(ip=ip, sender=sender):
                answer, = self.spf("check", "--ip", ip, "--helo", "mx.a.test", "--from", sender, code=code)
                self.assertEqual((answer["check"], answer["result"], answer["identity"]), ("spf", result, "mailfrom"))
        self.assertEqual(self.spf("check", "--ip", "203.0.113.1", "--helo", "a.test", code=1)[0]["identity"], "helo")
        self.assertEqual(self.spf("check", "--ip", "203.0.113.1", "--from", "ann@a.test", code=1)[0]["explanation"], "203.0.113.1 is not ours")
        self.assertEqual(self.spf("check", "--ip", "203.0.113", "--from", "ann@a.test", code=64), [])

    def test_spf_shows_the_tree_and_counts_its_lookups(self):
        lines = self.spf("show", "a.test")
        self.assertEqual([line["lookups"] for line in lines], [1, 2, 2, 2, 2, 2])
        self.assertEqual(lines[0]["note"], "mx.a.test [192.0.2.1]")
        self.spf("show", "loop.test", code=1)
        self.spf("show", "none.test", code=1)
        self.spf("show", "down.test", code=75)

    def test_a_key_is_made_published_and_signs(self):
        self.dkim("genkey", "a.test", "--active")
        keys = self.publish()
        self.dkim("dns", "--check", "a.test", "--dns-file", keys)
        signed = self.dkim("sign", stdin=MESSAGE.decode())
        self.assertTrue(signed.endswith(MESSAGE.decode()))
        self.assertEqual(self.results(signed, keys), ["pass", "pass"])
        self.assertEqual(self.results(signed.replace("How", "Who"), keys, code=1), ["fail", "fail"])
        self.assertEqual(self.results(MESSAGE.decode(), keys, code=1), ["none"])
        down = self.write("down.txt", "".join(f"{line.split()[0]} TEMPFAIL\n" for line in gk.contents(keys).decode().splitlines()))
        self.assertEqual(self.results(signed, down, code=75), ["temperror", "temperror"])
        self.dkim("dns", "--check", "a.test", "--dns-file", self.zone, code=1)

    def test_a_key_that_is_only_published_does_not_sign(self):
        self.dkim("genkey", "a.test", "--algorithm", "ed25519", "--selector", "new")
        self.dkim("sign", stdin=MESSAGE.decode(), code=66)
        signed = self.dkim("sign", "--selector", "new", stdin=MESSAGE.decode())
        self.assertEqual(self.results(signed, self.publish()), ["pass"])

    def test_keys_are_never_overwritten_nor_open_to_others(self):
        self.dkim("genkey", "a.test", "-a", "rsa", "-s", "one")
        path = f"{self.folder}/keys/dkim/a.test/one.key"
        before = gk.contents(path)
        self.dkim("genkey", "a.test", "-a", "rsa", "-s", "one", code=73)
        self.assertEqual(gk.contents(path), before)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.dkim("genkey", "a.test", "-a", "rsa", "-b", "512", code=64)
        self.dkim("genkey", "../a.test", code=65)


if __name__ == "__main__":
    unittest.main()
