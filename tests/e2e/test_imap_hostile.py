# SPDX-License-Identifier: MIT
# alone: bounds how long others wait
# timeout: 600
"""Clients that mean harm, one after the other, while another works: each is answered or sent away, takes bounded memory,
and the other hardly notices."""
import contextlib
import os
import re
import resource
import socket
import threading
import time
import unittest

from bed import case, gk

MOST_MEMORY = 16 << 20  # private pages of one session's process, whatever its client says
MOST_OF_FRONT = 100 << 20  # and of gk-frontd, which holds a TLS connection for each of a thousand
MOST_WAIT = 5.0  # seconds that the honest client's command may take meanwhile, on a machine that has other work too
MESSAGE = b"From: ann@a.test\r\nSubject: hello\r\nMessage-ID: <%d@a.test>\r\n\r\nbody\r\n"


class Client:
    """One connection, logged in, that says what it likes."""

    def __init__(self, port, user="ann@a.test", log_in=True):
        self.wire = case.TLS.wrap_socket(socket.create_connection(("127.0.0.1", port), 30))
        self.wire.settimeout(60)
        self.heard = b""
        self.until(b"* OK")
        if log_in:
            self.ask(b"l LOGIN %s \"%s\"" % (user.encode(), gk.Instance.PASSWORD.encode()), b"l OK")

    def say(self, words):
        self.wire.sendall(words)

    def until(self, wanted):
        """Everything up to the line that begins with WANTED; fails where the server ends the connection first."""
        lines = []
        while True:
            while b"\n" not in self.heard:
                more = self.wire.recv(1 << 16)
                if not more:
                    raise AssertionError(f"the connection ended; heard {self.heard[-300:]!r}")
                self.heard += more
            line, self.heard = self.heard.split(b"\n", 1)
            lines.append(line + b"\n")
            if line.startswith(wanted):
                return b"".join(lines)

    def ask(self, words, wanted):
        self.say(words + b"\r\n")
        return self.until(wanted)

    def end(self):
        """Whether the server ends the connection; what it said before."""
        said = self.heard
        with contextlib.suppress(OSError):
            while more := self.wire.recv(1 << 16):
                said = (said + more)[-4096:]
        return said

    def close(self):
        with contextlib.suppress(OSError):
            self.wire.close()


class Hostile(case.Case):
    DOMAINS = {"a.test": ["ann", "bob"]}
    SETTINGS = '[imap]\nwrite_timeout = "3s"\nsessions_per_account = 2000\n[front]\nconnections = 3000\nconnections_per_address = 3000\n'

    @classmethod
    def setUpClass(cls):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        super().setUpClass()

    def setUp(self):
        self.port = self.gk.port("imaps")
        self.clients = []
        self.honest = self.client("bob@a.test")
        self.honest.ask(b"a SELECT INBOX", b"a OK")
        self.slowest, self.stopping, self.trouble = 0.0, threading.Event(), None
        self.memory = {"gk-imapd": 0, "gk-frontd": 0}
        self.worker = threading.Thread(target=self.work)
        self.worker.start()

    def tearDown(self):
        self.stopping.set()
        self.worker.join(60)
        for client in self.clients:
            client.close()
        print(f"slowest answer {self.slowest:.3f} s, private memory {self.memory} ", end="", flush=True)
        self.assertIsNone(self.trouble)
        self.assertLess(self.slowest, MOST_WAIT)
        self.assertLess(self.memory["gk-imapd"], MOST_MEMORY)
        self.assertLess(self.memory["gk-frontd"], MOST_OF_FRONT)

    def client(self, user="ann@a.test", log_in=True):
        client = Client(self.port, user, log_in)
        self.clients.append(client)
        return client

    def work(self):
        """What an honest client does all day, timed; and the memory of every process of gk-imapd, looked at."""
        try:
            number = 0
            while not self.stopping.is_set():
                number += 1
                message = MESSAGE % number
                for words, wanted in ((b"w APPEND INBOX {%d+}\r\n%s" % (len(message), message), b"w OK"),
                                      (b"x UID FETCH * (FLAGS ENVELOPE)", b"x OK"), (b"y NOOP", b"y OK")):
                    began = time.monotonic()
                    self.honest.ask(words, wanted)
                    self.slowest = max(self.slowest, time.monotonic() - began)
                for program in self.memory:
                    self.memory[program] = max(self.memory[program], *map(private, self.gk.pids(program)), 0)
                self.stopping.wait(0.05)
        except Exception as error:  # pylint: disable=broad-exception-caught
            self.trouble = error

    def test_endless_literals_and_lines(self):
        client = self.client()
        self.assertIn(b"BAD", client.ask(b"a LIST \"\" {4000000000}", b"a "))
        self.assertIn(b"BAD", client.ask(b"a CREATE {99999999999999999999}", b"a "))
        # Not asked for: the octets come all the same, and what they were to be is refused.
        client.say(b"b LIST \"\" {8000000+}\r\n")
        for _ in range(100):
            client.say(b"x" * 80_000)
        self.assertIn(b"BAD", client.ask(b"", b"b "))
        client.ask(b"c NOOP", b"c OK")
        # A line that never ends.
        endless = self.client()
        with contextlib.suppress(OSError):
            for _ in range(400):
                endless.say(b"d NOOP " + b"y" * 100_000)
        self.assertRegex(endless.end() or b"BYE", rb"BAD|BYE")

    def test_lists_and_sets_and_searches_of_a_megabyte(self):
        for words in (b"SEARCH " + b"(" * 60_000, b"SEARCH " + b"NOT " * 15_000 + b"ALL", b"SEARCH " + b"OR ALL " * 9_000 + b"ALL",
                      b"LIST \"\" (" + b"* " * 30_000 + b"*)", b"FETCH 1 (" + b"UID " * 15_000 + b"UID)",
                      b"FETCH 1 BODY[" + b"1." * 30_000 + b"1]", b"SEARCH HEADER " + b"z" * 60_000 + b" a",
                      b"STORE 1 FLAGS (" + b"k" * 60_000 + b")", b"SEARCH " + b"1:*," * 15_000 + b"1", b"FETCH " + b"1:*," * 15_000 + b"1 FLAGS",
                      b"UID SEARCH UID " + b",".join(b"%d:%d" % (n, 4294967295 - n) for n in range(1, 3000))):
            client = self.client()
            client.ask(b"a SELECT INBOX", b"a OK")
            self.assertRegex(client.ask(b"b " + words, b"b "), rb"b (OK|NO|BAD)")
            client.ask(b"c NOOP", b"c OK")
            client.close()
        # Past every limit of a line: refused, and the connection goes on or ends with a word.
        client = self.client()
        with contextlib.suppress(OSError):
            client.say(b"a UID FETCH " + b"1:*," * 262_144 + b"1 FLAGS\r\nb LOGOUT\r\n")
        self.assertRegex(client.end(), rb"BAD|BYE")

    def test_append_of_200_megabytes(self):
        client = self.client()
        self.assertIn(b"[TOOBIG]", client.ask(b"a APPEND INBOX {209715200}", b"a NO"))
        client.say(b"b APPEND INBOX {209715200+}\r\n")
        block = b"z" * (1 << 20)
        with contextlib.suppress(OSError):
            for _ in range(200):
                client.say(block)
            self.assertIn(b"NO", client.ask(b"", b"b "))
        self.assertEqual([path for path in self.gk.files("ann@a.test") if os.path.getsize(path) > 1 << 20], [])

    def test_reads_nothing_of_what_it_asks_for(self):
        client = self.client()
        message = MESSAGE % 0 + b"x" * 99 * 10_000
        client.ask(b"a APPEND INBOX {%d+}\r\n%s" % (len(message), message), b"a OK")
        client.ask(b"b SELECT INBOX", b"b OK")
        client.wire.settimeout(1)
        sent = 0
        with contextlib.suppress(OSError):  # the server takes no more, or sends it away
            for _ in range(20_000):
                client.say(b"c FETCH 1:* BODY.PEEK[]\r\n" * 100)
                sent += 100
        self.assertLess(sent, 2_000_000)
        # imap.write_timeout ends it.
        gk.wait_for("the end of the session that reads nothing", lambda: any(
            event.get("reason") not in (None, "logout") for event in self.gk.events("imap.session.end")), 60)

    def test_pipelines_thousands_of_commands(self):
        client = self.client()
        client.say(b"a SELECT INBOX\r\n" + b"".join(b"n%d NOOP\r\n" % n for n in range(20_000)) + b"z NOOP\r\n")
        said = client.until(b"z OK")
        self.assertEqual(len(re.findall(rb"(?m)^[anz][0-9]* OK ", said)), 20_002)

    def test_thousand_connections_that_say_nothing(self):
        silent = []
        for _ in range(1000):
            wire = socket.create_connection(("127.0.0.1", self.port), 30)
            silent.append(wire)
        try:
            client = self.client()
            client.ask(b"a NOOP", b"a OK")
        finally:
            for wire in silent:
                wire.close()

    def test_makes_no_sense_again_and_again(self):
        client = self.client()
        with contextlib.suppress(OSError):
            client.say(b"x what\r\n" * 1000)
        self.assertIn(b"* BYE", client.end())


def private(pid):
    """Private memory of a process; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) << 10 for line in file if line.startswith(("Private_Dirty", "Private_Clean")))
    except (OSError, ValueError):
        return 0


if __name__ == "__main__":
    unittest.main()
