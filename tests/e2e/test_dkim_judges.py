#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# timeout: 900
"""Independent judges on 550 messages, most of them real: what gk-dkim signs, OpenDKIM, python3-dkim and rspamd verify; what they
sign, gk-dkim verifies; what is broken fails in all of them.

A peer that is not installed is named and left out. GK_DKIM_MESSAGES is how many messages are used.
"""
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from bed import dkim_peers, gk, mail

CANONS = ("relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple")
BROKEN = 40  # messages that are broken in each way


def header_and_body(message):
    head, _, body = message.partition(b"\r\n\r\n")
    return head + b"\r\n", body


def body_changed(message):
    head, body = header_and_body(message)
    at = next((i for i, c in enumerate(body) if chr(c).isalnum()), None)
    body = b"one more line\r\n" + body if at is None else body[:at] + (b"x" if body[at:at + 1] != b"x" else b"y") + body[at + 1:]
    return head + b"\r\n" + body


class Judges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gk-e2e-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        count = int(os.environ.get("GK_DKIM_MESSAGES", "550"))
        cls.messages = mail.real(count - count // 5)
        print(f"{len(cls.messages)} real messages, {count - len(cls.messages)} made up", file=sys.stderr)
        cls.messages += mail.Maker(7, sender="ann@a.test").messages(count - len(cls.messages))
        cls.peers = []
        for kind in dkim_peers.PEERS:
            try:
                cls.peers.append(kind(cls.folder))
            except dkim_peers.Unavailable as why:
                print(f"without {kind.name}: {why}", file=sys.stderr)
        for peer in cls.peers:
            cls.addClassCleanup(peer.close)
        if not cls.peers:
            raise unittest.SkipTest("no peer is installed")
        gk.run("gk-dkim", "genkey", "a.test", "--root", cls.folder, "-a", "rsa", "-s", "r", "--active")
        gk.run("gk-dkim", "genkey", "a.test", "--root", cls.folder, "-a", "ed25519", "-s", "e", "--active")
        cls.own = {name: dkim_peers.Key("a.test", selector, name, f"{cls.folder}/keys/dkim/a.test/{selector}.key")
                   for name, selector in (("rsa", "r"), ("ed25519", "e"))}
        cls.keys = cls.write("records", "".join(f"{line['name']} TXT {line['value']}\n" for line in map(
            json.loads, gk.run("gk-dkim", "dns", "a.test", "--json", "--root", cls.folder).splitlines())))
        cls.signed = cls.in_parallel(lambda job: cls.gk("sign", "--root", cls.folder, "-d", "a.test", "-c", CANONS[job[0] % 4], stdin=job[1]),
                                     enumerate(cls.messages))

    @classmethod
    def write(cls, name, text):
        path = f"{cls.folder}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    @staticmethod
    def in_parallel(work, jobs):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(work, jobs))

    @staticmethod
    def gk(*words, stdin, code=(0,)):
        done = subprocess.run([f"{gk.BIN}/gk-dkim", *words], input=stdin, capture_output=True, check=False, timeout=60)
        if done.returncode not in code:
            raise gk.Failed(f"gk-dkim {' '.join(words)}: exit {done.returncode}\n{done.stderr.decode()}")
        return done.stdout

    def verdicts(self, messages, keys=None):
        """What gk-dkim says: a list of (result, selector) a message."""
        said = self.in_parallel(lambda message: self.gk("verify", "--json", "--dns-file", keys or self.keys, stdin=message, code=(0, 1)), messages)
        return [[(line["result"], line["selector"]) for line in map(json.loads, one.splitlines())] for one in said]

    def all_fail(self, what, messages, keys=None, gk_results=("fail",), peers=None):
        """Neither gk-dkim nor a peer lets any signature of these messages pass."""
        for number, found in enumerate(self.verdicts(messages, keys)):
            self.assertTrue(found and all(result in gk_results for result, _ in found), f"{what}: gk-dkim on message {number}: {found}")
        for peer in self.peers if peers is None else peers:
            for number, found in enumerate(peer.verify(keys or self.keys, messages)):
                self.assertNotIn("pass", [result for result, _ in found], f"{what}: {peer.name} on message {number}")

    def broken(self, break_it):
        return [break_it(message) for message in self.signed[:BROKEN]]

    def test_what_gk_signs_its_peers_verify(self):
        for peer in self.peers:
            wanted = sorted(("pass", self.own[name].selector) for name in peer.algorithms)
            counted = collections.Counter()
            for number, found in enumerate(peer.verify(self.keys, self.signed)):
                kept = [one for one in found if one[1] in [selector for _, selector in wanted] or one[0] != "pass"]
                # Real mail may carry signatures of its own time below ours.
                self.assertEqual(sorted(one for one in kept if one[0] == "pass"), wanted, f"{peer.name} on message {number}")
                counted.update(kept)
            print(f"{peer.name} verifies what gk-dkim signs: {dict(counted)}", file=sys.stderr)

    def test_what_its_peers_sign_gk_verifies(self):
        for peer in self.peers:
            for name in peer.algorithms:
                key, signed = self.own[name], []
                canons = peer.canons(name)
                for turn, canon in enumerate(canons):
                    signed += peer.sign(key, canon, self.messages[turn::len(canons)])
                counted = collections.Counter(tuple(found[0]) for found in self.verdicts(signed))
                print(f"gk-dkim verifies what {peer.name} signs with {name}, {', '.join(canons)}: {dict(counted)}", file=sys.stderr)
                self.assertEqual(counted, {("pass", key.selector): len(self.messages)}, peer.name)

    def test_a_changed_body_fails_in_all(self):
        self.all_fail("body changed", self.broken(body_changed))
        self.all_fail("body longer", self.broken(lambda message: message + b"more\r\n"))

    def test_a_changed_header_fails_in_all(self):
        self.all_fail("From changed", self.broken(lambda message: re.sub(rb"(?im)^From:", b"From: eve", message, count=1)))
        self.all_fail("Subject changed", self.broken(lambda message: re.sub(rb"(?im)^Subject:", b"Subject: Re:", message, count=1)
                                                     if re.search(rb"(?im)^Subject:", message) else b"Subject: new\r\n" + message))

    def test_a_field_that_is_added_fails_in_all(self):
        for name in (b"From", b"Subject", b"To", b"Date", b"Reply-To", b"Content-Type"):
            self.all_fail(f"{name.decode()} added", self.broken(lambda message, name=name: name + b": eve@b.test\r\n" + message)[:10])

    def test_a_revoked_key_or_none_fails_in_all(self):
        signed = self.signed[:BROKEN]
        revoked = self.write("revoked", "r._domainkey.a.test TXT v=DKIM1; k=rsa; p=\ne._domainkey.a.test TXT v=DKIM1; k=ed25519; p=\n")
        self.all_fail("revoked", signed, revoked, ("permerror",))
        self.all_fail("no key", signed, self.write("none", "x.b.test TXT nothing\n"), ("permerror",))

    def test_another_domains_name_on_a_signature_fails_in_all(self):
        for algorithm, selector in (("rsa", "r"), ("ed25519", "e")):
            gk.run("gk-dkim", "genkey", "b.test", "--root", self.folder, "-a", algorithm, "-s", selector)
        other = "".join(f"{line['name']} TXT {line['value']}\n" for line in map(
            json.loads, gk.run("gk-dkim", "dns", "b.test", "--json", "--root", self.folder).splitlines()))
        self.all_fail("wrong domain", self.broken(lambda message: message.replace(b"d=a.test;", b"d=b.test;")), self.write("other", other))

    def test_an_expired_signature_fails_in_all(self):
        signer = next((peer for peer in self.peers if peer.name == "opendkim"), None)
        if not signer:
            self.skipTest("only opendkim signs with an expiry of the past, and it is not installed")
        signed = signer.sign(self.own["rsa"], "relaxed/relaxed", self.messages[:BROKEN], when=int(time.time()) - 90_000, ttl=3600)
        self.assertIn(b"x=", signed[0])
        self.all_fail("expired", signed, gk_results=("policy",))

    def test_what_follows_a_partial_body_is_never_taken_for_signed(self):
        signer = next((peer for peer in self.peers if peer.name == "opendkim"), None)
        if not signer:
            self.skipTest("only opendkim signs a part of a body, and it is not installed")
        messages = [message for message in self.messages if len(header_and_body(message)[1]) > 200][:BROKEN]
        signed = signer.sign(self.own["rsa"], "simple/simple", messages, length=100)
        self.assertIn(b"l=100", signed[0])
        # RFC 6376 lets a verifier accept these; gk-dkim says that it would not (8.2).
        for found in self.verdicts(signed):
            self.assertEqual(found[0][0], "policy")
        self.all_fail("shorter than l=", [message[:message.index(b"\r\n\r\n") + 54] for message in signed])


if __name__ == "__main__":
    unittest.main()
