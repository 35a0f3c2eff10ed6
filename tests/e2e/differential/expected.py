# SPDX-License-Identifier: MIT
"""The differences that have a reason: expected.txt, read and written.

    @NAME RFC and section: what it says

    === script
    --- step, as it stands in the script; #2 when it stands there for the second time
    peer @NAME …, or the reason in words
    - a line that only gk said
    + a line that only the peer said
"""
import difflib
import os

from differential import normal
from differential.script import HERE

PATH = f"{HERE}/expected.txt"


def difference(ours, theirs):
    """["- line of ours", "+ line of theirs"], empty when both tell the same."""
    if len(ours) == len(theirs) and all(normal.same(a, b) for a, b in zip(ours, theirs)):
        return []
    return [f"{line[0]} {line[2:]}" for line in difflib.ndiff(ours, theirs) if line[0] in "-+"]


class Expected:
    def __init__(self):
        self.reasons, self.entries = {}, {}
        if not os.path.exists(PATH):
            return
        script = step = key = None
        with open(PATH, encoding="utf-8") as file:
            for line in file.read().split("\n"):
                if line.startswith("@"):
                    name, _, text = line[1:].partition(" ")
                    self.reasons[name] = text
                elif line.startswith("=== "):
                    script = line[4:]
                elif line.startswith("--- "):
                    step = line[4:]
                elif line.startswith(("- ", "+ ")):
                    self.entries[key][1].append(line)
                elif line and not line.startswith("#"):
                    peer, _, why = line.partition(" ")
                    key = (script, step, peer)
                    self.entries[key] = (why, [])

    def reason_missing(self, why):
        """What is wrong with a reason, or None."""
        if why.startswith("@"):
            unknown = [word for word in why.split() if word[1:] not in self.reasons]
            return f"no reason is called {' '.join(unknown)}" if unknown else None
        return None if why.startswith(("RFC ", "gk is wrong: ")) else f"'{why}' cites no RFC"

    def text(self, order):
        """The file again: the reasons that are used, then the entries in the ORDER of the scripts."""
        used = {word[1:] for why, _ in self.entries.values() for word in why.split() if word.startswith("@")}
        lines = ["# The differences between gk and its peers that have a reason; `test_imap_differential.py --write` keeps the order.", "# SPDX-License-Identifier: MIT", ""]
        lines += [f"@{name} {self.reasons[name]}" for name in self.reasons if name in used]
        script = step = None
        for key in sorted(self.entries, key=lambda key: order.get(key[:2], (1 << 30, 0)) + (key[2],)):
            why, shown = self.entries[key]
            if key[0] != script:
                script, step = key[0], None
                lines += ["", f"=== {script}"]
            if key[1] != step:
                step = key[1]
                lines.append(f"--- {step}")
            lines += [f"{key[2]} {why}", *shown]
        return "\n".join(lines) + "\n"
