# SPDX-License-Identifier: MIT
"""A real peer: Postfix and gk deliver to each other by MX, with TLS, on a network of their own."""
import os
import subprocess
import sys
import unittest

from bed import case, gk, mail, net, postfix


class PostfixPeer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.net = net.Network({"a.test": "mx-a", "b.test": "mx-b"})
        cls.net.__enter__()
        cls.addClassCleanup(cls.net.__exit__, None, None, None)
        address = cls.net.hosts["mx-a"]
        cls.gk = gk.Instance("mx.a.test", {"a.test": ["ann"]}, f"""[dns]
resolver = ["{cls.net.hosts['dns']}"]
[queue]
retry_first = "1s"
retry_most = "2s"
connect_timeout = "3s"
ipv6 = false
[smtp]
check_from = false
""", port_base=0, up_options=["--listen", "0.0.0.0"], prefix=cls.net.inside("mx-a"))
        cls.gk.address = address
        cls.addClassCleanup(cls.gk.__exit__, None, None, None)
        cls.gk.start()
        cls.peer = postfix.Postfix("mx.b.test", "b.test", prefix=cls.net.inside("mx-b"))
        cls.addClassCleanup(cls.peer.__exit__)
        cls.peer.start()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(self.gk.logs(20), self.peer.log()[-3000:], file=sys.stderr)

    def submit(self, message, recipient="carl@b.test"):
        """From inside gk's host, as a client there would."""
        script = ("import smtplib,ssl,sys\n"
                  "t=ssl.create_default_context(); t.check_hostname=False; t.verify_mode=ssl.CERT_NONE\n"
                  "s=smtplib.SMTP('127.0.0.1',587,timeout=30); s.starttls(context=t); s.login('ann@a.test',sys.argv[1])\n"
                  "s.sendmail('ann@a.test',[sys.argv[2]],sys.stdin.buffer.read()); s.quit()\n")
        done = subprocess.run([*self.net.inside("mx-a"), "/usr/bin/python3", "-c", script, self.gk.PASSWORD, recipient], input=message,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())

    def at_peer(self, message):
        return case.digest(message) in [case.digest(gk.contents(path)) for path in self.peer.files()]

    def test_postfix_delivers_to_gk_with_tls(self):
        message = mail.Maker(11, "carl@b.test").message()
        self.peer.send("carl@b.test", "ann@a.test", message)
        gk.wait_for("Postfix's message", lambda: case.digest(message) in [case.digest(gk.contents(f)) for f in self.gk.files("ann@a.test")], 30)
        self.assertIn("TLS connection established to mx.a.test", self.peer.log())

    def test_gk_delivers_to_postfix_with_tls(self):
        message = mail.Maker(12, "ann@a.test", "carl@b.test").message()
        self.submit(message)
        gk.wait_for("the message at Postfix", lambda: self.at_peer(message), 30)
        arrived = next(gk.contents(f) for f in self.peer.files() if case.digest(gk.contents(f)) == case.digest(message))
        self.assertIn(b"using TLSv1", arrived.split(b"\n\n")[0])

    def test_many_real_messages_cross_in_both_directions(self):
        messages = mail.some(60, seed=13)
        before = len(self.gk.files("ann@a.test")), len(self.peer.files())
        for message in messages:
            self.submit(message) if len(message) % 2 else self.peer.send("carl@b.test", "ann@a.test", message)
        to_gk = sum(1 for m in messages if not len(m) % 2)
        gk.wait_for("all at gk", lambda: len(self.gk.files("ann@a.test")) == before[0] + to_gk, 60)
        gk.wait_for("all at Postfix", lambda: len(self.peer.files()) == before[1] + len(messages) - to_gk, 60)

    def test_mail_for_a_stopped_peer_waits_and_arrives(self):
        self.addCleanup(self.peer.start)
        self.peer.stop()
        message = mail.Maker(14, "ann@a.test", "carl@b.test").message()
        self.submit(message)
        gk.wait_for("a first attempt that fails", lambda: self.gk.events("queue.deferred"), 20)
        listed = gk.run("gk-queue", "list", "--json", "--root", self.gk.root)
        self.assertIn("carl@b.test", listed)
        self.peer.start()
        gk.wait_for("the message after the peer's return", lambda: self.at_peer(message), 40)
        gk.wait_for("an empty queue", lambda: not gk.run("gk-queue", "list", "--root", self.gk.root).strip(), 10)

    def test_mail_for_a_host_without_network_waits_and_arrives(self):
        # gk may still hold a session to the peer, which is silent now as a new connection is.
        self.addCleanup(self.net.link, "mx-b", True)
        self.net.link("mx-b", False)
        message = mail.Maker(15, "ann@a.test", "carl@b.test").message()
        deferred = len(self.gk.events("queue.deferred"))
        self.submit(message)
        gk.wait_for("a connection that times out", lambda: len(self.gk.events("queue.deferred")) > deferred, 40)
        self.net.link("mx-b", True)
        gk.wait_for("the message after the cable is back", lambda: self.at_peer(message), 60)

    def test_a_recipient_the_peer_refuses_comes_back_as_a_dsn(self):
        self.peer.command("/usr/sbin/postconf", "-c", self.peer.config, "-e", "smtpd_recipient_restrictions = check_recipient_access inline:{{nobody@b.test = REJECT no such person}}, permit")
        self.peer.command("/usr/sbin/postfix", "-c", self.peer.config, "reload")
        message = mail.Maker(16, "ann@a.test", "nobody@b.test").message()
        self.submit(message, "nobody@b.test")

        def dsn():
            for path in self.gk.files("ann@a.test"):
                text = gk.contents(path)
                if b"multipart/report" in text and b"nobody@b.test" in text:
                    return text
            return None

        text = gk.wait_for("the DSN", dsn, 30)
        self.assertIn(b"report-type=\"delivery-status\"", text.replace(b"report-type=delivery-status", b"report-type=\"delivery-status\""))
        self.assertIn(b"Action: failed", text)
        self.assertIn(b"no such person", text)
        self.assertIn(b"Return-Path: <>", text)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root for network namespaces")
        sys.exit(77)
    unittest.main()
