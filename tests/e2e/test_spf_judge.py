#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# timeout: 300
"""SPF beside an independent judge: python3-spf (pyspf) sees the same DNS as gk-spf, over records made by a seeded program: every
mechanism, qualifier and modifier, macros, includes and redirects that nest, limits reached and passed, names that do not exist,
lookups that fail. The two must agree on each."""
import collections
import concurrent.futures
import json
import os
import random
import shutil
import sys
import tempfile
import unittest

from bed import gk

try:
    import spf
except ImportError:
    spf = None

CASES = 800
DOMAINS = 120
QUALIFIERS = ("", "", "+", "-", "~", "?")
MACROS = ("%{i}._spf.{d}", "%{ir}.in.{d}", "%{l}.u.{d}", "%{l1r-}.u.{d}", "%{h}", "%{d2}", "%{o}", "%{v}.{d}", "%{s}.x.{d}", "%{d1r}.{d}")
# A record that is wrong in one way.
BROKEN = ("ip4:192.0.2.300", "ip4:192.0.2.0/33", "ip6:2001:db8::/129", "a:", "include", "mx/24/", "all:x", "exists:", "frobnicate", "ptr:/4",
          "a//129", "ip4", "redirect=", "include:%{x}.test")


class Zone:
    """A made-up part of DNS: records by name and type, and names whose lookups fail."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.records, self.failing = collections.defaultdict(list), set()
        self.domains = [f"d{n}.test" for n in range(DOMAINS)]
        for domain in self.domains:
            self.fill(domain)

    def address(self):
        return f"192.0.2.{self.random.randrange(16)}" if self.random.random() < 0.7 else f"2001:db8::{self.random.randrange(16):x}"

    def add_address(self, name):
        address = self.address()
        kind = "AAAA" if ":" in address else "A"
        if address not in self.records[name, kind]:
            self.records[name, kind].append(address)

    def fill(self, domain):
        pick = self.random
        for name in (domain, f"h.{domain}", f"mail.{domain}"):
            for _ in range(pick.choice((0, 1, 1, 2))):
                self.add_address(name)
        for n in range(pick.choice((0, 1, 1, 2, 11 if pick.random() < 0.2 else 2))):
            host = pick.choice((f"mail.{domain}", f"h.{domain}", f"gone.{domain}", f"m{n}.{domain}"))
            if (10 * n, host) not in self.records[domain, "MX"]:
                self.records[domain, "MX"].append((10 * n, host))
        for n in range(16):
            if pick.random() < 0.2:
                self.records[f"192.0.2.{n}._spf.{domain}", "A"].append("127.0.0.2")
        if pick.random() < 0.3:
            self.records[f"ann.u.{domain}", "A"].append("127.0.0.2")
        if pick.random() < 0.9:
            self.records[domain, "TXT"].append(self.record(domain))
        if pick.random() < 0.04:
            self.records[domain, "TXT"].append(self.record(domain))  # two: an error
        if pick.random() < 0.3:
            self.records[domain, "TXT"].append("some other text")
        if pick.random() < 0.03:
            self.failing.add(domain)

    def record(self, domain):
        pick = self.random
        terms = [self.term(domain) for _ in range(pick.choice((0, 1, 2, 3, 4, 6)))]
        if pick.random() < 0.05:
            terms.insert(pick.randrange(len(terms) + 1), pick.choice(BROKEN))
        if pick.random() < 0.7:
            terms.append(pick.choice(("-all", "~all", "?all", "-all", "+all")))
        if pick.random() < 0.25:
            terms.append(f"redirect={pick.choice(self.domains)}")
        if pick.random() < 0.1:
            terms.append(f"note={pick.choice(self.domains)}")
        return " ".join([pick.choice(("v=spf1", "v=spf1", "V=SPF1"))] + terms)

    def term(self, domain):
        pick = self.random
        qualifier = pick.choice(QUALIFIERS)
        target = pick.choice(("", "", f":h.{domain}", f":{pick.choice(self.domains)}", f":gone.{domain}",
                              ":" + pick.choice(MACROS).replace("{d}", domain)))
        prefix = pick.choice(("", "", "", "/30", "/28", "//126", "/31//124"))
        kind = pick.choice(("a", "mx", "ip4", "ip4", "ip6", "include", "include", "exists", "ptr", "a"))
        if kind == "ip4":
            return f"{qualifier}ip4:192.0.2.{pick.randrange(16)}{pick.choice(('', '', '/30', '/28'))}"
        if kind == "ip6":
            return f"{qualifier}ip6:2001:db8::{pick.randrange(16):x}{pick.choice(('', '/126', '/120'))}"
        if kind == "include":
            return f"{qualifier}include:{pick.choice(self.domains)}"
        if kind == "exists":
            return f"{qualifier}exists:{pick.choice(MACROS).replace('{d}', domain)}"
        if kind == "ptr":
            return f"{qualifier}ptr{pick.choice(('', ':' + domain))}" if pick.random() < 0.3 else f"{qualifier}a{prefix}"
        return qualifier + kind + target + prefix

    def text(self):
        """For --dns-file."""
        lines = [f"{name} TEMPFAIL" for name in sorted(self.failing)]
        for (name, kind), values in sorted(self.records.items()):
            if name in self.failing:
                continue
            for value in values:
                lines.append(f"{name} {kind} " + (f"{value[0]} {value[1]}" if kind == "MX" else f'"{value}"' if kind == "TXT" else value))
        return "\n".join(lines) + "\n"

    def lookup(self, name, kind, *_):
        """In place of pyspf's own."""
        name = name.rstrip(".").lower()
        if name in self.failing:
            raise spf.TempError("DNS: made to fail")
        found = self.records.get((name, kind), [])
        if kind == "TXT":
            return [((name, kind), (value.encode(),)) for value in found]
        return [((name, kind), value) for value in found]


@unittest.skipIf(spf is None, "python3-spf is not installed")
class SpfJudge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gk-e2e-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.zone = Zone(7208)
        cls.file = f"{cls.folder}/zone.txt"
        with open(cls.file, "w", encoding="utf-8") as file:
            file.write(cls.zone.text())
        spf.DNSLookup = cls.zone.lookup

    def ours(self, case):
        ip, helo, sender = case
        said = gk.run("gk-spf", "check", "--json", "--ip", ip, "--helo", helo, "--from", sender, "--dns-file", self.file, code=None)
        return json.loads(said)

    def test_agrees_on_made_up_policies(self):
        pick = random.Random(4408)
        cases = [(self.zone.address(), f"h.{pick.choice(self.zone.domains)}", f"{pick.choice(('ann', 'a-b', 'bob.c'))}@{pick.choice(self.zone.domains)}")
                 for _ in range(CASES)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            ours = list(pool.map(self.ours, cases))
        counts, differing = collections.Counter(), []
        for case, answer in zip(cases, ours):
            theirs = spf.check2(i=case[0], h=case[1], s=case[2], receiver="mx.here.test")[0]
            counts[answer["result"]] += 1
            if answer["result"] != theirs:
                differing.append((case, answer["result"], theirs, answer["reason"], self.zone.records[case[2].split("@")[1], "TXT"]))
        print(f"    {CASES} checks: {dict(counts)}, {len(differing)} differ", flush=True)
        for each in differing[:20]:
            print("   ", *each, file=sys.stderr)
        self.assertGreaterEqual(len(counts), 6, counts)
        self.assertEqual(differing, [])


if __name__ == "__main__":
    unittest.main()
