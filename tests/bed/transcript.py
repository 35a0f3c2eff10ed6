# SPDX-License-Identifier: MIT
"""Replays a dialogue (tests/protocol/PROTOCOL/*.txt) against a server that runs: what is replayed in process is true here too."""
import re

ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)")
NAMED = {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"\\": b"\\"}


def unescape(text):
    return ESCAPE.sub(lambda m: bytes.fromhex(m[1][1:].decode()) if m[1][:1] == b"x" and len(m[1]) == 3 else NAMED.get(m[1], m[1]), text)


def replay(path, connection):
    """Says and hears the whole of PATH over CONNECTION (a connected socket); AssertionError where an answer differs."""
    heard = connection.makefile("rb")
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip(b"\n")
            if not line or line.startswith(b"#"):
                continue
            kind, text = line[:2], line[3:]
            if kind == b"C:":
                connection.sendall(unescape(text) + b"\r\n")
            elif kind == b"C-":
                connection.sendall(unescape(text))
            else:
                answer = heard.readline()
                assert answer.endswith(b"\r\n"), f"{path}:{number}: a line without CRLF, or the end: {answer!r}"
                answer = answer[:-2].decode("utf-8", "replace")
                wanted = text.decode("utf-8")
                fits = re.fullmatch(wanted, answer) if kind == b"S~" else wanted == answer
                assert fits, f"{path}:{number}: wanted {wanted!r}, got {answer!r}"
