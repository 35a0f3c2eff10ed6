# SPDX-License-Identifier: MIT
"""The way out: which host, which of its addresses, from which of ours, by which login."""
import base64
import contextlib
import hashlib
import hmac
import json
import shutil
import tempfile
import unittest

from bed import aside, case, gk, hostile_peer, nameserver

USER, PASSWORD, SALT = b"gk at the smarthost", b"open, please", b"salt of the earth"


def b64(octets):
    return base64.b64encode(octets).decode()


def ask(dialogue, octets):
    dialogue.say(f"334 {b64(octets)}")
    return base64.b64decode(dialogue.line())


def plain(dialogue, line):
    return base64.b64decode(line.split(" ")[2]) == b"\0" + USER + b"\0" + PASSWORD


def login(dialogue, line):
    del line
    return (ask(dialogue, b"Username:"), ask(dialogue, b"Password:")) == (USER, PASSWORD)


def scram(dialogue, line):
    """RFC 5802 and 7677, from the server's side."""
    bare = base64.b64decode(line.split(" ")[2]).split(b",", 2)[2]
    nonce = bare.split(b"r=")[1] + b"server"
    first = b"r=" + nonce + b",s=" + base64.b64encode(SALT) + b",i=4096"
    final = ask(dialogue, first)
    without_proof, proof = final.rsplit(b",p=", 1)
    said = b",".join([bare, first, without_proof])
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD, SALT, 4096)
    key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(key).digest(), said, "sha256")
    if bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature)) != key or b"n=" + USER.replace(b",", b"=2C") not in bare:
        return False
    return ask(dialogue, b"v=" + base64.b64encode(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), said, "sha256"))) == b""


def by(mechanism):
    def answer(dialogue, line):
        right = line.split(" ")[1] == mechanism.__name__.upper().replace("SCRAM", "SCRAM-SHA-256") and mechanism(dialogue, line)
        with dialogue.peer.lock:
            dialogue.peer.seen["login" if right else "refusal"] += 1
        dialogue.say("235 2.7.0 welcome" if right else "535 5.7.8 who are you")
    return answer


class Ways(case.Case):
    UP_OPTIONS = ("--only", "smtpd,deliver,authd,queue")
    DOMAINS = {"a.test": ["ann"], "c.test": ["cora"]}

    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        own = tempfile.mkdtemp(prefix="gk-ways-")
        cls.addClassCleanup(shutil.rmtree, own, True)
        pair = aside.certificate(own, "peer.test")
        for name, password in (("right", PASSWORD), ("wrong", b"let me in")):
            with open(f"{own}/{name}", "wb") as file:
                file.write(USER + b"\n" + password + b"\n")

        def peer(**options):
            return stack.enter_context(hostile_peer.Peer(**options))
        cls.mx, cls.sidedoor = peer(), peer()
        port = cls.mx.port
        cls.mirror = peer(address="127.0.0.31", port=port, name=cls.HOSTNAME)
        cls.many = [peer(misdeeds={"connect": lambda dialogue, _: dialogue.drop()}, address=f"127.0.1.{last}", port=port) for last in range(1, 21)]
        cls.smart = {}
        for last, (name, mechanism, offered) in enumerate((("plain", plain, "PLAIN"), ("login", login, "LOGIN"), ("scram", scram, "PLAIN LOGIN SCRAM-SHA-256"),
                                                          ("wrong", plain, "PLAIN"), ("none", plain, "GSSAPI")), 21):
            cls.smart[name] = peer(address=f"127.0.0.{last}", certificate=pair, login=by(mechanism), capabilities=("STARTTLS", f"AUTH {offered}"))
        cls.dns = stack.enter_context(nameserver.NameServer(f"""
mx.test MX 10 mx.mx.test
mx.mx.test A 127.0.0.1
implicit.test A 127.0.0.1
six.test MX 10 mx.six.test
mx.six.test AAAA ::1
mx.six.test A 127.0.0.1
two.test MX 10 dead.two.test
two.test MX 10 mx.mx.test
two.test MX 20 worse.two.test
dead.two.test A 127.0.0.9
worse.two.test A 127.0.0.9
null.test MX 0 .
own.test MX 10 mx.a.test
own.test MX 20 mx.mx.test
mx.a.test A 127.0.0.1
loop.test MX 10 alias.loop.test
loop.test MX 20 mx.mx.test
patient.test MX 10 dead.two.test
patient.test MX 20 alias.loop.test
patient.test MX 30 mx.mx.test
alias.loop.test A 127.0.0.31
backup.test MX 10 mx.mx.test
backup.test MX 20 mx.a.test
listed.test MX 10 mx.mx.test
away.test MX 10 dead.two.test
away.test MX 20 mx.a.test
away.test MX 30 mx.mx.test
many.test MX 10 mx.many.test
""" + "".join(f"mx.many.test A {one.address}\n" for one in cls.many)))
        routes = "".join(f'"{name}.test" = "{one.address}:{one.port}"\n' for name, one in cls.smart.items())
        credentials = "".join(f'"{one.address}" = "{own}/{"wrong" if name == "wrong" else "right"}"\n' for name, one in cls.smart.items())
        cls.SETTINGS = f"""[dns]
resolver = ["127.0.0.1@{cls.dns.port}"]
[queue]
port = {port}
retry_first = "30s"
retry_most = "30s"
connect_timeout = "5s"
[queue.source_addresses]
"127.0.0.10" = "mail1.a.test"
"127.0.0.11" = "mail2.a.test"
"::1" = "mail6.a.test"
[queue.sender_addresses]
"c.test" = "127.0.0.11"
[queue.sender_routes]
"cora@c.test" = "127.0.0.1:{cls.sidedoor.port}"
[queue.routes]
"direct.test" = "127.0.0.1:{port}"
{routes}
[queue.credentials]
{credentials}
[smtp.relay_domains]
"backup.test" = "*"
"listed.test" = "bob"
"away.test" = "*"
[dkim]
sign = false
"""
        super().setUpClass()

    def submit(self, recipient, sender="ann@a.test"):
        with self.smtp("submission") as smtp:
            smtp.starttls(context=case.TLS)
            smtp.login(sender, self.gk.PASSWORD)
            smtp.sendmail(sender, [recipient], f"From: {sender}\r\nSubject: to {recipient}\r\n\r\nhello\r\n")

    def at(self, peer, recipient):
        return [one for one in peer.received if recipient in one.recipients]

    def arrives(self, recipient, peer, sender="ann@a.test"):
        self.submit(recipient, sender)
        return self.wait(f"the message to {recipient}", lambda: self.at(peer, recipient), 30)[0]

    def failed(self, recipient):
        return self.wait("the failure", lambda: [event for event in self.gk.events("queue.failed") if event["recipient"] == recipient], 30)[0]

    def history(self, recipient):
        return [attempt for line in gk.run("gk-queue", "list", "--recipient", recipient, "--json", "--root", self.gk.root).splitlines()
                for shown in gk.run("gk-queue", "show", json.loads(line)["id"], "--json", "--root", self.gk.root, code=None).splitlines()
                for attempt in json.loads(shown)["history"]]

    def deferred(self, recipient):
        return self.wait("an attempt that failed", lambda: [a for a in self.history(recipient) if a["outcome"] == "deferred"], 30)[0]

    def test_goes_out_from_an_address_of_ours_under_its_name(self):
        names = {"127.0.0.10": "mail1.a.test", "127.0.0.11": "mail2.a.test"}
        for recipient in ("x@mx.test", "x@implicit.test", "x@direct.test"):
            one = self.arrives(recipient, self.mx)
            self.assertEqual(one.helo, names[one.client])

    def test_a_sender_has_addresses_and_a_route_of_its_own(self):
        one = self.arrives("y@mx.test", self.sidedoor, "cora@c.test")
        self.assertEqual((one.client, one.helo), ("127.0.0.11", "mail2.a.test"))
        # A route for the recipient's domain says more than one for the sender.
        one = self.arrives("y@direct.test", self.mx, "cora@c.test")
        self.assertEqual((one.client, one.helo), ("127.0.0.11", "mail2.a.test"))
        self.assertEqual(self.at(self.mx, "y@mx.test"), [])

    def test_a_dead_ipv6_address_gives_way_to_ipv4(self):
        self.arrives("x@six.test", self.mx)

    def test_a_dead_host_gives_way_to_one_of_equal_preference(self):
        for number in range(4):
            self.arrives(f"x{number}@two.test", self.mx)

    def test_a_domain_with_null_mx_gets_nothing(self):
        self.submit("x@null.test")
        self.assertEqual(self.failed("x@null.test")["status"], "5.1.10")

    def test_a_domain_whose_best_host_we_are_is_a_loop(self):
        self.submit("x@own.test")
        self.assertEqual(self.failed("x@own.test")["status"], "5.4.6")

    def test_a_host_that_calls_itself_by_our_name_is_a_loop(self):
        self.submit("x@loop.test")
        self.assertEqual(self.failed("x@loop.test")["status"], "5.4.6")
        # Unless a better host may come back.
        self.submit("x@patient.test")
        self.assertIn("dead.two.test", self.deferred("x@patient.test")["peer"])
        self.assertEqual(self.mirror.received + self.at(self.mx, "x@loop.test") + self.at(self.mx, "x@patient.test"), [])

    def from_outside(self, *recipients):
        with self.smtp() as smtp:
            smtp.sendmail("ann@a.test", list(recipients), "Subject: for others\r\n\r\nhello\r\n")

    def test_a_backup_takes_mail_for_the_domains_of_others_and_hands_it_on(self):
        self.from_outside("x@backup.test")
        self.wait("the message", lambda: self.at(self.mx, "x@backup.test"), 30)
        self.from_outside("Bob@listed.test", "postmaster@listed.test")
        self.wait("the message", lambda: self.at(self.mx, "Bob@listed.test"), 30)
        for recipient, code in (("eve@listed.test", b"5.1.1"), ("x@mx.test", b"5.7.1")):
            with self.assertRaises(case.smtplib.SMTPRecipientsRefused) as refused:
                self.from_outside(recipient)
            self.assertIn(code, refused.exception.recipients[recipient][1])

    def test_a_backup_waits_for_a_better_host_and_asks_no_worse_one(self):
        self.from_outside("x@away.test")
        attempt = self.deferred("x@away.test")
        self.assertIn("dead.two.test", attempt["peer"])
        self.assertEqual(self.at(self.mx, "x@away.test"), [])

    def test_the_addresses_tried_for_one_message_are_bounded(self):
        self.submit("x@many.test")
        self.deferred("x@many.test")
        self.assertEqual(sum(one.connections for one in self.many), 12)

    def test_logs_in_at_a_smarthost_by_the_strongest_mechanism(self):
        for name in ("plain", "login", "scram"):
            one = self.arrives(f"x@{name}.test", self.smart[name])
            self.assertTrue(one.tls)
            self.assertEqual((self.smart[name].seen["login"], self.smart[name].seen["refusal"]), (1, 0), name)

    def test_a_refused_login_waits_for_whoever_can_mend_it(self):
        self.submit("x@wrong.test")
        attempt = self.deferred("x@wrong.test")
        self.assertEqual((attempt["status"], attempt["text"]), ("4.7.8", "login refused: 535 5.7.8 who are you"))
        self.assertEqual(self.smart["wrong"].received, [])

    def test_a_smarthost_without_a_mechanism_of_ours_gets_no_mail(self):
        self.submit("x@none.test")
        self.assertIn("offers no login that can be used", self.deferred("x@none.test")["text"])
        self.assertEqual(self.smart["none"].received, [])


if __name__ == "__main__":
    unittest.main()
