#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# timeout: 600
"""DMARC beside independent judges: python3-authheaders and libopendmarc, which follow RFC 7489, see the same messages and
the same DNS as gk-dmarc. Where RFC 9989 differs from RFC 7489, the difference has a name in DIFFERENCES, and both sides
must say what their RFC says; everywhere else they must agree."""
import collections
import concurrent.futures
import ctypes
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

from bed import gk

try:
    import authheaders
    import dkim
except ImportError:
    authheaders = None
try:
    opendmarc = ctypes.CDLL("libopendmarc.so.2")
except OSError:
    opendmarc = None

CASES = 1000
SUFFIX_LIST = "/usr/share/publicsuffix/public_suffix_list.dat"
POLICIES = ("none", "quarantine", "reject")

# What RFC 9989 changed, as a name and the reason.
DIFFERENCES = {
    "between": "the only record stands between the author's domain and the registered one: RFC 7489 asks for the two ends alone",
    "border": "a record says psd=n: an organization of its own, whatever is registered above it",
    "new form": "the record has t= or np=, and the registered domain has no record: by the tree walk, names beside it or above are "
                "another organization",
    "test mode": "t=y: one step less than the policy; RFC 7489 does not know it",
}
# What a judge gets wrong of RFC 7489 itself, or does not know:
# - authheaders applies sp= and np= to the domain of the record itself: there its policy is not asked for, its result is.
# - opendmarc 1.4.2 does not know np= (nor does RFC 7489), and takes a name below the registered domain for aligned where the
#   author is the registered domain itself and alignment is strict. RFC 7489, 3.1, wants them to be equal; authheaders agrees
#   with gk there. These cases are counted as "strict", and gk must not pass them.


def judge_lib():
    """libopendmarc with the public suffix list and its table of fake records."""
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    opendmarc.opendmarc_policy_connect_init.restype = pointer
    for name, arguments in (("opendmarc_policy_connect_init", (text, number)), ("opendmarc_policy_connect_shutdown", (pointer,)),
                            ("opendmarc_policy_store_from_domain", (pointer, text)), ("opendmarc_policy_query_dmarc", (pointer, text)),
                            ("opendmarc_policy_store_spf", (pointer, text, number, number, text)),
                            ("opendmarc_policy_store_dkim", (pointer, text, text, number, text)),
                            ("opendmarc_get_policy_to_enforce", (pointer,)),
                            ("opendmarc_policy_fetch_alignment", (pointer, ctypes.POINTER(number), ctypes.POINTER(number))),
                            ("opendmarc_tld_read_file", (text, text, text, text)), ("opendmarc_dns_fake_record", (text, text))):
        getattr(opendmarc, name).argtypes = arguments
    if opendmarc.opendmarc_tld_read_file(SUFFIX_LIST.encode(), b"//", b"*.", b"!") != 0:
        raise unittest.SkipTest(f"{SUFFIX_LIST} cannot be read: install publicsuffix")
    # One entry, and the library asks its table instead of DNS.
    opendmarc.opendmarc_dns_fake_record(b"_dmarc.unused.test", b"v=DMARC1; p=none")
    return opendmarc


class Case:
    """One message: who it is from, what DNS holds, what SPF and DKIM say."""

    def __init__(self, number, chance):
        suffix = chance.choice(("com", "org", "co.uk", "de", "com.br"))
        self.number = number
        self.registered = f"d{number}.{suffix}"
        other = f"other{number}.{suffix}"
        below = [f"mail.{self.registered}", f"a.b.{self.registered}"]
        self.author = chance.choice([self.registered, self.registered, *below])
        near = [self.author, self.registered, *below, f"sub.{self.author}", f"b.{self.registered}"]
        pick = lambda: chance.choice(near + [other, f"x.{other}", f"not{self.registered}"])
        self.records, self.tags = {}, {}
        for name in dict.fromkeys((self.author, self.registered)):
            if chance.random() < 0.7:
                self.publish(name, chance)
        if self.author.startswith("a.b.") and chance.random() < 0.4:
            self.publish(f"b.{self.registered}", chance)
        self.spf = (chance.choice(("pass", "pass", "fail", "softfail", "none")), pick())
        self.good = [pick() for _ in range(chance.choice((0, 0, 1, 1, 2)))]
        self.bad = [pick() for _ in range(chance.choice((0, 0, 0, 1)))]
        self.exists = chance.random() < 0.7

    def publish(self, name, chance):
        tags = {"p": chance.choice(POLICIES)}
        if chance.random() < 0.4:
            tags["sp"] = chance.choice(POLICIES)
        for tag in ("adkim", "aspf"):
            if chance.random() < 0.4:
                tags[tag] = chance.choice("rs")
        for tag, values, odds in (("np", POLICIES, 0.1), ("t", ("y", "n"), 0.1), ("psd", ("n",), 0.08), ("pct", ("100",), 0.2)):
            if chance.random() < odds:
                tags[tag] = chance.choice(values)
        order = [tag for tag in tags if tag != "p"]
        chance.shuffle(order)
        self.tags[name] = tags
        self.records[name] = "; ".join(["v=DMARC1"] + [f"{tag}={tags[tag]}" for tag in ("p", *order)]) + chance.choice(("", ";"))

    @property
    def policy_domain(self):
        """By RFC 7489, 6.6.3."""
        return next((name for name in (self.author, self.registered) if name in self.tags), None)

    @property
    def passed(self):
        return ([self.spf[1]] if self.spf[0] == "pass" else []) + self.good

    def difference(self):
        """The name of what RFC 9989 changes in this case; None where both RFCs say the same."""
        if any(tags.get("psd") for tags in self.tags.values()):
            return "border"
        if self.policy_domain is None:
            return "between" if self.tags else None
        tags = self.tags[self.policy_domain]
        if self.registered not in self.tags and (tags.keys() & {"t", "np"}) and self.author != self.registered:
            return "new form"
        return "test mode" if tags.get("t") == "y" else None

    def strict_below(self):
        """Whether the author is the registered domain and a name below it passed where alignment is strict."""
        tags = self.tags.get(self.author, {})
        names = [self.spf[1]] if self.spf[0] == "pass" and tags.get("aspf") == "s" else []
        names += self.good if tags.get("adkim") == "s" else []
        return self.author == self.registered and any(name.endswith("." + self.registered) for name in names)

    def dns(self, name):
        name = name.rstrip(".")
        if name.startswith("_dmarc."):
            return self.records.get(name[7:])
        # What has names below it exists too.
        exists = self.exists or any(("." + each).endswith("." + self.author) for each in [*self.records, *self.good, *self.bad])
        return "192.0.2.1" if name == self.author and exists else None

    def zone(self, key):
        lines = [f"_dmarc.{name} TXT {record}" for name, record in self.records.items()]
        lines += [f"s._domainkey.{name} TXT v=DKIM1; p={key}" for name in dict.fromkeys(self.good + self.bad)]
        # So that it exists, or does not, whatever stands below it.
        return "\n".join(lines + ([f"{self.author} A 192.0.2.1"] if self.exists else [])) + "\n"

    def message(self, sign):
        text = f"From: Ann <ann@{self.author}>\r\nTo: bob@b.test\r\nSubject: {self.number}\r\n\r\nHello\r\n"
        fields = [sign(name, text) for name in self.good] + [sign(name, text + "changed\r\n") for name in self.bad]
        return "".join(fields) + text


class Judges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gk-dmarc-judges-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        chance = random.Random(9989)
        cls.cases = [Case(number, chance) for number in range(CASES)]
        key, sign = cls.signer()
        for case in cls.cases:
            case.mail = case.message(sign)
            with open(f"{cls.folder}/{case.number}.zone", "w", encoding="ascii") as file:
                file.write(case.zone(key))
            with open(f"{cls.folder}/{case.number}.eml", "w", encoding="ascii", newline="") as file:
                file.write(case.mail)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for case, answer in zip(cls.cases, pool.map(cls.ask_gk, cls.cases)):
                case.gk = answer

    @classmethod
    def signer(cls):
        path = f"{cls.folder}/key.pem"
        if authheaders is None:
            # Without python3-dkim nothing here signs: SPF alone is judged.
            for case in cls.cases:
                case.good, case.bad = [], []
            return "", None
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", path, "1024"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "rsa", "-in", path, "-pubout"], check=True, capture_output=True, text=True).stdout
        pem = gk.contents(path)

        def sign(domain, text):
            return dkim.sign(text.encode(), b"s", domain.encode(), pem, include_headers=[b"from", b"to", b"subject"]).decode()

        return "".join(line for line in public.splitlines() if "-----" not in line), sign

    @classmethod
    def ask_gk(cls, case):
        done = subprocess.run([f"{gk.BIN}/gk-dmarc", "check", "--json", "--root", cls.folder, "--dns-file", f"{cls.folder}/{case.number}.zone",
                               "--spf-result", case.spf[0], "--spf-domain", case.spf[1], f"{cls.folder}/{case.number}.eml"],
                              capture_output=True, text=True, timeout=60, check=False)
        answer = json.loads(done.stdout)
        answer["exit"] = done.returncode
        return answer

    def compare(self, judge, ask, asks_policy, fault=lambda case: False):
        """ASK gives (result, policy) of a case; ASKS_POLICY says of which cases its policy counts, FAULT where the judge errs."""
        agreed, differed, wrong = 0, collections.Counter(), []
        for case in self.cases:
            result, policy = ask(case)
            ours = (case.gk["result"], case.gk["policy"])
            same = result == ours[0] and (policy == ours[1] or not asks_policy(case))
            difference = case.difference()
            if not same and fault(case):
                differed["strict"] += 1
                self.assertEqual((result, ours[0]), ("pass", "fail"))
            elif difference is None or difference == "test mode":
                if not same:
                    wrong.append(f"{case.number}: {judge} says {result} {policy}, gk {ours}: from {case.author}, spf {case.spf}, dkim {case.good}, "
                                 f"{case.records}: {case.gk['reason']}")
                agreed += same
                if difference:
                    differed[difference] += 1
                    self.assert_one_step_less(case)
            elif not same:
                differed[difference] += 1
                self.assert_rfc_9989(case)
            else:
                agreed += 1
        print(f"\n{judge}: {agreed} of {len(self.cases)} agree; differences by name: {dict(differed)}")
        self.assertEqual(wrong, [])
        self.assertGreaterEqual(agreed, 500)
        self.assertLessEqual(set(DIFFERENCES), set(differed), "a difference that no case shows")

    def assert_one_step_less(self, case):
        less = {"reject": "quarantine", "quarantine": "none", "none": "none"}[case.gk["policy"]]
        if case.gk["result"] == "fail":
            self.assertEqual(case.gk["disposition"], less, case.gk)

    def assert_rfc_9989(self, case):
        """By hand, what RFC 9989 says of the cases that differ: none of them passes for a name outside of its organization."""
        walk = [case.author]
        while "." in walk[-1]:
            walk.append(walk[-1].partition(".")[2])
        border = next((name for name in walk if case.tags.get(name, {}).get("psd") == "n"), None)
        found = [name for name in (walk[:walk.index(border) + 1] if border else walk) if name in case.tags]
        self.assertTrue(found or case.gk["result"] == "none", case.gk)
        if not found:
            return
        organization = border or found[-1]
        self.assertEqual(case.gk["policy_domain"], case.author if case.author in case.tags else organization, case.gk)
        if case.gk["result"] == "pass":
            # At or below the organization, or the very author.
            self.assertTrue(any(name == case.author or ("." + name).endswith("." + organization) or case.gk["method"] == "psl"
                                for name in case.passed), case.gk)

    @unittest.skipIf(authheaders is None, "python3-authheaders is not installed")
    def test_authheaders_agrees(self):
        # Its own list, read once instead of once a name.
        with open(authheaders.dmarc_lookup.get_suffix_list_file_name(), encoding="utf-8") as file:
            suffixes = authheaders.dmarc_lookup.PublicSuffixList(file)
        authheaders.get_org_domain = authheaders.dmarc_lookup.get_org_domain = suffixes.get_public_suffix

        def ask(case):
            spf = lambda: authheaders.SPFAuthenticationResult(result=case.spf[0], smtp_mailfrom=f"x@{case.spf[1]}")  # it is changed
            signatures = [authheaders.DKIMAuthenticationResult(result="pass", header_d=name) for name in case.good] or [None]
            answers = [authheaders.check_dmarc(case.mail.encode(), spf(), each, dnsfunc=case.dns) for each in signatures]
            best = next((each for each in answers if each.result == "pass"), answers[0])
            return best.result, getattr(best, "policy", "") or ""

        def asks_policy(case):
            tags = case.tags.get(case.policy_domain, {})
            return not (case.policy_domain == case.author and tags.keys() & {"sp", "np"})

        self.compare("authheaders", ask, asks_policy)

    @unittest.skipIf(opendmarc is None, "libopendmarc is not installed")
    def test_opendmarc_agrees(self):
        lib = judge_lib()
        policies = {14: "", 16: "reject", 17: "quarantine", 18: "none"}

        def ask(case):
            for name, record in case.records.items():
                lib.opendmarc_dns_fake_record(f"_dmarc.{name}".encode(), record.encode())
            context = lib.opendmarc_policy_connect_init(b"192.0.2.1", 4)
            lib.opendmarc_policy_store_from_domain(context, case.author.encode())
            lib.opendmarc_policy_store_spf(context, case.spf[1].encode(), {"pass": 1, "none": 0}.get(case.spf[0], 2), 1, None)
            for names, outcome in ((case.bad, 2), (case.good, 1)):
                for name in names:
                    lib.opendmarc_policy_store_dkim(context, name.encode(), b"s", outcome, None)
            lib.opendmarc_policy_query_dmarc(context, case.author.encode())
            enforce = lib.opendmarc_get_policy_to_enforce(context)
            lib.opendmarc_policy_connect_shutdown(context)
            if enforce in (9, 10, 13, 14):
                return "none", ""
            return ("pass", "") if enforce == 15 else ("fail", policies[enforce])

        # Its answer names a policy only for a failure.
        self.compare("opendmarc", ask, lambda case: case.gk["result"] == "fail" and "np" not in case.tags.get(case.policy_domain, {}),
                     Case.strict_below)

    def test_the_exit_code_is_the_result(self):
        for case in self.cases:
            self.assertEqual(case.gk["exit"], 0 if case.gk["result"] == "pass" else 1)
        self.assertGreater(sum(case.gk["result"] == "pass" for case in self.cases), 150)
        self.assertGreater(sum(case.gk["result"] == "fail" for case in self.cases), 150)
        self.assertGreater(sum(case.gk["result"] == "none" for case in self.cases), 20)


if __name__ == "__main__":
    if authheaders is None and opendmarc is None:
        print("neither python3-authheaders nor libopendmarc2 is installed: no judge is here")
        sys.exit(77)
    unittest.main()
