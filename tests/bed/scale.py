# SPDX-License-Identifier: MIT
"""A queue of many messages to many destinations, of which the odd ones refuse connections or say nothing."""
import json
import os
import random
import shutil
import subprocess
import time
import unittest

from bed import gk
from bed.sink import Sink

FILL = f"{os.path.dirname(gk.BIN)}/bench/spoolfill"
START_WITHIN, ANSWER_WITHIN = 5.0, 1.0    # seconds: what is required of the real thing, with 1,000,000 messages
MOST_MEMORY_KB = 256 * 1024


def free_port():
    while True:
        port = random.randrange(10000, 20000)
        if subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, check=True).stdout == b"":
            return port


class Scale(unittest.TestCase):
    MESSAGES, DESTINATIONS, WITHIN = 50_000, 1_000, 200
    slowest = 0.0

    def settings(self, port, silent_port):
        """A route for each destination, to an address of its own: only connections tell which of them work."""
        lines = ["[queue]", 'retry_first = "10m"', 'connect_timeout = "3s"', 'command_timeout = "3s"', "threads = 100", "[queue.routes]"]
        for n in range(self.DESTINATIONS):
            address = f"127.1.{n // 250}.{n % 250 + 1}"
            to = port if n % 2 == 0 else silent_port if n % 20 == 1 else 1
            lines.append(f'"d{n}.test" = "{address}:{to}"')
        return "\n".join(lines) + "\n"

    def fill(self, folder, count, sender, recipient):
        subprocess.run([FILL, f"{self.gk.root}/spool", folder, str(count), "300", sender, recipient], check=True)

    def memory_kb(self):
        with open(f"/proc/{self.gk.pids('gk-queue')[0]}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))

    def listed(self, *filters):
        """The rows of a list, which must come soon."""
        begun = time.monotonic()
        rows = [json.loads(line) for line in gk.run("gk-queue", "list", "--json", "--limit", "20", *filters, "--root", self.gk.root).splitlines()]
        self.assertLess(time.monotonic() - begun, ANSWER_WITHIN, filters)
        return rows

    def stats(self, *how):
        """What stats say, which must come soon; {name: row}."""
        begun = time.monotonic()
        rows = [json.loads(line) for line in gk.run("gk-queue", "stats", "--json", *how, "--root", self.gk.root).splitlines()]
        took = time.monotonic() - begun
        self.assertLess(took, ANSWER_WITHIN, how)
        self.slowest = max(self.slowest, took)
        return {row["name"]: row for row in rows}

    def check_stats(self):
        """All of what is left, counted each way."""
        half, each = self.MESSAGES // 2, self.MESSAGES // self.DESTINATIONS
        for how in ((), ("--by", "age"), ("--by", "sender"), ("--by", "account")):
            self.assertEqual(sum(row["messages"] for row in self.stats(*how).values()), half, how)
        rows = self.stats()
        self.assertEqual(len(rows), self.DESTINATIONS // 2)
        self.assertEqual({row["messages"] for row in rows.values()}, {each})
        self.assertIn(rows["d3.test"]["state"], ("down", "up"))
        self.assertTrue(rows["d3.test"]["next"])

    def start(self):
        begun = time.monotonic()
        self.gk.start()
        took = time.monotonic() - begun
        self.assertLess(took, START_WITHIN)
        return took

    def settled(self, wanted):
        """Waits until as many files are left, and the index has looked at all."""
        names = f"{self.gk.root}/spool/active"
        gk.wait_for(f"{wanted} messages left", lambda: len(os.listdir(names)) == wanted and self.gk.events("queue.reconciled"), self.WITHIN)

    def test_the_dead_half_does_not_hold_up_the_living(self):
        port, silent_port = free_port(), free_port()
        half = self.MESSAGES // 2
        self.gk = gk.Instance("mx.a.test", {"a.test": ["ann"]}, self.settings(port, silent_port), up_options=("--only", "queue"))
        try:
            with Sink(port, silent_port, "one@d0.test") as sink:
                self.fill("active", self.MESSAGES, "bulk{7}@a.test", f"u{{}}@d{{{self.DESTINATIONS}}}.test")
                started = self.start()
                gk.wait_for("the first deliveries", lambda: sink.counts()["messages"] > half // 50, self.WITHIN)
                self.listed("--sender", "@a.test")
                self.stats()
                at = sink.counts()["messages"]
                self.fill("new", 1, "ann@a.test", "one@d0.test")
                gk.wait_for("the living half", lambda: sink.counts()["messages"] == half + 1, self.WITHIN)
                seen = sink.counts()["seen_at"]
                # Of what was there before only a small part went first.
                self.assertLess(seen - at, half // 4)
                self.settled(half)
                self.check_stats()
                for filters in ([], ["--recipient", "@d1.test"], ["--sender", "@a.test"], ["--sender", "bulk1@a.test"], ["--recipient", "@d1.test", "--sender", "@a.test"]):
                    self.assertEqual(len(self.listed(*filters)), 20, filters)
                self.assertEqual(self.listed("--recipient", "@d0.test"), [])
                peak = self.memory_kb()
                self.assertLess(peak, MOST_MEMORY_KB)
                self.assertEqual(self.gk.stop(), 0)
                again = self.start()
                self.assertEqual(len(self.listed("--recipient", "@d1.test")), 20)
                self.check_stats()
                print(f"{self.MESSAGES} messages: ready in {started:.2f} s, again in {again:.2f} s; stats within {self.slowest:.2f} s; "
                      f"the single message came {seen - at} later; {peak} kB")
        finally:
            self.gk.stop()
            if not self.gk.keep:
                shutil.rmtree(self.gk.root, ignore_errors=True)
