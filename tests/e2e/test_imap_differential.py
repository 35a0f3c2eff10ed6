# SPDX-License-Identifier: MIT
# timeout: 300
"""The same scripts to gk, Dovecot and Cyrus: what they answer is the same, or differential/expected.txt cites the RFC that permits it.

usage: test_imap_differential.py [-v]
       test_imap_differential.py --show NAME   what each of the servers says to the scripts whose names contain NAME
       test_imap_differential.py --write       put differences without a reason into expected.txt, take stale ones out
"""
import collections
import concurrent.futures
import sys
import unittest

from differential import expected, normal, script, servers

ATONCE = 3  # dialogues with one server at a time


def account_of(number):
    return f"s{number}"


def hold_all(scripts, running):
    """{(server, script name): answers}, from every server that can, where gk can and one of the others too."""
    pools, found = [], {}
    ours, *peers = running
    asked = [(number, each) for number, each in enumerate(scripts) if ours.can(each) and any(peer.can(each) for peer in peers)]
    for server in running:
        pool = concurrent.futures.ThreadPoolExecutor(ATONCE)
        jobs = [(each.name, pool.submit(server.dialogue.hold, each, account_of(number), script.unescape))
                for number, each in asked if server.can(each)]
        pools.append((server, pool, jobs))
    for server, pool, jobs in pools:
        for name, job in jobs:
            try:
                found[server.name, name] = job.result()
            except (ConnectionError, OSError, ValueError, IndexError) as error:
                found[server.name, name] = f"{type(error).__name__}: {error}"
        pool.shutdown()
    return found


def compare(scripts, running, held):
    """{(script, step, peer): [lines that differ]} and {peer, or "with any": how many scripts were compared}."""
    ours, found, compared = running[0], {}, collections.Counter()
    compared["with any"] = sum((ours.name, each.name) in held for each in scripts)
    for each in scripts:
        for peer in running[1:]:
            answers = held.get((ours.name, each.name)), held.get((peer.name, each.name))
            if None in answers:
                continue
            broken = [answer for answer in answers if isinstance(answer, str)]
            if broken:
                found[each.name, "the whole of it", peer.name] = [f"- {line}" for line in broken]
                continue
            compared[peer.name] += 1
            shared = ours.capabilities & peer.capabilities
            seen = collections.Counter()
            for (step, mine), (_, theirs) in zip(normal.normalise(each, answers[0], shared), normal.normalise(each, answers[1], shared)):
                seen[str(step)] += 1
                key = str(step) + (f" #{seen[str(step)]}" if seen[str(step)] > 1 else "")
                lines = expected.difference(mine, theirs)
                if lines:
                    found[each.name, key, peer.name] = lines
    return found, compared


class Differential(unittest.TestCase):
    maxDiff = None

    def test_what_matters_is_not_normalised_away(self):
        def lines(command, *answers):
            each = script.Script("x", [])
            step = script.step(command, "here")
            return normal.normalise(each, [(step, [answer.encode() for answer in answers])], {"UIDPLUS"})[0][1]

        for command, one, other in [
                ("C: FETCH 1 FLAGS", ["* 1 FETCH (FLAGS (\\Seen))"], ["* 1 FETCH (FLAGS ())"]),
                ("C: FETCH 1 BODY[]", ['* 1 FETCH (BODY[] "")'], ["* 1 FETCH (BODY[] NIL)"]),
                ("C: UID FETCH 1 FLAGS", ["* 1 FETCH (UID 1 FLAGS ())"], ["* 1 FETCH (FLAGS ())"]),
                ("C: EXPUNGE", ["* 3 EXPUNGE", "* 3 EXPUNGE"], ["* 3 EXPUNGE", "* 4 EXPUNGE"]),
                ("C: SEARCH ALL", ["* SEARCH 1 2"], ["* SEARCH 1"]),
                ("C: SEARCH ALL", ["* SEARCH"], []),
                ("C: SORT (DATE) UTF-8 ALL", ["* SORT 1 2"], ["* SORT 2 1"]),
                ("C: NOOP", ["* 4 EXISTS"], []),
                ("C: COPY 1:2 x", ["t1 OK [COPYUID 1 1:2 1:2] x"], ["t1 OK [COPYUID 1 1:2 2,1] x"]),
                ("C: CREATE x", ["t1 NO x"], ["t1 BAD x"]),
                ("C: COPY 1 x", ["t1 NO [TRYCREATE] x"], ["t1 NO x"]),
                ("C: CREATE x", ["t1 NO [ALREADYEXISTS] x"], ["t1 NO [CANNOT] x"]),
                ("C: FETCH 1 BODYSTRUCTURE", ['* 1 FETCH (BODYSTRUCTURE ("text" "plain" ("charset" "A") NIL NIL "7bit" 1 1))'],
                 ['* 1 FETCH (BODYSTRUCTURE ("text" "plain" ("charset" "a") NIL NIL "7bit" 1 1))'])]:
            with self.subTest(command, one=one):
                self.assertNotEqual(expected.difference(lines(command, *one), lines(command, *other)), [])
        for command, one, other in [
                ("C: EXPUNGE", ["* 3 EXPUNGE", "* 3 EXPUNGE", "t1 OK a"], ["* 4 EXPUNGE", "* 3 EXPUNGE", "t1 OK b"]),
                ("C: FETCH 1 (FLAGS INTERNALDATE)", ['* 1 FETCH (FLAGS () INTERNALDATE "01-Jan-2024 01:00:00 +0100")'],
                 ['* 1 FETCH (INTERNALDATE " 1-Jan-2024 00:00:00 +0000" FLAGS ())']),
                ("C: CREATE x", ["t1 NO [ALREADYEXISTS] x"], ["t1 NO y"])]:
            with self.subTest(command, one=one):
                self.assertEqual(expected.difference(lines(command, *one), lines(command, *other)), [])

    def test_every_difference_has_a_reason(self):
        scripts = script.read_all()
        with servers.all_of_them([account_of(number) for number in range(len(scripts))], script.read_messages()) as running:
            found, compared = compare(scripts, running, hold_all(scripts, running))
            names = {server.name for server in running}
        known = expected.Expected()
        print(f"{len(scripts)} scripts, {sum(each.concurrent for each in scripts)} with several sessions; compared {dict(compared)}; "
              f"{len(found)} differences", file=sys.stderr)
        for key, lines in found.items():
            with self.subTest(" | ".join(key)):
                why, wanted = known.entries.get(key, ("no reason", []))
                self.assertEqual(lines, wanted, why)
                self.assertIsNone(known.reason_missing(why))
        stale = [key for key in known.entries if key not in found and key[2] in names]
        self.assertEqual(stale, [], "expected.txt knows differences that are none")


def show(wanted):
    scripts = [each for each in script.read_all() if wanted in each.name]
    with servers.all_of_them([account_of(number) for number in range(len(scripts))], script.read_messages()) as running:
        held = hold_all(scripts, running)
        for each in scripts:
            print(f"=== {each.name}")
            for server in running:
                answers = held.get((server.name, each.name), [])
                print(f"  -- {server.name}{': ' + answers if isinstance(answers, str) else ''}")
                for step, lines in [] if isinstance(answers, str) else answers:
                    print(f"    {step}")
                    for line in lines:
                        print(f"      {line.decode('utf-8', 'backslashreplace')}")


def write():
    scripts = script.read_all()
    with servers.all_of_them([account_of(number) for number in range(len(scripts))], script.read_messages()) as running:
        found, compared = compare(scripts, running, hold_all(scripts, running))
        names = {server.name for server in running}
    known, order = expected.Expected(), {}
    for number, each in enumerate(scripts):
        seen = collections.Counter()
        for place, step in enumerate(each.steps):
            seen[str(step)] += 1
            order[each.name, str(step) + (f" #{seen[str(step)]}" if seen[str(step)] > 1 else "")] = (number, place)
    kept = {key: entry for key, entry in known.entries.items() if key[2] not in names}
    for key, lines in found.items():
        why, before = known.entries.get(key, ("?", lines))
        kept[key] = (why if before == lines else f"? was: {why}", lines)
    known.entries = kept
    with open(expected.PATH, "w", encoding="utf-8") as file:
        file.write(known.text(order))
    print(f"{len(scripts)} scripts, compared {dict(compared)}, {len(found)} differences, {sum(why.startswith('?') for why, _ in kept.values())} without a reason")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--show"]:
        show(sys.argv[2])
    elif sys.argv[1:] == ["--write"]:
        write()
    else:
        unittest.main()
