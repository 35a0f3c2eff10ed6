# SPDX-License-Identifier: MIT
# timeout: 300
"""The same scripts and messages to gk-sieve and Pigeonhole's sieve-test: they decide the same, or sieve_differential/expected.txt cites
the sentence of the RFC that decides between them.

usage: test_sieve_differential.py [-v]
       test_sieve_differential.py --show NAME   the script, and what both say, of pairs whose names contain NAME
       test_sieve_differential.py --write       put differences without a reason into expected.txt, take stale ones out
"""
import concurrent.futures
import os
import sys
import tempfile
import unittest

from sieve_differential import judges, pairs

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sieve_differential", "expected.txt")
GK = os.path.join(os.environ.get("GK_BIN_DIR", "build/bin"), "gk-sieve")


def ask_all(folder, wanted):
    os.chmod(folder, 0o777)  # sieve-test, without privileges, keeps what it compiled beside the script
    pigeonhole = judges.Pigeonhole(folder)

    def ask(numbered):
        number, (name, script, message, sender, recipient) = numbered
        paths = f"{folder}/{number}.sieve", f"{folder}/{number}.eml"
        for path, text in zip(paths, (script, message)):
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        return name.replace("|", "/"), judges.gk(GK, *paths, sender, recipient), pigeonhole.ask(*paths, sender, recipient)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        return list(pool.map(ask, enumerate(wanted)))


def read_expected():
    """({reason: sentence}, {name: (what gk says, what Pigeonhole says, reason)})"""
    reasons, differences = {}, {}
    if not os.path.exists(EXPECTED):
        return reasons, differences
    with open(EXPECTED, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for line in lines:
        if line.startswith("@"):
            name, sentence = line[1:].split(" ", 1)
            reasons[name] = sentence
        elif line and not line.startswith("#"):
            name, ours, theirs, reason = line.split(" | ")
            differences[name] = (ours, theirs, reason)
    return reasons, differences


def differences_of(asked):
    return {name: tuple("; ".join(said).replace("|", "/").replace("\n", " ") for said in (ours, theirs)) for name, ours, theirs in asked if ours != theirs}


@unittest.skipUnless(judges.Pigeonhole.is_there(), "sieve-test is not installed")
class Differential(unittest.TestCase):
    def test_every_difference_has_a_reason(self):
        wanted = list(pairs.all_pairs())
        self.assertGreater(len(wanted), 300)
        with tempfile.TemporaryDirectory() as folder:
            asked = ask_all(folder, wanted)
        found = differences_of(asked)
        reasons, expected = read_expected()
        agreed = sum(ours == theirs for _, ours, theirs in asked)
        acted = sum(ours == theirs and ours != ["does not compile"] for _, ours, theirs in asked)
        print(f"\n{len(asked)} pairs, the same in {agreed} ({acted} of which ran), {len(found)} differences for {len(set(r for *_, r in expected.values()))} reasons")
        for name, said in found.items():
            with self.subTest(name):
                self.assertIn(name, expected, f"gk: {said[0]}\nPigeonhole: {said[1]}")
                self.assertEqual(said, expected[name][:2])
                self.assertIn(expected[name][2], reasons)
        self.assertEqual(set(expected) - set(found), set(), "differences that are gone: --write")
        self.assertGreater(acted, 300)


def write():
    with tempfile.TemporaryDirectory() as folder:
        found = differences_of(ask_all(folder, list(pairs.all_pairs())))
    reasons, expected = read_expected()
    with open(EXPECTED, "w", encoding="utf-8") as file:
        file.write("# Where gk and Pigeonhole decide otherwise, and the sentence that says why; `test_sieve_differential.py --write` keeps it.\n"
                   "# SPDX-License-Identifier: MIT\n\n")
        for name, sentence in reasons.items():
            file.write(f"@{name} {sentence}\n")
        file.write("\n# name | gk | Pigeonhole | reason\n")
        for name, said in found.items():
            reason = expected[name][2] if name in expected and expected[name][:2] == said else "?"
            file.write(f"{name} | {said[0]} | {said[1]} | {reason}\n")


def show(part):
    wanted = [each for each in pairs.all_pairs() if part in each[0]]
    with tempfile.TemporaryDirectory() as folder:
        for each, (name, ours, theirs) in zip(wanted, ask_all(folder, wanted)):
            print(f"== {name}\n{each[1]}gk: {ours}\nPigeonhole: {theirs}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write()
    elif sys.argv[1:2] == ["--show"]:
        show(sys.argv[2])
    else:
        unittest.main()
