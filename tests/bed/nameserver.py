# SPDX-License-Identifier: MIT
"""A name server on 127.0.0.1 that answers from the lines that gk-spf(1) describes under DNS FROM A FILE, and counts."""
import ipaddress
import shlex
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
NAMES = {number: name for name, number in TYPES.items()}


def name_of(wire, at):
    """The name at AT in a question, and where it ends."""
    labels = []
    while wire[at]:
        labels.append(wire[at + 1:at + 1 + wire[at]])
        at += 1 + wire[at]
    return b".".join(labels).decode("latin-1").lower(), at + 1


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in name.rstrip(".").split(".") if label) + b"\0"


def rdata(kind, value):
    if kind == "TXT":
        octets = value.encode()
        return b"".join(bytes([len(octets[at:at + 255])]) + octets[at:at + 255] for at in range(0, len(octets) or 1, 255))
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "MX":
        preference, host = value.split()
        return struct.pack(">H", int(preference)) + wire_name(host)
    return wire_name(value)


class NameServer:
    """with NameServer(text) as dns: …  dns.port, dns.asked (name and type of each question), dns.set(text)."""

    def __init__(self, text=""):
        self.asked, self.records, self.failures = [], {}, set()
        self.silent = False  # takes questions and says nothing
        self.set(text)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def set(self, text):
        records, failures = {}, set()
        for line in text.splitlines():
            words = line.split(None, 2)
            if not words or words[0].startswith("#"):
                continue
            name = words[0].lower()
            if words[1] == "TEMPFAIL" or words[2].strip() == "TEMPFAIL":
                failures.add((name, "*" if words[1] == "TEMPFAIL" else words[1]))
                continue
            kind, value = words[1], words[2].strip()
            if kind == "PTR":
                name = ipaddress.ip_address(name).reverse_pointer
            if value.startswith('"'):
                value = "".join(shlex.split(value))
            records.setdefault((name, kind), []).append(value)
        self.records, self.failures = records, failures

    def _answer(self, question):
        ident, _flags, _count = struct.unpack(">HHH", question[:6])
        name, end = name_of(question, 12)
        kind = NAMES.get(struct.unpack(">H", question[end:end + 2])[0], "?")
        self.asked.append((name, kind))
        if (name, kind) in self.failures or (name, "*") in self.failures:
            code, answers = 2, []
        else:
            answers = self.records.get((name, kind), [])
            exists = any(known == name or known.endswith("." + name) for known, _ in self.records)
            code = 0 if exists else 3
        head = struct.pack(">HHHHHH", ident, 0x8580 | code, 1, len(answers), 0, 0)
        body = question[12:end + 4]
        for value in answers:
            data = rdata(kind, value)
            body += b"\xc0\x0c" + struct.pack(">HHIH", TYPES[kind], 1, 60, len(data)) + data
        return head + body

    def _serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if question == b"stop":
                return
            if not self.silent:
                self.socket.sendto(self._answer(question), peer)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(b"stop", ("127.0.0.1", self.port))
        self.thread.join()
        self.socket.close()
