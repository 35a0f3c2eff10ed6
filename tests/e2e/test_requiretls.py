# SPDX-License-Identifier: MIT
"""REQUIRETLS (RFC 8689) from gk to gk and back, and towards a peer that does not know it; TLS-Required: No."""
import json
import os
import sys
import unittest

from bed import authority, case, gk, mail, outbound, postfix, signed


class RequireTls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.net = signed.SignedNetwork({"a.test": "mx-a", "b.test": "mx-b", "c.test": "mx-c"})
        ca = authority.Authority(f"{cls.net.folder}/ca")
        certificate = ca.issue("mx.b.test")
        ip = cls.net.hosts["mx-b"]
        cls.net.zones["b.test"] = ["@ MX 10 mx", f"mx A {ip}", f"_25._tcp.mx TLSA {authority.tlsa(certificate[0])}"]
        cls.net.zones["plain.test"] = ["@ MX 10 mx", f"mx A {ip}"]
        cls.net.zones["wrong.test"] = ["@ MX 10 mx", f"mx A {ip}", "_25._tcp.mx TLSA 3 1 1 " + "ab" * 32]
        cls.net.__enter__()
        cls.addClassCleanup(cls.net.__exit__, None, None, None)
        cls.senders = {}
        for name in ("a", "c"):
            host, domain = f"mx-{name}", f"{name}.test"
            sender = cls.senders[name] = outbound.Sender(cls.net, host, domain, ca.ca, f"[reports]\nsender = \"reports@{domain}\"\n")
            cls.addClassCleanup(sender.gk.__exit__, None, None, None)
            cls.net.set_zone(domain, ["@ MX 10 mx", f"mx A {cls.net.hosts[host]}", sender.own_tlsa()])
            sender.gk.start()
        cls.peer = postfix.Postfix("mx.b.test", "b.test plain.test wrong.test", prefix=cls.net.inside("mx-b"), certificate=certificate)
        cls.addClassCleanup(cls.peer.__exit__)
        cls.peer.start()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(*(sender.gk.logs(15) for sender in self.senders.values()), self.peer.log()[-2000:], file=sys.stderr)

    def dsn_about(self, recipient, account="ann@a.test"):
        def found():
            for path in self.senders["a"].gk.files(account):
                text = gk.contents(path)
                if b"multipart/report" in text and recipient.encode() in text:
                    return text
            return None
        return gk.wait_for(f"the DSN about {recipient}", found, 30)

    def test_gk_hands_it_to_gk_both_ways(self):
        for here, there in (("a", "c"), ("c", "a")):
            recipient = f"ann@{there}.test"
            message = mail.Maker(21, f"ann@{here}.test", recipient).message()
            self.senders[here].submit(message, recipient, "REQUIRETLS")
            gk.wait_for("the message", lambda to=self.senders[there].gk, m=message, r=recipient: case.digest(m) in [
                case.digest(gk.contents(path)) for path in to.files(r)], 30)
            gk.wait_for("the sender to know", lambda at=self.senders[here].gk: "verified by DANE" in json.dumps(at.events("queue.delivered")), 10)
            self.assertEqual(self.senders[here].observations(f"{there}.test")[0]["policy_type"], "tlsa")

    def test_a_peer_that_does_not_know_it_gets_nothing_and_the_sender_the_header_back(self):
        message = mail.Maker(22, "ann@a.test", "carl@b.test").message()
        self.senders["a"].submit(message, "carl@b.test", "REQUIRETLS")
        dsn = self.dsn_about("carl@b.test")
        self.assertIn(b"Status: 5.7.30", dsn)
        self.assertIn(b"REQUIRETLS", dsn)
        self.assertIn(b"text/rfc822-headers", dsn)  # RFC 8689, 5: as if RET=HDRS
        self.assertNotIn(case.digest(message), [case.digest(gk.contents(path)) for path in self.peer.files()])

    def test_a_domain_without_dane_or_mta_sts_gets_nothing(self):
        self.senders["a"].submit(mail.Maker(23, "ann@a.test", "carl@plain.test").message(), "carl@plain.test", "REQUIRETLS")
        dsn = self.dsn_about("carl@plain.test")
        self.assertIn(b"Status: 5.7.30", dsn)
        self.assertIn(b"DANE or MTA-STS is required", b" ".join(dsn.split()))

    def test_tls_required_no_goes_past_a_wrong_record(self):
        message = b"TLS-Required: No\r\n" + mail.Maker(24, "ann@a.test", "carl@wrong.test").message()
        self.senders["a"].submit(message, "carl@wrong.test")
        gk.wait_for("the message", lambda: case.digest(message) in [case.digest(gk.contents(path)) for path in self.peer.files()], 30)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root for network namespaces")
        sys.exit(77)
    unittest.main()
