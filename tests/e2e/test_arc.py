#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""ARC chains, sound and broken in every way, as gk-arc and python3-dkim see them; what one seals the other verifies."""
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from bed import gk

try:
    import dkim
except ImportError:
    print("python3-dkim is not installed")
    sys.exit(77)

DOMAINS = ["one.test", "two.test", "three.test", "four.test", "five.test"]
MESSAGE = ("From: Ann <ann@a.test>\r\nTo: list@one.test\r\nSubject: Hello {n}\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\n"
           "Message-ID: <{n}@a.test>\r\n\r\nHow are you?\r\nline {n}\r\n")


def fields_of(message):
    """The header's fields, folds included, and the body."""
    header, body = message.split("\r\n\r\n", 1)
    return re.findall(r"(?:[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*)", header + "\r\n"), body


def edit(message, name, instance, change):
    """CHANGE (a field to a field, or to nothing) made to one ARC field."""
    fields, body = fields_of(message)
    out = ""
    for field in fields:
        is_it = field.lower().startswith(name.lower() + ":") and re.search(rf"\bi\s*=\s*{instance}\b", field)
        out += change(field) if is_it else field
    return out + "\r\n" + body


def flip(tag):
    """One letter of a base64 tag changed."""
    def change(field):
        at = re.search(rf"[;\s]{tag}=\s*", field).end() + 10
        while field[at] in "\r\n\t ":
            at += 1
        return field[:at] + ("A" if field[at] != "A" else "B") + field[at + 1:]
    return change


def swap(pattern, to):
    return lambda field: re.sub(pattern, to, field, count=1)


AAR, AMS, AS = "ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"


def breakages(sets):
    """Ways to break a chain of so many sets: a name, and what is done to the message."""
    last = sets
    yield "body changed", lambda m: m.replace("How are you?", "Who are you?")
    yield "body longer", lambda m: m + "one more line\r\n"
    yield "subject changed", lambda m: m.replace("Subject: Hello", "Subject: Hallo")
    yield "from changed", lambda m: m.replace("ann@a.test>", "eve@a.test>", 1)
    # python3-dkim refuses a second From by itself; to everybody else it shows where the signer named From twice, as gk does,
    # which seals the even sets here.
    if sets % 2 == 0:
        yield "second from in front", lambda m: "From: eve@a.test\r\n" + m
    for i in {1, last}:
        for name in (AAR, AMS, AS):
            yield f"{name} {i} taken out", lambda m, n=name, i=i: edit(m, n, i, lambda _: "")
            yield f"{name} {i} twice", lambda m, n=name, i=i: edit(m, n, i, lambda field: field + field)
            yield f"{name} {i} with another number", lambda m, n=name, i=i: edit(m, n, i, swap(rf"i={i}", f"i={last + 3}"))
        yield f"AAR {i} changed", lambda m, i=i: edit(m, AAR, i, swap("dmarc=pass", "dmarc=fail"))
        yield f"AS {i} signature", lambda m, i=i: edit(m, AS, i, flip("b"))
        yield f"AS {i} time", lambda m, i=i: edit(m, AS, i, swap(r"\bt=\d", "t=2"))
        yield f"AS {i} selector of nobody", lambda m, i=i: edit(m, AS, i, swap(r"\bs=\w+", "s=nobody"))
        yield f"AS {i} with h=", lambda m, i=i: edit(m, AS, i, swap(r"cv=", "h=from; cv="))
        yield f"AS {i} without cv", lambda m, i=i: edit(m, AS, i, swap(r"cv=\w+;", ""))
        yield f"AS {i} cv=fail", lambda m, i=i: edit(m, AS, i, swap(r"cv=\w+", "cv=fail"))
        yield f"AS {i} algorithm unknown", lambda m, i=i: edit(m, AS, i, swap("rsa-sha256", "rsa-sha7"))
    yield "AMS of the last set: signature", lambda m: edit(m, AMS, last, flip("b"))
    yield "AMS of the last set: body hash", lambda m: edit(m, AMS, last, flip("bh"))
    yield "AMS of the last set: domain", lambda m: edit(m, AMS, last, swap(r"\bd=\w+", "d=other"))
    yield "cv of the first set", lambda m: edit(m, AS, 1, swap("cv=none", "cv=pass"))
    if sets > 1:
        yield "cv of the last set", lambda m: edit(m, AS, last, swap("cv=pass", "cv=none"))
        yield "first set taken out", lambda m: edit(edit(edit(m, AAR, 1, lambda _: ""), AMS, 1, lambda _: ""), AS, 1, lambda _: "")
        yield "last two sets change places", lambda m: re.sub("i=@", f"i={last}", re.sub(
            f"i={last}\\b", f"i={last - 1}", re.sub(f"i={last - 1}\\b", "i=@", m)))


class Arc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gk-e2e-")
        zone, cls.records, cls.private = "", {}, {}
        for domain in DOMAINS:
            gk.run("gk-dkim", "genkey", domain, "-a", "rsa", "-b", "1024", "-s", "k", "--active", "--root", cls.folder)
            record = json.loads(gk.run("gk-dkim", "dns", domain, "--json", "--root", cls.folder))
            zone += f"{record['name']} TXT {record['value']}\n"
            cls.records[f"k._domainkey.{domain}"] = "".join(re.findall(r'"([^"]*)"', record["value"]) or [record["value"]]).encode()
            pem = f"{cls.folder}/keys/dkim/{domain}/k.key"
            cls.private[domain] = subprocess.run(["openssl", "rsa", "-in", pem, "-traditional"], capture_output=True, check=True).stdout
        cls.zone = f"{cls.folder}/zone.txt"
        with open(cls.zone, "w", encoding="ascii") as file:
            file.write(zone)
        cls.compared = 0

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)
        print(f"{cls.compared} chains compared", file=sys.stderr)
        if cls.compared < 100:
            raise gk.Failed(f"only {cls.compared} chains were compared")

    def ours(self, message):
        said = gk.run("gk-arc", "verify", "--json", "--dns-file", self.zone, stdin=message.replace("\r\n", "\n"), code=None)
        line = json.loads(said.splitlines()[0])
        return line["result"], line["reason"]

    def theirs(self, message):
        cv, _, reason = dkim.arc_verify(message.encode(), dnsfunc=lambda name, timeout=5: self.records.get(name.decode().rstrip(".")))
        return {b"pass": "pass", b"none": "none"}.get(cv, "fail"), reason

    def agree(self, message, expected, what):
        Arc.compared += 1
        ours, theirs = self.ours(message), self.theirs(message)
        self.assertEqual(ours[0], expected, f"{what}: gk-arc says {ours}, python3-dkim {theirs}")
        self.assertEqual(theirs[0], expected, f"{what}: gk-arc says {ours}, python3-dkim {theirs}")

    def seal(self, message, number, by):
        domain = DOMAINS[number % len(DOMAINS)]
        results = f"{domain}; arc={'none' if number == 0 else 'pass'}; dmarc=pass header.from=a.test"
        if by == "gk":
            return gk.run("gk-arc", "seal", "-d", domain, "-s", "k", "--root", self.folder, "-r", results,
                          "--dns-file", self.zone, stdin=message.replace("\r\n", "\n")).replace("\n", "\r\n")
        found = "Authentication-Results: " + results + "\r\n" + message
        fields = dkim.arc_sign(found.encode(), b"k", domain.encode(), self.private[domain], domain.encode(),
                               include_headers=[b"from", b"to", b"subject", b"message-id"])
        return b"".join(fields).decode().replace("\r\n", "\n").replace("\n", "\r\n") + message

    def chain(self, sets, n, who):
        message = MESSAGE.format(n=n)
        for number in range(sets):
            message = self.seal(message, number, who(number))
        return message

    def test_sound_chains_pass_for_both_whoever_sealed_them(self):
        self.agree(MESSAGE.format(n=0), "none", "no chain")
        choices = random.Random(8617)
        for n in range(24):
            sets = 1 + n % 6
            who = (lambda _: "gk", lambda _: "dkim", lambda i: ("gk", "dkim")[i % 2], lambda _: choices.choice(("gk", "dkim")))[n % 4]
            self.agree(self.chain(sets, n, who), "pass", f"{sets} sets")

    def test_a_list_that_changes_the_message_and_seals_it_keeps_the_chain(self):
        for sets in (1, 2, 3, 4):
            message = self.chain(sets, sets, lambda i: ("gk", "dkim")[i % 2]).replace("How are you?", "[list] How are you?")
            self.agree(message, "fail", "changed, not sealed")
            self.agree(self.seal(message, sets, ("gk", "dkim")[sets % 2]), "pass", "changed and sealed")

    def test_broken_chains_fail_for_both(self):
        for sets in (1, 2, 4):
            sound = self.chain(sets, sets, lambda i: ("dkim", "gk")[i % 2])
            for what, change in breakages(sets):
                with self.subTest(sets=sets, what=what):
                    broken = change(sound)
                    self.assertNotEqual(broken, sound, "nothing was broken")
                    self.agree(broken, "fail", what)

    def test_what_gk_smtpd_wrote_is_recorded_as_it_stands(self):
        found = ("Authentication-Results: mx.one.test;\r\n\tiprev=pass (mx.a.test) policy.iprev=192.0.2.1;\r\n\tspf=pass (a.test: matched 'mx')\r\n"
                 "\t  smtp.mailfrom=\"ann+x y\"@a.test;\r\n\tdmarc=pass (p=reject) header.from=a.test\r\n")
        sealed = gk.run("gk-arc", "seal", "-d", "one.test", "-i", "mx.one.test", "--root", self.folder, "--dns-file", self.zone,
                        stdin=(found + MESSAGE.format(n=1)).replace("\r\n", "\n")).replace("\n", "\r\n")
        self.assertIn("ARC-Authentication-Results: i=1; mx.one.test;\r\n\tiprev=pass", sealed)
        self.agree(sealed, "pass", "folded results")
        self.agree(self.seal(sealed, 1, "dkim"), "pass", "and sealed once more")

    def test_more_than_fifty_sets_fail(self):
        message = MESSAGE.format(n=51)
        for number in range(50):
            message = self.seal(message, number, "gk")
        self.agree(message, "pass", "50 sets")
        gk.run("gk-arc", "seal", "-d", "one.test", "--root", self.folder, "-r", "one.test; arc=pass", "--dns-file", self.zone,
               stdin=message.replace("\r\n", "\n"), code=73)


if __name__ == "__main__":
    unittest.main()
