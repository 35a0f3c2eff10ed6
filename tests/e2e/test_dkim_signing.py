#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Two hosts: what the accounts of one send arrives signed at the other, and what is not theirs does not."""
import json
import os
import shutil
import signal
import smtplib
import tempfile
import unittest

from bed import case, gk, mail

SETTINGS = """
[queue]
retry_first = "1s"
retry_most = "1s"
[dkim]
timeout = "1s"
[queue.routes]
"{domain}" = "127.0.0.1:{port}"
"""


class Signing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gk-e2e-")
        bases = [gk.free_port_base(), gk.free_port_base()]
        cls.near = gk.Instance("mx.a.test", {"a.test": ["ann"]}, SETTINGS.format(domain="b.test", port=bases[1] + 25), port_base=bases[0])
        cls.far = gk.Instance("mx.b.test", {"b.test": ["carl"]}, SETTINGS.format(domain="a.test", port=bases[0] + 25), port_base=bases[1])
        gk.run("gk-alias", "add", "list@a.test", "carl@b.test", "--root", cls.near.root)
        gk.run("gk-alias", "add", "lost@a.test", "ghost@b.test", "--root", cls.near.root)
        cls.near.start()
        cls.far.start()

    @classmethod
    def tearDownClass(cls):
        codes = [cls.near.stop(), cls.far.stop()]
        for folder in (cls.folder, cls.near.root, cls.far.root):
            shutil.rmtree(folder, ignore_errors=True)
        if any(codes):
            raise gk.Failed(f"gk-up ended with {codes}")

    def setUp(self):
        shutil.rmtree(f"{self.near.root}/keys/dkim/a.test", ignore_errors=True)
        self.maker = mail.Maker(self.id(), sender="ann@a.test", recipient="carl@b.test")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(self.near.logs(15))

    def dkim(self, *words, stdin=None, code=0):
        return gk.run("gk-dkim", *words, "--root", self.near.root, stdin=stdin, code=code)

    def publish(self):
        records = [json.loads(line) for line in self.dkim("dns", "a.test", "--json").splitlines()]
        path = f"{self.folder}/keys.txt"
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{each['name']} {each['type']} {each['value']}\n" for each in records)
        return path

    def submit(self, message):
        with smtplib.SMTP("127.0.0.1", self.near.port("submission"), timeout=30) as smtp:
            smtp.starttls(context=case.TLS)
            smtp.login("ann@a.test", self.near.PASSWORD)
            smtp.sendmail("ann@a.test", ["carl@b.test"], message, mail_options=["BODY=8BITMIME"])

    def arrived(self, digest, seconds=15.0):
        """The file of the message at its receiver."""
        def look():
            return next((found for found in map(gk.contents, self.far.files("carl@b.test")) if case.digest(found) == digest), None)
        return gk.wait_for("carl's message", look, seconds)

    def verdicts(self, message, keys, code=0):
        said = gk.run("gk-dkim", "verify", "--json", "--dns-file", keys, self.write(message), code=code)
        return [(line["result"], line["selector"]) for line in map(json.loads, said.splitlines())]

    def write(self, message):
        path = f"{self.folder}/message.eml"
        with open(path, "wb") as file:
            file.write(message)
        return path

    def send(self):
        message = self.maker.message()
        self.submit(message)
        return self.arrived(case.digest(message))

    def test_what_an_account_sends_passes_at_the_other_host(self):
        self.dkim("genkey", "a.test", "--active")
        keys = self.publish()
        for _ in range(10):
            found = self.send()
            self.assertEqual([result for result, _ in self.verdicts(found, keys)], ["pass", "pass"])
        broken = found.replace(b"\nSubject:", b"\nSubject: Re:", 1)
        self.assertEqual([result for result, _ in self.verdicts(broken, keys, code=1)], ["fail", "fail"])

    def test_a_domain_without_an_active_key_sends_unsigned(self):
        self.dkim("genkey", "a.test")
        self.assertEqual(self.verdicts(self.send(), self.publish(), code=1), [("none", "")])

    def test_rotation_changes_the_key_that_signs_without_a_restart(self):
        self.dkim("genkey", "a.test", "-a", "ed25519", "-s", "old", "--active")
        self.assertEqual(self.verdicts(self.send(), self.publish()), [("pass", "old")])
        steps = [json.loads(line) for line in self.dkim("rotate", "a.test", "--json", "--dns-file", self.publish(), code=1).splitlines()]
        self.assertEqual([step["action"] for step in steps], ["keeps", "created"])
        new = steps[1]["selector"]
        self.assertEqual(self.verdicts(self.send(), self.publish()), [("pass", "old")])
        steps = [json.loads(line) for line in self.dkim("rotate", "--all", "--json", "--dns-file", self.publish()).splitlines()]
        self.assertEqual([(step["selector"], step["action"]) for step in steps], [(new, "activated"), ("old", "retired")])
        self.assertEqual(self.verdicts(self.send(), self.publish()), [("pass", new)])

    def test_a_revoked_key_signs_no_more_and_what_it_signed_fails(self):
        self.dkim("genkey", "a.test", "-a", "rsa", "-s", "bad", "--active")
        signed = self.send()
        self.assertEqual(self.verdicts(signed, self.publish()), [("pass", "bad")])
        record = self.dkim("revoke", "a.test", "bad", "--yes")
        self.assertIn('bad._domainkey.a.test. IN TXT ( "v=DKIM1; k=rsa; p=" )', record)
        self.assertFalse(os.path.exists(f"{self.near.root}/keys/dkim/a.test/bad.key"))
        self.assertEqual(self.verdicts(signed, self.publish(), code=1), [("permerror", "bad")])
        self.assertEqual(self.verdicts(self.send(), self.publish(), code=1), [("none", "")])

    def test_while_gk_dkim_hangs_or_dies_mail_waits_and_is_not_lost(self):
        self.dkim("genkey", "a.test", "-a", "ed25519", "-s", "one", "--active")
        keys = self.publish()
        pid, = self.near.pids("gk-dkim")
        os.kill(pid, signal.SIGSTOP)
        message = self.maker.message()
        try:
            self.submit(message)
            gk.wait_for("the reason in the queue", lambda: "cannot be signed now" in gk.run("gk-queue", "list", "--json", "--root", self.near.root))
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(self.verdicts(self.arrived(case.digest(message)), keys), [("pass", "one")])
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.verdicts(self.send(), keys), [("pass", "one")])
        self.assertNotEqual(self.near.pids("gk-dkim"), [pid])

    def test_what_others_send_through_an_alias_is_not_signed(self):
        self.dkim("genkey", "a.test", "-a", "ed25519", "--active")
        message = mail.Maker(self.id(), sender="ann@a.test", recipient="list@a.test").message()
        with smtplib.SMTP("127.0.0.1", self.near.port("smtp"), timeout=30) as smtp:
            smtp.sendmail("x@outside.test", ["list@a.test"], message)
        self.assertEqual(self.verdicts(self.arrived(case.digest(message)), self.publish(), code=1), [("none", "")])

    def test_a_second_author_costs_the_signature(self):
        self.dkim("genkey", "a.test", "-a", "ed25519", "--active")
        message = b"From: ann@a.test\r\n" + self.maker.message()
        self.submit(message)
        self.assertEqual(self.verdicts(self.arrived(case.digest(message)), self.publish(), code=1), [("none", "")])

    def test_our_own_notifications_are_signed_by_the_domain_above_the_host(self):
        self.dkim("genkey", "a.test", "-a", "ed25519", "-s", "one", "--active")
        before = set(self.far.files("carl@b.test"))
        with smtplib.SMTP("127.0.0.1", self.near.port("smtp"), timeout=30) as smtp:
            smtp.sendmail("carl@b.test", ["lost@a.test"], mail.Maker(self.id()).message())
        gk.wait_for("the notification", lambda: set(self.far.files("carl@b.test")) - before, 15)
        path, = set(self.far.files("carl@b.test")) - before
        self.assertEqual(self.verdicts(gk.contents(path), self.publish()), [("pass", "one")])


if __name__ == "__main__":
    unittest.main()
