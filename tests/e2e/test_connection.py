# SPDX-License-Identifier: MIT
"""What ends or changes a session but not its connection: COMPRESS and UNAUTHENTICATE."""
import contextlib
import os
import subprocess
import unittest
import zlib

from bed import gk
from test_sleep import Client, MESSAGE


class Compressed:
    """A client that has said COMPRESS DEFLATE."""

    def __init__(self, client):
        self.client, self.plain = client, b""
        client.say("c COMPRESS DEFLATE\r\n", rb"c OK ")
        self.out, self.into = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
        assert not client.heard

    def send(self, what):
        self.client.socket.sendall(self.out.compress(what) + self.out.flush(zlib.Z_SYNC_FLUSH))

    def until(self, end):
        """Everything up to the end of the line with END in it."""
        self.client.socket.settimeout(30)
        while b"\n" not in self.plain.partition(end)[1][-1:] + self.plain.partition(end)[2]:
            got = self.client.socket.recv(65536)
            if not got:
                raise gk.Failed(f"the server ended the connection after {self.plain[-300:]!r}")
            self.plain += self.into.decompress(got)
        at = self.plain.index(b"\n", self.plain.index(end) + len(end) - 1) + 1
        said, self.plain = self.plain[:at], self.plain[at:]
        return said

    def say(self, what, end):
        self.send(what)
        return self.until(end)


class Connection(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bed = gk.Instance("mx.a.test", {"a.test": ["ann", "bob"]}, '[imap]\nsleep_after = "1s"\n',
                              up_options=["--only", "auth,imap,front"]).start()

    @classmethod
    def tearDownClass(cls):
        cls.bed.__exit__(None, None, None)

    def setUp(self):
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.socket.close()

    def client(self, user="ann"):
        self.clients.append(Client(self.bed, f"{user}@a.test"))
        return self.clients[-1]

    def deliver(self, message=MESSAGE):
        done = subprocess.run([f"{gk.BIN}/gk-deliver", "--root", self.bed.root, "-d", "ann@a.test"], input=message,
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_speaks_deflate_once_asked(self):
        body = os.urandom(1_000_000).hex().encode()
        self.deliver(MESSAGE + b"\r\n".join(body[i:i + 76] for i in range(0, len(body), 76)) + b"\r\n")
        plain = self.client()
        self.assertIn(b"COMPRESS=DEFLATE", plain.say("a CAPABILITY\r\n", rb"a OK "))
        self.assertRegex(plain.say("b COMPRESS LZMA\r\n", rb"b "), rb"^b NO ")
        one = Compressed(plain)
        self.assertNotIn(b"COMPRESS=DEFLATE", one.say(b"a CAPABILITY\r\n", b"a OK "))
        self.assertIn(b"d NO [COMPRESSIONACTIVE]", one.say(b"d COMPRESS DEFLATE\r\n", b"\r\n"))
        one.say(b"e SELECT INBOX\r\n", b"e OK ")
        said = one.say(b"f FETCH 1 BODY[]\r\n", b"f OK ")
        self.assertIn(body[-50:], said.replace(b"\r\n", b""))
        one.say(b"g APPEND INBOX {2000000+}\r\n" + b"x" * 2_000_000 + b"\r\n", b"g OK ")
        one.say(b"i IDLE\r\n", b"+ idling\r\n")
        self.deliver()
        one.until(b" EXISTS\r\n")
        one.say(b"DONE\r\nz LOGOUT\r\n", b"z OK ")

    def test_a_bomb_takes_no_memory(self):
        one = Compressed(self.client())
        children = self.bed.pids("gk-imapd")
        bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
        wire = one.out.flush(zlib.Z_SYNC_FLUSH) + b"".join(bomb.compress(b"\0" * (1 << 20)) for _ in range(200)) + bomb.flush(zlib.Z_SYNC_FLUSH)
        self.assertLess(len(wire), 500_000)
        with contextlib.suppress(OSError):
            one.client.socket.sendall(wire)
        with contextlib.suppress(gk.Failed, OSError):
            one.until(b"* BYE")
        for pid in children:
            try:
                with open(f"/proc/{pid}/status", encoding="ascii") as file:
                    peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
            except OSError:
                continue
            self.assertLess(peak, 64 * 1024)
        self.client().say("a NOOP\r\n", rb"a OK ")

    def test_damaged_bytes_end_the_session_alone(self):
        one = Compressed(self.client())
        one.client.socket.sendall(b"a NOOP\r\nb NOOP\r\n" * 10)
        self.assertNotIn(b"a OK", one.client.rest())
        self.client().say("a NOOP\r\n", rb"a OK ")

    def test_another_account_logs_in_over_the_same_connection(self):
        one = self.client()
        self.assertIn(b"UNAUTHENTICATE", one.say("a CAPABILITY\r\n", rb"a OK "))
        for turn in range(3):
            one.say("s SELECT INBOX\r\n", rb"s OK ")
            one.say("u UNAUTHENTICATE\r\n", rb"u OK ")
            self.assertRegex(one.say("n SELECT INBOX\r\n", rb"n "), rb"^n BAD ")
            self.assertRegex(one.say('x LOGIN bob@a.test "wrong"\r\n', rb"x "), rb"^x NO ")
            who = ("bob", "ann")[turn % 2]
            one.say(f'l LOGIN {who}@a.test "{self.bed.PASSWORD}"\r\n', rb"l OK ")
            self.assertIn(b"* STATUS", one.say("t STATUS INBOX (MESSAGES)\r\n", rb"t OK "))
        one.say("z LOGOUT\r\n", rb"z OK ")

    def test_commands_behind_unauthenticate_are_of_nobody(self):
        one = self.client()
        said = one.say(f'u UNAUTHENTICATE\r\nn SELECT INBOX\r\nl LOGIN bob@a.test "{self.bed.PASSWORD}"\r\nt NOOP\r\n', rb"t OK ")
        self.assertRegex(said, rb"^u OK .*\r\nn BAD .*\r\nl OK .*\r\nt OK ")


if __name__ == "__main__":
    unittest.main()
