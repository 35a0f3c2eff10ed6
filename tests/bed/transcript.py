# SPDX-License-Identifier: MIT
"""Replays a dialogue (tests/protocol/PROTOCOL/*.txt) against a server that runs: what is replayed in process is true here too.

Comments that say more: "# only in process: WHY" and "# with: KEY=VALUE …" (settings that differ from the other files').
"""
import contextlib
import re

ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)")
NAMED = {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"\\": b"\\"}
# How the host of the tests in process shows the content it was given, CRLF as "|" and LF as "/".
CONTENT = re.compile(r"250 2\.0\.0 ok \d+ recipients: (.*)")


def unescape(text):
    return ESCAPE.sub(lambda m: bytes.fromhex(m[1][1:].decode()) if m[1][:1] == b"x" and len(m[1]) == 3 else NAMED.get(m[1], m[1]), text)


def marks(path):
    """(why it is for tests in process only or None, {setting: value})."""
    why, settings = None, {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("# only in process: "):
                why = line.split(": ", 1)[1].strip()
            elif line.startswith("# with: "):
                settings.update(pair.split("=", 1) for pair in line.split(": ", 1)[1].split())
    return why, settings


def replay(path, connection, start_tls=None):
    """Says and hears the whole of PATH over CONNECTION (a connected socket), and that nothing follows; AssertionError where an
    answer differs. START_TLS(connection) is called at STARTTLS. Returns what was accepted as messages: for each its content, or
    None where the file does not tell exactly.
    """
    heard, accepted, tls_asked = connection.makefile("rb"), [], False
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    for number, line in enumerate(lines, 1):
        kind, text = line[:2], line[3:]
        if not line or line.startswith(b"#"):
            continue
        if kind == b"C:":
            connection.sendall(unescape(text) + b"\r\n")
            tls_asked = text.strip().upper() == b"STARTTLS"
        elif kind == b"C-":
            connection.sendall(unescape(text))
        else:
            answer = heard.readline()
            assert answer.endswith(b"\r\n"), f"{path}:{number}: a line without CRLF, or the end: {answer!r}"
            answer, wanted = answer[:-2].decode("utf-8", "replace"), text.decode("utf-8")
            content = CONTENT.fullmatch(wanted if kind == b"S:" else wanted.replace("\\.", "."))
            if content:
                accepted.append(content[1].replace("|", "\r\n").replace("/", "\n").encode() if kind == b"S:" else None)
                kind, wanted = b"S~", r"250 2\.0\.0 .*"
            fits = re.fullmatch(wanted, answer) if kind == b"S~" else wanted == answer
            assert fits, f"{path}:{number}: wanted {wanted!r}, got {answer!r}"
            if tls_asked and answer.startswith("220 "):
                connection = start_tls(connection)
                heard, tls_asked = connection.makefile("rb"), False
    rest = b""
    if re.search(rb"^S. (221|421|521|\* BYE)", b"\n".join(lines), re.M):
        # A server that closes while lines of ours are unread resets the connection: that is an end too.
        with contextlib.suppress(ConnectionResetError):
            rest = heard.read()
    assert rest == b"", f"{path}: said beyond the end: {rest[:200]!r}"
    return accepted
