# SPDX-License-Identifier: MIT
"""DANE both ways with Postfix as the peer, in a network whose DNS is signed from the root down; and what stops a message."""
import datetime
import json
import os
import shutil
import sys
import unittest

from bed import authority, case, gk, mail, net, outbound, postfix, signed


class Dane(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.net = signed.SignedNetwork({"a.test": "mx-a", "b.test": "mx-b"}, wrong_ds={"bogus.test"}, unsigned={"spoofed.test"})
        peer_ip = cls.net.hosts["mx-b"]
        certificate = (f"{cls.net.folder}/mx-b.crt", f"{cls.net.folder}/mx-b.key")
        cls.certificates = authority.Authority(f"{cls.net.folder}/ca")
        # Nobody's signature, another name, and past its time: DANE-EE minds none of these.
        issued = cls.certificates.issue("elsewhere.test", days=-1)
        for source, target in zip(issued, certificate):
            os.rename(source, target)
            os.chmod(target, 0o644)
        right = f"_25._tcp.mx TLSA {authority.tlsa(certificate[0])}"
        zone = ["@ MX 10 mx", f"mx A {peer_ip}"]
        for domain in ("b.test", "bogus.test", "spoofed.test"):
            cls.net.zones[domain] = [*zone, right]
        cls.net.zones["wrong.test"] = [*zone, '_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@b.test"', "_25._tcp.mx TLSA 3 1 1 " + "ab" * 32]
        cls.net.zones["pkix.test"] = [*zone, "_25._tcp.mx TLSA 1 1 1 " + "ab" * 32]
        cls.net.zones["bare.test"] = zone
        cls.net.zones["strip.test"] = ["@ MX 10 mx", "mx A 10.53.0.77", right]
        cls.net.zones["alias.test"] = ["@ MX 10 mx", "mx CNAME mx.b.test."]
        cls.net.__enter__()
        cls.addClassCleanup(cls.net.__exit__, None, None, None)
        cls.net.add_address("mx-b", 77)
        cls.sender = outbound.Sender(cls.net, "mx-a", "a.test", cls.certificates.ca, """
[reports]
sender = "reports@a.test"
[queue.tls_policy]
"b.test" = "dane"
"bare.test" = "dane"
""")
        cls.gk = cls.sender.gk
        cls.addClassCleanup(cls.gk.__exit__, None, None, None)
        # What we say of ourselves is what Postfix holds us to.
        own = cls.sender.own_tlsa()
        cls.net.set_zone("a.test", ["@ MX 10 mx", f"mx A {cls.net.hosts['mx-a']}", own])
        cls.gk.start()
        cls.net.validating_resolver("mx-b")
        cls.peer = postfix.Postfix("mx.b.test", "b.test wrong.test pkix.test bare.test strip.test alias.test bogus.test spoofed.test",
                                   listen=(f"{peer_ip}:25", ("10.53.0.77:25", "smtpd_tls_security_level=none")),
                                   settings="smtp_dns_support_level = dnssec\nsmtp_tls_security_level = dane-only\n",
                                   prefix=cls.net.inside("mx-b"), certificate=certificate)
        cls.addClassCleanup(cls.peer.__exit__)
        cls.peer.start()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(self.gk.logs(15), self.peer.log()[-3000:], file=sys.stderr)

    def arrives(self, recipient):
        message = mail.Maker(hash(recipient) % 1000, "ann@a.test", recipient).message()
        self.sender.submit(message, recipient)
        return gk.wait_for(f"the message for {recipient}", lambda: next(
            (gk.contents(path) for path in self.peer.files() if case.digest(gk.contents(path)) == case.digest(message)), None), 30)

    def is_stopped(self, domain, status, text, result, policy="tlsa"):
        """A message for DOMAIN waits, the reason is named, and it was counted."""
        recipient = f"carl@{domain}"
        self.sender.submit(mail.Maker(7, "ann@a.test", recipient).message(), recipient)
        attempt = self.sender.waiting(recipient)
        self.assertEqual(attempt["status"], status, attempt)
        self.assertIn(text, attempt["text"])
        seen = gk.wait_for("the observation", lambda: self.sender.observations(domain), 5)[0]
        self.assertEqual((seen["result"], seen["policy_type"]), (result, policy), seen)
        return seen

    def test_gk_delivers_to_postfix_by_dane_only(self):
        arrived = self.arrives("carl@b.test")
        self.assertIn(b"using TLSv1", arrived.split(b"\n\n")[0])
        seen = self.sender.observations("b.test")[0]
        self.assertEqual((seen["result"], seen["policy_type"]), ("success", "tlsa"))
        self.assertIn("verified by DANE", json.dumps(self.gk.events("queue.delivered")))

    def test_postfix_delivers_to_gk_by_dane_only(self):
        message = mail.Maker(11, "carl@b.test", "ann@a.test").message()
        self.peer.send("carl@b.test", "ann@a.test", message)
        gk.wait_for("Postfix's message", lambda: case.digest(message) in [case.digest(gk.contents(f)) for f in self.gk.files("ann@a.test")], 40)
        self.assertIn("Verified TLS connection established to mx.a.test", self.peer.log())

    def test_an_alias_of_a_host_with_records_is_verified_under_its_target(self):
        self.arrives("carl@alias.test")
        self.assertEqual(self.sender.observations("alias.test")[0]["policy_type"], "tlsa")

    def test_records_that_are_not_usable_still_want_tls(self):
        self.assertIn(b"using TLSv1", self.arrives("carl@pkix.test").split(b"\n\n")[0])

    def test_a_wrong_tlsa_record_stops_the_message(self):
        self.is_stopped("wrong.test", "4.7.5", "the certificate of mx.wrong.test matches none of the TLSA records of mx.wrong.test", "tlsa-invalid")

    def test_a_bogus_chain_stops_the_message(self):
        self.is_stopped("bogus.test", "4.7.5", "DNSSEC validation of bogus.test failed", "dnssec-invalid")

    def test_an_unsigned_answer_for_a_signed_domain_stops_the_message(self):
        self.is_stopped("spoofed.test", "4.7.5", "DNSSEC validation of spoofed.test failed", "dnssec-invalid")

    def test_a_stripped_starttls_stops_the_message(self):
        self.is_stopped("strip.test", "4.7.10", "mx.strip.test offers no STARTTLS (demanded by the TLSA records of mx.strip.test)", "starttls-not-supported")

    def test_a_domain_without_records_is_not_sent_to_where_dane_is_the_least(self):
        self.is_stopped("bare.test", "4.7.5", "DANE is required for bare.test: no TLSA records", "dane-required", "no-policy-found")

    def test_what_was_stopped_is_in_the_report_to_the_domain(self):
        self.sender.submit(mail.Maker(8, "ann@a.test", "dora@wrong.test").message(), "dora@wrong.test")
        self.sender.waiting("dora@wrong.test")
        # As if the day were over.
        folder = f"{self.gk.root}/spool/reports"
        today = next(name for name in sorted(os.listdir(folder), reverse=True) if name.startswith("tlsrpt-"))
        day = datetime.date.fromisoformat(f"{today[7:11]}-{today[11:13]}-{today[13:15]}") - datetime.timedelta(days=1)
        shutil.copyfile(f"{folder}/{today}", f"{folder}/tlsrpt-{day:%Y%m%d}.jsonl")
        # The domains whose DNS is bogus cannot be asked for their wish: it does not end well for all of them.
        said = net.sh(*self.net.inside("mx-a"), f"{gk.BIN}/gk-tlsrpt", "send", "--dry-run", "--print", "--root", self.gk.root, check=False)
        self.assertIn('"result-type":"tlsa-invalid"', said.replace(" ", ""))
        self.assertIn('"policy-domain":"wrong.test"', said.replace(" ", ""))

    def test_the_tool_says_what_gk_queue_does(self):
        good = json.loads(self.sender.tool("show", "b.test", "--json"))
        self.assertTrue(good["mx_signed"])
        self.assertEqual((good["level"], good["hosts"][0]["demand"], good["hosts"][0]["policy"]), ("dane", "dane", "tlsa"))
        self.assertIn("no TLSA records", self.sender.tool("show", "bare.test", code=1))
        self.sender.tool("show", "bogus.test", code=75)
        checked = json.loads(self.sender.tool("check", "b.test", "--json"))
        self.assertEqual((checked["verdict"], checked["certificate"]["names"]), ("good", ["elsewhere.test"]))
        self.assertIn("tlsa-invalid", self.sender.tool("check", "wrong.test", code=1))
        self.assertIn("starttls-not-supported", self.sender.tool("check", "strip.test", code=1))


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root for network namespaces")
        sys.exit(77)
    unittest.main()
