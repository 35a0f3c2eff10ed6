#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The gate in a network of several client addresses, with rbldnsd as the list in DNS. The clock is moved by what the gate wrote down of it."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from bed import gk
from bed.net import Network

SEND = """import socket, smtplib, sys
server, source, helo, sender, to, early = sys.argv[1:7]
class Early(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        made = super()._get_socket(host, port, timeout)
        if early == "early": made.sendall(b"EHLO " + helo.encode() + b"\\r\\n")
        return made
s = Early(server, 25, local_hostname=helo, timeout=30, source_address=(source, 0))
if early == "early": s.getreply()
s.ehlo(); s.mail(sender)
code, text = s.rcpt(to)
if code == 250: code, text = s.data(b"From: x@b.test\\r\\nSubject: x\\r\\n\\r\\ntext\\r\\n")
print(code, text.decode())
"""
LISTS = {"bl": ":127.0.0.2:listed\n10.53.0.101\n10.53.0.102 :127.0.0.11:\n10.53.0.103 :127.255.255.254:\n", "wl": ":127.0.0.3:\n10.53.0.102\n"}


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.net = Network({"a.test": "mx", "b.test": "client"}, more_hosts=("lists",))
        cls.net.__enter__()
        try:
            for name, text in LISTS.items():
                with open(f"{cls.net.folder}/{name}", "w", encoding="ascii") as file:
                    file.write(f"$SOA 60 ns.test. h.test. 0 60 60 3600 60\n$NS 60 ns.test.\n{text}")
            os.chmod(cls.net.folder, 0o755)
            cls.net.start("lists", "rbldnsd", "-n", "-u", "nobody", "-b", f"{cls.net.hosts['lists']}/53",
                          *(f"{name}.test:ip4set:{cls.net.folder}/{name}" for name in LISTS), stdout=subprocess.DEVNULL)
            for last in range(101, 110):
                cls.net.add_address("client", last)
            cls.gk = gk.Instance("mx.a.test", {"a.test": ["ann"]}, f"""
[dns]
resolver = ["{cls.net.hosts['dns']}"]
timeout = "5s"
[dns.stubs]
"bl.test" = "{cls.net.hosts['lists']}"
"wl.test" = "{cls.net.hosts['lists']}"
[gate]
pregreet_wait_ms = 150
honeypots = ["trap@a.test"]
[gate.dns_lists]
"bl.test" = "127.0.0.2=5 127.0.0.10-11=6"
"wl.test" = "-3"
""", port_base=0, up_options=["--listen", "0.0.0.0"], prefix=cls.net.inside("mx"))
            cls.gk.start()
        except BaseException:
            cls.net.__exit__()
            raise

    @classmethod
    def tearDownClass(cls):
        code = cls.gk.stop()
        shutil.rmtree(cls.gk.root, ignore_errors=True)
        cls.net.__exit__()
        if code:
            raise gk.Failed(f"gk-up ended with {code}")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(self.gk.logs(25))

    def send(self, last, sender="x@b.test", to="ann@a.test", helo="mx.b.test", early="no"):
        done = subprocess.run([*self.net.inside("client"), "/usr/bin/python3", "-c", SEND, self.net.hosts["mx"], f"10.53.0.{last}", helo, sender, to, early],
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        code, _, text = done.stdout.strip().partition(" ")
        return int(code), text

    def gate(self, *words, code=0):
        return gk.run("gk-gate", *words, "--root", self.gk.root, code=code)

    def settings(self, text):
        """More of [gate], from a fresh memory; the daemon is started anew."""
        self.gk.stop()
        with open(f"{self.gk.root}/gk.toml.d/60-gate.toml", "w", encoding="ascii") as file:
            file.write(f"[gate]\n{text}\n")
        shutil.rmtree(f"{self.gk.root}/spool/gate")
        os.mkdir(f"{self.gk.root}/spool/gate", 0o750)
        self.gk.start()

    def move_clock(self, seconds):
        """Whatever the gate has written down is so much longer ago; over a restart."""
        self.gk.stop()
        path = f"{self.gk.root}/spool/gate/state"
        with open(path, encoding="ascii") as file:
            lines = [line.split(" ") for line in file.read().splitlines()]
        with open(path, "w", encoding="ascii") as file:
            for kind, network, domain, first, last, passed in lines:
                file.write(f"{kind} {network} {domain} {int(first) - seconds} {int(last) - seconds} {passed}\n")
        self.gk.start()

    def test_rbldnsd_lists_count_by_their_answers(self):
        code, said = self.send(101)
        self.assertEqual(code, 550)
        self.assertIn("5.7.1 5 points against you, 5 are too many: bl.test says 127.0.0.2", said)
        self.assertEqual(self.send(102)[0], 250)  # 6 and -3: an allow list outweighs
        self.assertEqual(self.send(103)[0], 250)  # the list says that it does not answer: that is no listing
        self.assertEqual(self.send(104)[0], 250)
        self.assertEqual(self.send(101, to="postmaster@a.test")[0], 250)

    def test_the_refusal_is_explained_by_the_log(self):
        said = self.send(101)[1]
        ident = re.search(r"\((\w{20})\)", said)[1]
        story = gk.run("gk-log", "trace", ident, "--root", self.gk.root)
        self.assertIn("reject at the gate with 5 points: dnsbl listed: bl.test says 127.0.0.2 (+5)", story)

    def test_who_speaks_before_the_greeting_gets_points(self):
        self.assertEqual(self.send(105, early="early")[0], 250)  # 3 of 5
        code, said = self.send(105, helo="localhost", early="early")
        self.assertEqual(code, 250, said)  # 4
        self.settings("score_helo = 2")
        code, said = self.send(105, helo="localhost", early="early")
        self.assertEqual(code, 550)
        self.assertIn("its name has no domain; it spoke before it was greeted", said)
        self.settings("")

    def test_greylisting_over_time_and_restarts(self):
        self.settings('greylist = true')
        code, said = self.send(106)
        self.assertEqual(code, 450)
        self.assertIn("greylisted (not seen before): try again in 300 s", said)
        self.assertEqual(self.send(107)[0], 450)  # the same network has not waited yet
        self.move_clock(301)
        self.assertEqual(self.send(107)[0], 250)
        self.assertEqual(self.send(106, sender="y@b.test")[0], 250)
        self.assertEqual(self.send(106, sender="y@c.test")[0], 450)
        listed = [json.loads(line) for line in self.gate("list", "--json").splitlines()]
        self.assertEqual({(line["domain"], line["passed"]) for line in listed if line["kind"] == "grey"}, {("b.test", True), ("c.test", False)})
        self.move_clock(2 * 86400)
        self.assertEqual(self.send(106, sender="y@c.test")[0], 450)  # too late: from the beginning
        self.move_clock(36 * 86400)
        self.assertEqual(self.send(106)[0], 450)  # forgotten
        self.gate("prune")
        self.settings("")

    def test_rates_of_address_and_network(self):
        self.settings("address_recipients = 2\nnetwork_recipients = 3")
        self.assertEqual([self.send(107)[0] for _ in range(3)], [250, 250, 450])
        code, said = self.send(107)
        self.assertIn("10.53.0.107 may name 2 recipients an hour: try again in", said)
        self.assertEqual(self.send(108)[0], 250)
        self.assertIn("10.53.0.0/24 may name 3 recipients", self.send(109)[1])
        self.settings("")

    def test_lists_by_hand(self):
        self.gate("block", "10.53.0.108", "@evil.test")
        code, said = self.send(108)
        self.assertEqual((code, said.split(" (")[0]), (550, "5.7.1 10.53.0.108 is blocked here"))
        self.assertEqual(self.send(109, sender="x@sub.evil.test")[0], 550)
        self.gate("allow", "10.53.0.108")
        self.assertEqual(self.send(108)[0], 250)
        self.gate("remove", "10.53.0.108", "@evil.test")
        self.assertEqual(self.send(109, sender="x@sub.evil.test")[0], 250)
        self.gate("remove", "10.53.0.108", code=66)

    def test_a_honeypot(self):
        self.settings("")
        nobody = self.send(109, to="nobody@a.test")
        self.assertEqual(self.send(109, to="trap@a.test"), nobody)
        self.assertEqual(nobody[0], 550)
        code, said = self.send(108)
        self.assertEqual(code, 550)
        self.assertIn("your network 10.53.0.0/24 wrote to an address that only harvesters know", said)
        self.assertEqual(self.send(108, to="postmaster@a.test")[0], 250)
        self.move_clock(86400 + 1)
        self.assertEqual(self.send(108)[0], 250)

    def test_the_tool_says_what_the_daemon_does(self):
        def check(last, code):
            words = ["gk-gate", "check", "--json", "--client", f"10.53.0.{last}", "--helo", "mx.b.test", "--from", "x@b.test", "--to", "ann@a.test", "--root", self.gk.root]
            done = subprocess.run([*self.net.inside("mx"), f"{gk.BIN}/{words[0]}", *words[1:]], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, code, done.stderr + done.stdout)
            return [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(check(101, 1)[-1]["result"], "reject")
        rows = check(102, 0)
        self.assertEqual(sorted((row["result"], row["score"]) for row in rows), [("accept", 3), ("allowed", -3), ("listed", 6)])
        self.assertEqual(check(103, 0)[0]["result"], "error")


if __name__ == "__main__":
    if os.geteuid() != 0 or shutil.which("rbldnsd") is None:
        print("this needs root, and rbldnsd")
        sys.exit(77)
    unittest.main()
