#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""gk-dkim rotate beside two name servers of one zone: a key signs once both show it. Runs in a network namespace of its own, so that
both can be at port 53, where the zone's NS records lead."""
import json
import os
import shutil
import sys
import tempfile
import unittest

from bed import gk, knot

INSIDE = "GK_INSIDE_NAMESPACE"


class Rotate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.first = knot.NameServer({"test": False, "a.test": False}, "127.0.0.1", 53)
        cls.second = knot.NameServer({"a.test": False}, "127.0.0.2", 53)
        for server in (cls.first, cls.second):
            server.__enter__()
            cls.addClassCleanup(server.__exit__)
            server.edit(add=[knot.Record.parse(line) for line in (
                "a.test NS ns1.a.test.", "a.test NS ns2.a.test.", "ns1.a.test A 127.0.0.1", "ns2.a.test A 127.0.0.2")])
        # The parent's delegation leads to both as well.
        cls.first.edit(add=[knot.Record.parse("a.test NS ns2.a.test.")])

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gk-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        with open(f"{self.folder}/gk.toml", "w", encoding="utf-8") as file:
            file.write('[server]\nhostname = "mx.a.test"\n[dns]\nresolver = ["recursive"]\ntimeout = "5s"\n[dns.stubs]\ntest = "127.0.0.1"\n')
        # A name of its own: the zone is the same for all tests.
        self.dkim("genkey", "a.test", "-a", "ed25519", "-s", self._testMethodName.replace("_", "-")[5:60].rstrip("-"))

    def dkim(self, *words, code=0):
        return gk.run("gk-dkim", *words, "--root", self.folder, code=code)

    def rotate(self, *words, code=0):
        return [json.loads(line) for line in self.dkim("rotate", "a.test", "--json", *words, code=code).splitlines()]

    def record(self):
        line = json.loads(self.dkim("dns", "a.test", "--json").splitlines()[0])
        return knot.Record(line["name"], "TXT", line["value"])

    def goes_round(self, *words):
        step, = self.rotate(*words, code=1)
        self.assertEqual((step["action"], step["state"]), ("waits", "published"))
        self.first.edit(add=[self.record()])
        step, = self.rotate(*words, code=1)
        self.assertEqual(step["action"], "waits")
        self.assertIn("127.0.0.2", step["reason"])
        self.assertNotIn("127.0.0.1", step["reason"])
        self.second.edit(add=[self.record()])
        step, = self.rotate(*words)
        self.assertEqual((step["action"], step["state"]), ("activated", "active"))

    def test_servers_of_the_zone_must_all_show_it(self):
        self.goes_round()

    def test_servers_that_are_named_must_all_show_it(self):
        self.goes_round("--server", "127.0.0.1", "--server", "127.0.0.2")

    def test_a_server_that_does_not_answer_is_waited_for(self):
        for server in (self.first, self.second):
            server.edit(add=[self.record()])
        step, = self.rotate("--server", "127.0.0.1", "--server", "127.0.0.3", code=75)
        self.assertEqual(step["action"], "waits")
        self.assertIn("127.0.0.3", step["reason"])
        self.rotate("--server", "127.0.0.1", "--server", "127.0.0.2")


if __name__ == "__main__":
    if not knot.installed() or not shutil.which("unshare"):
        print("skipped: knot or unshare is not installed")
        sys.exit(77)
    if INSIDE not in os.environ:
        words = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
        os.execvpe(words[0], [*words, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-B", os.path.abspath(__file__), *sys.argv[1:]],
                   {**os.environ, INSIDE: "1"})
    unittest.main()
