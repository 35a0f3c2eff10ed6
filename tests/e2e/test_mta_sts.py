# SPDX-License-Identifier: MIT
"""MTA-STS: policies from a web server with a test authority's certificate; what they stop, and what an attacker cannot undo."""
import json
import os
import sys
import time
import unittest

from bed import authority, case, gk, mail, outbound, postfix, signed

DOMAINS = ("good", "kept", "expired", "name", "strip", "evil", "testing", "old", "nopolicy")


class MtaSts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.net = signed.SignedNetwork({"a.test": "mx-a", "b.test": "mx-b"}, hosts=["web"])
        ip, web = cls.net.hosts["mx-b"], cls.net.hosts["web"]
        addresses = {"expired": "10.53.0.71", "name": "10.53.0.72", "strip": "10.53.0.73", "testing": "10.53.0.72"}
        for name in DOMAINS:
            host = "mx.b.test." if name == "evil" else "mx"
            cls.net.zones[f"{name}.test"] = [f"@ MX 10 {host}", f"mx A {addresses.get(name, ip)}", "_mta-sts TXT \"v=STSv1; id=1;\"", f"mta-sts A {web}"]
        cls.net.__enter__()
        cls.addClassCleanup(cls.net.__exit__, None, None, None)
        ca = authority.Authority(f"{cls.net.folder}/ca")
        good = ca.issue("mx.b.test", *(f"mx.{name}.test" for name in DOMAINS if name not in ("expired", "name", "testing")))
        expired, other = ca.issue("mx.expired.test", days=-1), ca.issue("elsewhere.test")
        cls.policies = f"{cls.net.folder}/policies"
        os.makedirs(cls.policies)
        for name in DOMAINS:
            cls.publish(name, "testing" if name == "testing" else "enforce")
        for name in ("old", "nopolicy"):
            os.unlink(f"{cls.policies}/mta-sts.{name}.test")
        web_certificate = ca.issue(*(f"mta-sts.{name}.test" for name in DOMAINS))
        script = os.path.join(os.path.dirname(os.path.abspath(authority.__file__)), "policy_web.py")
        cls.web = cls.net.start("web", "/usr/bin/python3", script, cls.policies, *web_certificate)
        for last in (71, 72, 73):
            cls.net.add_address("mx-b", last)
        cls.peer = postfix.Postfix("mx.b.test", "b.test " + " ".join(f"{name}.test" for name in DOMAINS), listen=(
            f"{ip}:25",
            ("10.53.0.71:25", f"smtpd_tls_cert_file={expired[0]}", f"smtpd_tls_key_file={expired[1]}"),
            ("10.53.0.72:25", f"smtpd_tls_cert_file={other[0]}", f"smtpd_tls_key_file={other[1]}"),
            ("10.53.0.73:25", "smtpd_tls_security_level=none")), prefix=cls.net.inside("mx-b"), certificate=good)
        cls.addClassCleanup(cls.peer.__exit__)
        cls.peer.start()
        gk.wait_for("the web server", lambda: cls.net.inside("mx-a") and signed.net.sh(
            *cls.net.inside("mx-a"), "curl", "-s", "--cacert", ca.ca, "--resolve", f"mta-sts.good.test:443:{web}",
            "https://mta-sts.good.test/.well-known/mta-sts.txt", check=False), 20)
        cls.sender = outbound.Sender(cls.net, "mx-a", "a.test", ca.ca, "[reports]\nsender = \"reports@a.test\"\n[queue.tls_policy]\n\"old.test\" = \"secure\"\n")
        cls.gk = cls.sender.gk
        cls.addClassCleanup(cls.gk.__exit__, None, None, None)
        cls.gk.start()

    @classmethod
    def publish(cls, name, mode):
        with open(f"{cls.policies}/mta-sts.{name}.test", "w", encoding="ascii") as file:
            file.write(f"version: STSv1\r\nmode: {mode}\r\nmx: mx.{name}.test\r\nmax_age: 86400\r\n")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(self.gk.logs(15), self.peer.log()[-3000:], file=sys.stderr)

    def arrives(self, recipient):
        message = mail.Maker(hash(recipient) % 1000, "ann@a.test", recipient).message()
        self.sender.submit(message, recipient)
        gk.wait_for(f"the message for {recipient}", lambda: case.digest(message) in [case.digest(gk.contents(path)) for path in self.peer.files()], 30)

    def is_stopped(self, domain, status, text, result, policy="sts"):
        recipient = f"carl@{domain}"
        self.sender.submit(mail.Maker(7, "ann@a.test", recipient).message(), recipient)
        attempt = self.sender.waiting(recipient)
        self.assertEqual(attempt["status"], status, attempt)
        self.assertIn(text, attempt["text"])
        seen = gk.wait_for("the observation", lambda: self.sender.observations(domain), 5)[-1]
        self.assertEqual((seen["result"], seen["policy_type"]), (result, policy), seen)
        return seen

    def test_a_policy_is_fetched_kept_and_followed(self):
        self.arrives("carl@good.test")
        seen = self.sender.observations("good.test")[0]
        self.assertEqual((seen["result"], seen["policy_type"], seen["mx_patterns"]), ("success", "sts", ["mx.good.test"]))
        self.assertIn("version: STSv1", seen["policy"])
        self.assertIn("good.test", gk.run("gk-tls-policy", "cached", "--root", self.gk.root))

    def test_a_kept_policy_is_honoured_while_dns_and_https_are_in_an_attackers_hands(self):
        self.assertIn("mx: mx.kept.test", self.sender.tool("renew", "kept.test"))
        # The web server falls silent, and DNS says that there never was a policy, nor that host.
        os.unlink(f"{self.policies}/mta-sts.kept.test")
        self.net.set_zone("kept.test", ["@ MX 10 mx.b.test."])
        gk.wait_for("the forged zone", lambda: "mx.b.test" in signed.net.sh(
            *self.net.inside("mx-a"), "kdig", "+short", f"@{self.net.hosts['dns']}", "kept.test", "MX"), 10)
        self.is_stopped("kept.test", "4.7.5", "mx.b.test is not among the hosts of the MTA-STS policy of kept.test", "validation-failure")

    def test_an_expired_certificate_stops_the_message(self):
        self.is_stopped("expired.test", "4.7.5", "the certificate of mx.expired.test expired at", "certificate-expired")

    def test_a_certificate_for_another_host_stops_the_message(self):
        self.is_stopped("name.test", "4.7.5", "the certificate of mx.name.test names elsewhere.test", "certificate-host-mismatch")

    def test_a_stripped_starttls_stops_the_message(self):
        self.is_stopped("strip.test", "4.7.10", "mx.strip.test offers no STARTTLS (demanded by the MTA-STS policy of strip.test (mode enforce))",
                        "starttls-not-supported")

    def test_a_downgraded_mx_stops_the_message(self):
        seen = self.is_stopped("evil.test", "4.7.5", "mx.b.test is not among the hosts of the MTA-STS policy of evil.test", "validation-failure")
        self.assertEqual(seen["reason_code"], "mx-not-in-policy")

    def test_a_policy_in_testing_stops_nothing_and_is_reported(self):
        self.arrives("carl@testing.test")
        seen = self.sender.observations("testing.test")[0]
        self.assertEqual((seen["result"], seen["policy_type"]), ("certificate-host-mismatch", "sts"))

    def test_an_expired_policy_stops_the_message_where_one_is_required(self):
        folder = f"{self.gk.root}/spool/mta-sts"
        os.makedirs(folder, exist_ok=True)
        now = int(time.time())
        with open(f"{folder}/old.test", "w", encoding="ascii") as file:
            file.write(f"gk-mta-sts 1\ndomain=old.test\nid=0\nfetched={now - 90000}\nexpires={now - 3600}\n\n"
                       "version: STSv1\r\nmode: enforce\r\nmx: mx.old.test\r\nmax_age: 86400\r\n")
        self.is_stopped("old.test", "4.7.5", "the MTA-STS policy expired at", "sts-policy-fetch-error", "no-policy-found")

    def test_a_policy_that_cannot_be_fetched_is_reported_and_stops_nothing(self):
        self.arrives("carl@nopolicy.test")
        seen = gk.wait_for("both observations", lambda: len(self.sender.observations("nopolicy.test")) > 1 and self.sender.observations("nopolicy.test"), 5)
        self.assertIn(("sts-policy-fetch-error", "sts"), [(each["result"], each["policy_type"]) for each in seen])
        self.assertIn(("success", "no-policy-found"), [(each["result"], each["policy_type"]) for each in seen])

    def test_the_tool_says_what_gk_queue_does(self):
        shown = json.loads(self.sender.tool("show", "expired.test", "--json"))
        self.assertEqual((shown["sts"]["mode"], shown["hosts"][0]["demand"]), ("enforce", "certificate"))
        checked = json.loads(self.sender.tool("check", "expired.test", "--json", code=1))
        self.assertEqual(checked["result"], "certificate-expired")
        self.assertIn("mode: enforce", self.sender.tool("renew", "strip.test"))
        self.sender.tool("forget", "strip.test")
        self.sender.tool("forget", "strip.test", code=66)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root for network namespaces")
        sys.exit(77)
    unittest.main()
