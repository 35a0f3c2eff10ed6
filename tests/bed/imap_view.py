# SPDX-License-Identifier: MIT
"""An IMAP client that believes nothing: it keeps its view of the mailbox by the server's answers alone, and raises Lie where one of
them cannot be true."""
import re
import socket

_FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)\r\n$", re.DOTALL)
_WORDS = re.compile(rb"UID (\d+)|MODSEQ \((\d+)\)|FLAGS \(([^)]*)\)")
QUIET = (b"FETCH", b"STORE", b"SEARCH")     # RFC 9051, 7.5.1: no EXPUNGE while one of these (without UID) is answered


class Lie(AssertionError):
    """The server said something that contradicts what it said before."""


class Refused(Exception):
    """NO or BAD; carries the answer."""


def uid_set(text):
    """"1:3,7" as a list."""
    found = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        a, b = int(first), int(last or first)
        found += range(min(a, b), max(a, b) + 1)
    return found


class Row:
    """What the client knows of one message; None: not told yet."""

    __slots__ = ("uid", "flags", "modseq")

    def __init__(self, uid=None):
        self.uid, self.flags, self.modseq = uid, None, None


class Client:
    def __init__(self, port, user, password, name="c"):
        self.port, self.user, self.password, self.name = port, user, password, name
        self.rows, self.box, self.validity, self.highest = [], None, 0, 0
        self.number, self.qresync = 0, False
        self.heard = []     # the last lines, for the report of a lie
        self.open()

    def open(self):
        self.wire = socket.create_connection(("127.0.0.1", self.port), 60)
        self.stream = self.wire.makefile("rb")
        self.line()
        self.command(f'LOGIN "{self.user}" "{self.password}"')

    def close(self):
        self.stream.close()
        self.wire.close()

    # ---- bytes

    def line(self):
        """One response, its literals included."""
        whole = b""
        while True:
            line = self.stream.readline()
            if not line:
                raise Lie(f"{self.name}: the server closed the connection; before: {self.heard[-5:]}")
            whole += line
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if not literal:
                break
            whole += self.stream.read(int(literal[1]))
        self.heard = self.heard[-40:] + [whole]
        return whole

    def lie(self, what):
        raise Lie(f"{self.name} in {self.box}: {what}; rows {len(self.rows)}; heard: " + " | ".join(repr(one[:200]) for one in self.heard[-12:]))

    def start(self, text, literal=None):
        self.number += 1
        tag = f"{self.name}.{self.number}"
        self.heard = self.heard[-40:] + [f"> {tag} {text}".encode()]
        data = f"{tag} {text}".encode()
        if literal is not None:
            data += b" {%d+}\r\n" % len(literal) + literal
        self.wire.sendall(data + b"\r\n")
        return tag.encode()

    def command(self, text, literal=None):
        """The untagged responses and the tagged one; the view follows. Refused unless OK."""
        tag = self.start(text, literal)
        words = text.split()
        verb = words[0].upper().encode()
        answers = []
        while True:
            response = self.line()
            if response.startswith(tag + b" "):
                if not response.startswith(tag + b" OK"):
                    raise Refused(response.decode("utf-8", "replace").strip())
                self.code(response)
                return answers, response
            answers.append(response)
            self.follow(response, verb)

    def idle(self, until):
        """IDLE until UNTIL() is true or a second has passed without a word."""
        tag = self.start("IDLE")
        if not self.line().startswith(b"+"):
            self.lie("IDLE without a continuation")
        self.wire.settimeout(1)
        try:
            while not until():
                self.follow(self.line(), b"IDLE")
        except TimeoutError:
            # readline() may have lost what it had of a line: none of the tests sends half a response.
            self.stream = self.wire.makefile("rb")
        finally:
            self.wire.settimeout(60)
        self.wire.sendall(b"DONE\r\n")
        while True:
            response = self.line()
            if response.startswith(tag + b" "):
                return
            self.follow(response, b"IDLE")

    # ---- the view

    def code(self, response):
        modseq = re.search(rb"\[HIGHESTMODSEQ (\d+)\]", response)
        if modseq:
            self.rise(int(modseq[1]))

    def rise(self, modseq):
        if modseq < self.highest:
            self.lie(f"HIGHESTMODSEQ {modseq} after {self.highest}")
        self.highest = modseq

    def follow(self, response, verb):
        if response.startswith(b"* BYE"):
            self.lie("BYE")
        if self.box is None:
            return
        self.code(response)
        number = re.match(rb"\* (\d+) (EXISTS|EXPUNGE)\r\n", response)
        if number and number[2] == b"EXISTS":
            count = int(number[1])
            if count < len(self.rows):
                self.lie(f"EXISTS {count} takes messages away")
            self.rows += [Row() for _ in range(count - len(self.rows))]
        elif number:
            at = int(number[1])
            if verb in QUIET:
                self.lie(f"EXPUNGE while {verb} is answered")
            if self.qresync:
                self.lie("EXPUNGE with QRESYNC on")
            if not 1 <= at <= len(self.rows):
                self.lie(f"EXPUNGE {at}")
            del self.rows[at - 1]
        elif response.startswith(b"* VANISHED"):
            earlier = response.startswith(b"* VANISHED (EARLIER)")
            if not earlier and verb in QUIET:
                self.lie(f"VANISHED while {verb} is answered")
            for uid in uid_set(response.split()[-1]):
                self.vanish(uid, earlier)
        else:
            fetched = _FETCH.match(response)
            if fetched:
                self.fetched(int(fetched[1]), fetched[2])

    def vanish(self, uid, earlier):
        """Takes the message away; one whose UID was not told yet is found by its neighbours."""
        before = [at for at, row in enumerate(self.rows) if row.uid is not None and row.uid <= uid]
        at = before[-1] if before else -1
        if at >= 0 and self.rows[at].uid == uid:
            del self.rows[at]
        elif at + 1 < len(self.rows) and self.rows[at + 1].uid is None:
            del self.rows[at + 1]
        elif not earlier:
            self.lie(f"VANISHED {uid}, which was not there")

    def fetched(self, at, items):
        if not 1 <= at <= len(self.rows):
            self.lie(f"FETCH {at}")
        row = self.rows[at - 1]
        for uid, modseq, flags in _WORDS.findall(items.split(b"BODY[")[0]):
            if uid:
                if row.uid is not None and row.uid != int(uid):
                    self.lie(f"message {at} was UID {row.uid}, and is {int(uid)}")
                row.uid = int(uid)
            elif modseq:
                if row.modseq is not None and int(modseq) < row.modseq:
                    self.lie(f"MODSEQ of UID {row.uid} fell from {row.modseq} to {int(modseq)}")
                row.modseq = int(modseq)
            else:
                row.flags = frozenset(flag for flag in flags.split() if flag.lower() != b"\\recent")
        if row.uid is not None:
            before = next((one.uid for one in self.rows[at - 2::-1] if one.uid), 0) if at > 1 else 0
            after = next((one.uid for one in self.rows[at:] if one.uid), 1 << 32)
            if not before < row.uid < after:
                self.lie(f"UID {row.uid} between {before} and {after}")

    # ---- commands

    def select(self, box, resync=False):
        """Opens BOX; with RESYNC what is known of it is brought up to date by QRESYNC, else the view begins anew."""
        if self.box is not None:
            self.box = None
            self.command("UNSELECT")
        self.box, rows = box, self.rows
        if resync and self.highest and None not in (row.uid for row in rows):
            known = {row.uid: row for row in rows}
            validity, highest = self.validity, self.highest
            # The answers come in terms of the new numbers: first VANISHED (EARLIER) and EXISTS, then what changed.
            self.rows = []
            tag = self.start(f"SELECT {box} (QRESYNC ({validity} {highest}))")
            changed, count = [], None
            while True:
                response = self.line()
                if response.startswith(tag + b" "):
                    if not response.startswith(tag + b" OK"):
                        raise Refused(response.decode())
                    break
                if response.startswith(b"* VANISHED (EARLIER)"):
                    for uid in uid_set(response.split()[-1]):
                        known.pop(uid, None)
                elif response.endswith(b" EXISTS\r\n"):
                    count = int(response.split()[1])
                elif _FETCH.match(response):
                    changed.append(_FETCH.match(response))
                elif b"[UIDVALIDITY " in response and int(re.search(rb"UIDVALIDITY (\d+)", response)[1]) != validity:
                    self.lie("another UIDVALIDITY")
                self.code(response)
            for fetched in changed:
                found = _WORDS.findall(fetched[2])
                uid = next(int(one[0]) for one in found if one[0])
                row = known.setdefault(uid, Row(uid))
                for _, modseq, flags in found:
                    if modseq:
                        row.modseq = int(modseq)
                    if flags or not (_ or modseq):
                        row.flags = frozenset(flag for flag in flags.split() if flag.lower() != b"\\recent")
            self.rows = [known[uid] for uid in sorted(known)]
            if len(self.rows) != count:
                self.lie(f"QRESYNC from {highest} leaves {len(self.rows)} messages, and there are {count}: {sorted(known)[-10:]}")
            return
        self.rows, self.highest = [], 0
        answers, _ = self.command(f"SELECT {box} (CONDSTORE)")
        self.validity = next(int(found[1]) for found in (re.search(rb"UIDVALIDITY (\d+)", one) for one in answers) if found)
        self.look()

    def look(self):
        """Learns every UID, flag and MODSEQ."""
        if self.rows:
            self.command("FETCH 1:* (UID FLAGS MODSEQ)")

    def state(self):
        return [(row.uid, row.flags, row.modseq) for row in self.rows]

    def check(self):
        """With nobody else at work: what the answers added up to is what the server says when asked for all."""
        self.command("NOOP")
        if any(row.uid is None for row in self.rows):
            self.look()     # messages that were only counted so far
        before = self.state()
        kept, self.rows = self.rows, [Row() for _ in self.rows]
        if kept:
            self.command("FETCH 1:* (UID FLAGS MODSEQ)")
        after = self.state()
        if len(before) != len(after):
            self.lie(f"{len(before)} messages, and the server tells of {len(after)}")
        for (uid, flags, modseq), (uid2, flags2, modseq2) in zip(before, after):
            if uid != uid2 or flags is not None and flags != flags2 or modseq is not None and modseq != modseq2:
                self.lie(f"known {(uid, flags, modseq)}, and the server says {(uid2, flags2, modseq2)}")
        return after
