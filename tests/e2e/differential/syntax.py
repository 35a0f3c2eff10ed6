# SPDX-License-Identifier: MIT
"""A response of IMAP as a tree: lists, atoms, strings (bytes). RFC 9051, 9."""
import re


class Atom(str):
    """What stands without quotes, NIL and numbers too."""


ATOM = re.compile(rb"(?:[^\s()\"\[\]{}]|\[[^\]]*\])+")
LITERAL = re.compile(rb"~?\{(\d+)\+?\}\r\n")


def parse(data):
    """The words of one response; a list is a list. What cannot be read stays one atom, so that nothing gets lost."""
    found, at = sequence(data, 0, False)
    if at < len(data):
        found.append(Atom(data[at:].decode("latin-1")))
    return found


def sequence(data, at, inside):
    found = []
    while at < len(data):
        byte = data[at:at + 1]
        if byte == b" ":
            at += 1
        elif byte == b")" and inside:
            return found, at + 1
        elif byte == b"(":
            inner, at = sequence(data, at + 1, True)
            found.append(inner)
        elif byte == b'"':
            end = at + 1
            while end < len(data) and data[end:end + 1] != b'"':
                end += 2 if data[end:end + 1] == b"\\" else 1
            found.append(re.sub(rb"\\(.)", rb"\1", data[at + 1:end], flags=re.S))
            at = end + 1
        elif LITERAL.match(data, at):
            literal = LITERAL.match(data, at)
            end = literal.end() + int(literal[1])
            found.append(data[literal.end():end])
            at = end
        else:
            atom = ATOM.match(data, at)
            if not atom:
                return found + [Atom(data[at:].decode("latin-1"))], len(data)
            found.append(Atom(atom[0].decode("latin-1")))
            at = atom.end()
    return found, at


def show(word):
    """A word as text, the same for a literal and a quoted string."""
    if isinstance(word, list):
        return "(" + " ".join(show(each) for each in word) + ")"
    if isinstance(word, bytes):
        text = word.decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
        return '"' + re.sub(r"[^ -~]", lambda m: {"\r": "\\r", "\n": "\\n"}.get(m[0], f"\\x{ord(m[0]):02x}"), text) + '"'
    return word
