#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Many clients at once, each with random commands, against a model of a mailbox; a foreign program is at the Maildir meanwhile.

Each client's view follows from the server's answers alone (bed/imap_view). Every few seconds all pause, and then: every view is what
the server says when asked for everything; those who have the same mailbox see the same; the keyword that only one client gives and
takes is where that client put it; every marble, which is only ever moved, is in one place; mod-sequences never fell. At the end
gk-mailbox check finds nothing. GK_STRESS_SECONDS and GK_STRESS_SEED choose how long and which.
"""
# timeout: 400
import os
import random
import re
import threading
import time
import unittest

from bed import case, gk
from bed.imap_view import Client, Lie, Refused

CLIENTS = 10
MARBLES = 60
ROUND_SECONDS = 4
SETTLED_SECONDS = 2.5
BOXES = ["INBOX", "one", "two"]
HOLES = ["left", "right"]   # where marbles lie


def message(subject, size=300):
    return f"From: a@b.test\r\nSubject: {subject}\r\nMessage-ID: <{subject}@b.test>\r\n\r\n{'x' * size}\r\n".encode()


class Player(threading.Thread):
    """One client: random commands until told to pause."""

    def __init__(self, game, number):
        super().__init__(daemon=True)
        self.game, self.number = game, number
        self.random = random.Random(game.seed * 1000 + number)
        self.mine = f"$c{number}"
        self.put = {}       # box: {uid: is my keyword on it, as the server acknowledged}
        self.error, self.commands, self.refused, self.resyncs = None, 0, 0, 0
        self.client = Client(game.port, game.user, game.password, f"c{number}")
        if number % 2:
            self.client.command("ENABLE QRESYNC")
            self.client.qresync = True
        self.client.select(self.random.choice(BOXES + HOLES))

    def run(self):
        try:
            while True:
                self.game.barrier.wait()        # begin
                if self.game.over:
                    return
                until = time.monotonic() + ROUND_SECONDS
                while time.monotonic() < until:
                    self.commands += 1
                    try:
                        self.turn()
                    except Refused as refused:
                        self.refused += 1
                        if not re.search(r"EXPUNGEISSUED|NONEXISTENT|TRYCREATE|MODIFIED| BAD ", str(refused)) or " BAD " in str(refused):
                            raise Lie(f"{self.client.name}: {refused}") from refused
                self.game.barrier.wait()        # all pause
                self.game.barrier.wait()        # and the foreign program too
                self.report = self.client.check()
                self.game.barrier.wait()        # all have looked
        except (Lie, OSError, threading.BrokenBarrierError, Exception) as problem:  # pylint: disable=broad-except
            if not isinstance(problem, threading.BrokenBarrierError):
                self.error = problem
            self.game.barrier.abort()

    # ---- one command

    def turn(self):
        client, r = self.client, self.random
        in_hole = client.box in HOLES
        moves = [(self.keyword, 8), (self.flag, 5), (self.read, 6), (self.search, 4), (self.noop, 3), (self.idle, 1), (self.other_box, 2),
                 (self.again, 2), (self.status, 1), (self.guarded, 3)]
        moves += [(self.marble, 8)] if in_hole else [(self.append, 5), (self.copy, 3), (self.move, 3), (self.expunge, 4), (self.append_two, 1)]
        r.choices([one for one, _ in moves], [weight for _, weight in moves])[0]()

    def some(self, most=4):
        """UIDs that the view knows, a few of them."""
        known = [row.uid for row in self.client.rows if row.uid is not None]
        return sorted(self.random.sample(known, min(len(known), self.random.randint(1, most)))) if known else []

    def there(self, uids):
        known = {row.uid for row in self.client.rows}
        return [uid for uid in uids if uid in known]

    def keyword(self):
        """My own keyword, which nobody else touches, so that I know where it is."""
        uids, box = self.some(), self.client.box
        if not uids:
            return
        on = self.random.random() < 0.6
        silent = self.random.choice(["", ".SILENT"])
        self.silently(uids, f"UID STORE {','.join(map(str, uids))} {'+' if on else '-'}FLAGS{silent} ({self.mine})")
        for row in self.client.rows:
            if row.uid in uids and row.flags is not None:
                # .SILENT leaves it to the client to know what it did.
                row.flags = row.flags | {self.mine.encode()} if on else row.flags - {self.mine.encode()}
        for uid in uids:
            self.put.setdefault(box, {})[uid] = on

    def silently(self, uids, command):
        """A STORE that says nothing of what it did. Where one of UIDS was expunged meanwhile, what became of the others is not known."""
        try:
            self.client.command(command)
        except Refused:
            for row in self.client.rows:
                if row.uid in uids:
                    row.flags = None
            for uid in uids:
                self.put.get(self.client.box, {}).pop(uid, None)
            raise

    def flag(self):
        uids = self.some(6)
        if not uids:
            return
        flag = self.random.choice(["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$shared"])
        if self.random.random() < 0.3 and self.client.rows:
            at = self.random.randint(1, len(self.client.rows))
            self.client.command(f"STORE {at} {self.random.choice('+-')}FLAGS ({flag})")
        else:
            self.client.command(f"UID STORE {','.join(map(str, uids))} {self.random.choice('+-')}FLAGS ({flag})")

    def guarded(self):
        """UNCHANGEDSINCE with what I know: done, or refused as MODIFIED."""
        rows = [row for row in self.client.rows if row.uid and row.modseq]
        if not rows:
            return
        row = self.random.choice(rows)
        _, answer = self.client.command(f"UID STORE {row.uid} (UNCHANGEDSINCE {row.modseq}) +FLAGS ($guarded)")
        if b"[MODIFIED" in answer and str(row.uid).encode() not in answer:
            raise Lie(f"MODIFIED without the message: {answer}")

    def read(self):
        if not self.client.rows:
            return
        what = self.random.choice(["(FLAGS)", "(UID FLAGS MODSEQ)", "(UID ENVELOPE)", "(UID BODYSTRUCTURE)", "(UID BODY.PEEK[])", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"])
        first = self.random.randint(1, len(self.client.rows))
        last = min(len(self.client.rows), first + self.random.randint(0, 8))
        try:
            self.client.command(f"FETCH {first}:{last} {what}")
        except Refused as refused:
            if "EXPUNGEISSUED" not in str(refused):
                raise

    def search(self):
        """What I gave my keyword to and still see, and nothing else, is found by it."""
        box = self.client.box
        before = set(self.there([uid for uid, on in self.put.get(box, {}).items() if on]))
        answers, _ = self.client.command(f"UID SEARCH KEYWORD {self.mine}")
        line = next((one for one in answers if one.startswith((b"* SEARCH", b"* ESEARCH"))), b"* SEARCH")
        found = {int(word) for word in re.sub(rb"\(MODSEQ \d+\)", b"", line).split()[2:]}
        wrong = {uid for uid in found if self.put.get(box, {}).get(uid) is False}
        missing = {uid for uid in before - found if uid in self.there([uid])}
        if wrong or missing:
            raise Lie(f"{self.client.name}: SEARCH KEYWORD {self.mine} finds {sorted(wrong)[:5]} and misses {sorted(missing)[:5]}")

    def noop(self):
        self.client.command(self.random.choice(["NOOP", "CHECK", "NOOP"]))

    def idle(self):
        end = time.monotonic() + self.random.uniform(0, 0.5)
        self.client.idle(lambda: time.monotonic() > end)

    def status(self):
        box = self.random.choice([one for one in BOXES + HOLES if one != self.client.box])
        answers, _ = self.client.command(f"STATUS {box} (MESSAGES UIDNEXT HIGHESTMODSEQ UNSEEN)")
        found = {key.decode(): int(value) for key, value in re.findall(rb"([A-Z]+) (\d+)", next(one for one in answers if one.startswith(b"* STATUS")))}
        with self.game.lock:
            for key in ("UIDNEXT", "HIGHESTMODSEQ"):
                # Only what was acknowledged before the question was sent is certain: kept from the last pause.
                if found[key] < self.game.floor.get((box, key), 0):
                    raise Lie(f"{self.client.name}: {key} of {box} fell from {self.game.floor[box, key]} to {found[key]}")

    def other_box(self):
        self.client.select(self.random.choice(BOXES + HOLES))

    def again(self):
        """Away and back, with QRESYNC where it is on."""
        resync = self.client.qresync and self.client.box is not None
        self.resyncs += resync
        if self.random.random() < 0.3:
            box, rows, validity, highest = self.client.box, self.client.rows, self.client.validity, self.client.highest
            self.client.close()
            self.client.box = None
            self.client.open()
            if self.client.qresync:
                self.client.command("ENABLE QRESYNC")
            self.client.rows, self.client.validity, self.client.highest = rows, validity, highest
            return self.client.select(box, resync)
        return self.client.select(self.client.box, resync)

    def append(self):
        with self.game.lock:
            self.game.count += 1
            name = f"m{self.game.count}"
        self.client.command(f"APPEND {self.random.choice(BOXES)} (\\Seen)" if self.random.random() < 0.5 else f"APPEND {self.random.choice(BOXES)}", message(name))

    def append_two(self):
        tag = self.client.start(f"APPEND {self.random.choice(BOXES)}", message("two-a"))
        # MULTIAPPEND would go here in one command; two in a row, pipelined, are what clients send.
        second = self.client.start(f"APPEND {self.random.choice(BOXES)}", message("two-b"))
        for wanted in (tag, second):
            while True:
                response = self.client.line()
                if response.startswith(wanted + b" "):
                    if not response.startswith(wanted + b" OK"):
                        raise Refused(response.decode())
                    break
                self.client.follow(response, b"APPEND")

    def copy(self):
        uids = self.some()
        if uids:
            self.client.command(f"UID COPY {','.join(map(str, uids))} {self.random.choice(BOXES)}")

    def move(self):
        uids = self.some(2)
        target = self.random.choice([box for box in BOXES if box != self.client.box])
        if uids:
            self.client.command(f"UID MOVE {','.join(map(str, uids))} {target}")
            if self.there(uids):
                raise Lie(f"{self.client.name}: MOVE left {self.there(uids)} behind")

    def marble(self):
        uids = self.some(3)
        if uids:
            self.client.command(f"UID MOVE {','.join(map(str, uids))} {HOLES[1 - HOLES.index(self.client.box)]}")
            if self.there(uids):
                raise Lie(f"{self.client.name}: MOVE left {self.there(uids)} behind")

    def expunge(self):
        if len(self.client.rows) < 15:
            return
        uids = self.some(3)
        if not uids:
            return
        self.silently(uids, f"UID STORE {','.join(map(str, uids))} +FLAGS.SILENT (\\Deleted)")
        for row in self.client.rows:
            if row.uid in uids and row.flags is not None:
                row.flags |= {b"\\Deleted"}
        self.client.command(f"UID EXPUNGE {','.join(map(str, uids))}" if self.random.random() < 0.7 else "EXPUNGE")
        # Another client may have taken \Deleted away meanwhile: nobody here does.
        if self.there(uids):
            raise Lie(f"{self.client.name}: EXPUNGE left {self.there(uids)}")


class Foreigner(threading.Thread):
    """Another program at the Maildir: it delivers, flags, and removes, as mutt does."""

    def __init__(self, game):
        super().__init__(daemon=True)
        self.game, self.random, self.done, self.stopped = game, random.Random(game.seed), 0, threading.Event()
        self.pause, self.resting = threading.Event(), threading.Event()

    def run(self):
        while not self.stopped.is_set():
            if self.pause.is_set():
                self.resting.set()
                time.sleep(0.02)
                continue
            self.resting.clear()
            box = self.random.choice(["", ".one", ".two"])
            folder = f"{self.game.maildir}/{box}".rstrip("/")
            kind = self.random.random()
            try:
                if kind < 0.3:
                    name = f"{int(time.time())}.F{self.done}P1.elsewhere"
                    with open(f"{folder}/tmp/{name}", "wb") as file:
                        file.write(message(f"foreign{self.done}").replace(b"\r\n", b"\n"))
                    os.rename(f"{folder}/tmp/{name}", f"{folder}/new/{name}")
                else:
                    name = self.random.choice(os.listdir(f"{folder}/cur") or [""])
                    if ":2," in name and kind < 0.9:
                        base, _, letters = name.partition(":2,")
                        letter = self.random.choice("FSR")
                        changed = "".join(sorted(set(letters) ^ {letter}))
                        os.rename(f"{folder}/cur/{name}", f"{folder}/cur/{base}:2,{changed}")
                    elif name and len(os.listdir(f"{folder}/cur")) > 20:
                        os.unlink(f"{folder}/cur/{name}")
                self.done += 1
            except FileNotFoundError:
                pass    # a client was faster
            time.sleep(self.random.uniform(0, 0.05))


class Game:
    def __init__(self, instance, seed):
        self.port, self.user, self.password, self.seed = instance.port("imap"), "ann@a.test", instance.PASSWORD, seed
        self.maildir = f"{instance.root}/mail/a.test/ann/Maildir"
        self.lock, self.count, self.over, self.floor = threading.Lock(), 0, False, {}
        self.barrier = threading.Barrier(CLIENTS + 1, timeout=120)

    def prepare(self):
        first = Client(self.port, self.user, self.password, "first")
        for box in BOXES[1:] + HOLES:
            first.command(f"CREATE {box}")
        for number in range(40):
            first.command(f"APPEND {BOXES[number % 3]}", message(f"start{number}"))
        for number in range(MARBLES):
            first.command(f"APPEND {HOLES[number % 2]}", message(f"marble{number}"))
        first.close()


class Stress(case.Case):
    SETTINGS = "[auth]\nplaintext_without_tls = true\n"
    SECONDS = int(os.environ.get("GK_STRESS_SECONDS", "60"))

    def test_no_view_ever_diverges(self):
        seed = int(os.environ.get("GK_STRESS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
        print(f"seed {seed}", flush=True)
        game = Game(self.gk, seed)
        game.prepare()
        players = [Player(game, number) for number in range(CLIENTS)]
        foreigner = Foreigner(game)
        foreigner.start()
        for player in players:
            player.start()
        rounds, deadline = 0, time.monotonic() + self.SECONDS
        try:
            while time.monotonic() < deadline:
                foreigner.pause.clear()
                game.barrier.wait()
                game.barrier.wait()
                foreigner.pause.set()
                gk.wait_for("the foreign program to rest", foreigner.resting.is_set, 10)
                # A foreign change may hide behind one of ours in the same instant, until gk-imapd looks once more (gk-maildir(5)).
                time.sleep(SETTLED_SECONDS)
                game.barrier.wait()
                game.barrier.wait()
                rounds += 1
                self.compare(game, players)
        except threading.BrokenBarrierError:
            pass
        finally:
            foreigner.stopped.set()
            game.over = True
            if not game.barrier.broken:
                game.barrier.wait()
        for player in players:
            player.join(60)
        errors = [player.error for player in players if player.error]
        self.assertFalse(errors, f"seed {seed}, after {rounds} rounds: " + "\n\n".join(f"{type(one).__name__}: {one}" for one in errors))
        self.assertGreaterEqual(rounds, 2, f"seed {seed}")
        self.marbles(game)
        print(f"{rounds} rounds, {sum(player.commands for player in players)} commands ({sum(player.refused for player in players)} refused), "
              f"{sum(player.resyncs for player in players)} resynchronised, {foreigner.done} foreign changes", flush=True)
        self.whole(game)

    def compare(self, game, players):
        """With everybody at rest."""
        seen = {}
        for player in players:
            box, report = player.client.box, player.report
            for uid, flags, _ in report:
                wanted = player.put.get(box, {}).get(uid)
                if wanted is not None:
                    self.assertEqual(player.mine.encode() in flags, wanted, f"{player.client.name}: {player.mine} on UID {uid} of {box}")
            first = seen.setdefault(box, (player, {uid: flags for uid, flags, _ in report}))
            theirs = {uid: flags for uid, flags, _ in report}
            self.assertEqual(first[1], theirs, f"{first[0].client.name} and {player.client.name} see different things in {box}")
            with game.lock:
                key = (box, "HIGHESTMODSEQ")
                game.floor[key] = max(game.floor.get(key, 0), max((modseq for _, _, modseq in report), default=0))
                game.floor[(box, "UIDNEXT")] = max(game.floor.get((box, "UIDNEXT"), 0), max((uid for uid, _, _ in report), default=0) + 1)

    def whole(self, game):
        """gk-mailbox finds nothing, once somebody has looked into every mailbox since the foreign program's last change."""
        client = Client(game.port, game.user, game.password, "looker")
        said = ""

        def agrees():
            nonlocal said
            for box in BOXES + HOLES:
                client.select(box)
            said = gk.run("gk-mailbox", "check", "-a", "ann@a.test", "--root", self.gk.root, code=None)
            return not said

        try:
            gk.wait_for("gk-mailbox check to find nothing", agrees, 20)
        except gk.Failed as failed:
            raise gk.Failed(f"{failed}\n{said}") from failed
        finally:
            client.close()

    def marbles(self, game):
        client = Client(game.port, game.user, game.password, "last")
        found = []
        for hole in HOLES:
            client.select(hole)
            if client.rows:
                answers, _ = client.command("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
                found += re.findall(rb"marble(\d+)", b"".join(answers))
        client.close()
        self.assertEqual(sorted(map(int, found)), list(range(MARBLES)))


if __name__ == "__main__":
    unittest.main()
