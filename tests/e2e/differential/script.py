# SPDX-License-Identifier: MIT
"""The scripts as text: what is said to every server, over which connection.

    needs: CAPABILITY …   in front of the first script: of all; A|B: one of them. Servers without it are not asked.
    === setup NAME        lines that scripts can begin with; they must succeed and are not compared
    === NAME              a script; it has an account of its own
    with: NAME …          begins with these setups
    without: PEER WHY     is not asked of PEER, whose answer is a matter of chance
    before login          nobody logs in by himself
    C: TEXT               a command of the first connection; it gets a tag. Then all up to its tagged answer, or "+", is read
    C2: TEXT              of the second one
    C+: TEXT              the rest of a command that was answered "+"
    C!: TEXT              a line as it stands
    C: KEEP NAME MODSEQ   $NAME is what $MODSEQ is now
    W2: REGEXP            reads the second connection until a response matches; it counts for that connection's next step

@NAME stands for the literal of a message in messages.txt, @?NAME for one that is sent when the server asks for it, \\xNN for an octet, $USER, $MODSEQ, $VALIDITY, $MAILBOXID and $EMAILID for
the account and what the server said last.
"""
import dataclasses
import glob
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
LINE = re.compile(r"(?:C(?P<connection>\d?)(?P<kind>[+!]?):|W(?P<waits>\d?):) ?(?P<text>.*)")


@dataclasses.dataclass
class Step:
    connection: int
    kind: str  # ":" a command that gets a tag, "+" the rest of one, "!" a line as it stands, "W" wait for a line that matches
    text: str

    def __str__(self):
        number = "" if self.connection == 1 else str(self.connection)
        return f"W{number}: {self.text}" if self.kind == "W" else f"C{number}{self.kind.strip(':')}: {self.text}"


@dataclasses.dataclass
class Script:
    name: str
    needs: list
    setup: list = dataclasses.field(default_factory=list)
    steps: list = dataclasses.field(default_factory=list)
    login: bool = True
    without: list = dataclasses.field(default_factory=list)

    @property
    def concurrent(self):
        return any(step.connection > 1 for step in self.steps)


def step(line, where):
    found = LINE.fullmatch(line)
    if not found:
        raise ValueError(f"{where}: neither C: nor W:, a comment or a heading: {line!r}")
    number = found["connection"] or found["waits"] or "1"
    return Step(int(number), "W" if line.startswith("W") else found["kind"] or ":", found["text"])


def read(path, setups):
    """The scripts of one file. Lines before the first heading that say "needs:" hold for all of them. Adds to SETUPS."""
    scripts, general, current, base = [], [], None, os.path.basename(path)[:-4]
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("=== setup "):
            current = Script(line[10:].strip(), [])
            setups[current.name] = current.steps
        elif line.startswith("=== "):
            current = Script(f"{base}/{line[4:].strip()}", list(general))
            scripts.append(current)
        elif line.startswith("needs: "):
            (general if current is None else current.needs).extend(line[7:].split())
        elif line.startswith("with: "):
            for name in line[6:].split():
                current.setup.extend(setups[name])
        elif line.startswith("without: "):
            current.without.append(line[9:].split()[0])
        elif line.strip() == "before login":
            current.login = False
        else:
            current.steps.append(step(line, where))
    return scripts


def read_all():
    found, setups = [], {}
    read(f"{HERE}/scripts/setups.txt", setups)  # those that several files use
    for path in sorted(glob.glob(f"{HERE}/scripts/*.txt")):
        found += read(path, setups)
    names = [script.name for script in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"names that stand twice: {sorted(twice)}")
    return found


def unescape(text):
    """A line of a script as bytes; \\xNN is one of them."""
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes.fromhex(m[1].decode()), text.encode())


def read_messages():
    """{name: bytes} of messages.txt, with CRLF."""
    found, name = {}, None
    with open(f"{HERE}/messages.txt", encoding="utf-8") as file:
        for line in file.read().split("\n"):
            if line.startswith("=== "):
                name = line[4:].strip()
                found[name] = []
            elif name is not None:
                found[name].append(unescape(line))
    for name, lines in found.items():
        if lines and lines[-1] == b"":  # the empty line in front of the next heading
            lines.pop()
        found[name] = b"".join(line + b"\r\n" for line in lines)
    return found
