# SPDX-License-Identifier: MIT
"""gk-deliver as a foreign MTA and a pipe use it: LMTP on its socket, and one message on standard input."""
import contextlib
import os
import socket
import subprocess
import unittest

from bed import case, gk

MESSAGE = b"From: bob@b.test\nSubject: by pipe\n\ntext\n"


class Dialogue:
    """LMTP by hand: smtplib's reads one reply after DATA, however many recipients there are."""

    def __init__(self, connection):
        self.connection, self.heard = connection, connection.makefile("rb")
        self.code()
        self.say("LHLO client.test")

    def code(self):
        while True:
            line = self.heard.readline()
            if line[3:4] != b"-":
                return int(line[:3])

    def say(self, line):
        self.connection.sendall(line.encode() + b"\r\n")
        return self.code()

    def send(self, recipients, message):
        """The answers to RCPT, and those after the message for the recipients taken."""
        self.say("MAIL FROM:<bob@b.test>")
        asked = [self.say(f"RCPT TO:<{recipient}>") for recipient in recipients]
        self.say("DATA")
        self.connection.sendall(message.replace(b"\n", b"\r\n") + b".\r\n")
        return asked, [self.code() for answer in asked if answer == 250]


class Deliver(case.Case):
    DOMAINS = {"a.test": ["ann", "ben"]}
    UP_OPTIONS = ("--only", "deliver")

    def lda(self, *words, message=MESSAGE, code=0):
        done = subprocess.run([f"{gk.BIN}/gk-deliver", "--root", self.gk.root, *words], input=message, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done.stdout.decode()

    @contextlib.contextmanager
    def lmtp(self):
        """A dialogue: say(line) returns the reply's code; answers(n) the codes of n replies."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(f"{self.gk.root}/run/lmtp.sock")
            yield Dialogue(connection)

    def test_a_pipe_delivers_and_exit_0_means_a_file(self):
        before = set(self.gk.files("ben@a.test"))
        self.lda("-f", "bob@b.test", "-d", "ben@a.test", message=b"From bob@b.test Sun Nov 22 09:00:00 2026\n" + MESSAGE)
        (new,) = set(self.gk.files("ben@a.test")) - before
        with open(new, "rb") as file:
            self.assertEqual(file.read(), b"Return-Path: <bob@b.test>\nDelivered-To: ben@a.test\n" + MESSAGE)

    def test_sysexits_say_what_an_mta_may_do(self):
        self.lda(code=64)
        self.lda("-d", "nobody@a.test", code=67)
        self.lda("-d", "ann@elsewhere.test", code=67)
        self.lda("-d", "ann@a.test", "--mailbox", "Nowhere", code=73)
        self.lda("-d", "ann@a.test", "-f", "not an address", code=64)
        self.lda("-d", "ann@a.test", "-d", "nobody@a.test", code=67)
        gone = subprocess.run([f"{gk.BIN}/gk-deliver", "--root", "/nonexistent", "-d", "ann@a.test"], input=MESSAGE, capture_output=True, check=False)
        self.assertIn(gone.returncode, (66, 78))

    def test_a_dry_run_says_where_and_files_nothing(self):
        before = len(self.gk.files("ann@a.test"))
        self.assertEqual(self.lda("-n", "-d", "ann@a.test", "-d", "ben+x@a.test").split("\n")[:2],
                         ["ann@a.test\tfile\tann@a.test\tINBOX", "ben+x@a.test\tfile\tben@a.test\tINBOX"])
        self.assertEqual(len(self.gk.files("ann@a.test")), before)

    def test_an_alias_that_leads_out_goes_to_the_queue(self):
        gk.run("gk-alias", "add", "out@a.test", "zoe@elsewhere.test", "--root", self.gk.root)
        self.assertIn("spool\tzoe@elsewhere.test", self.lda("-n", "-d", "out@a.test"))
        with self.lmtp() as client:
            self.assertEqual(client.send(["out@a.test", "ann@a.test"], MESSAGE), ([250, 250], [250, 250]))
        self.wait("the queue to have it", lambda: self.gk.events("message.spooled"))

    def test_lmtp_answers_for_each_recipient(self):
        with self.lmtp() as client:
            self.assertEqual(client.send(["ann@a.test", "nobody@a.test", "x@elsewhere.test"], MESSAGE), ([250, 550, 551], [250]))

    def test_a_large_message_needs_no_memory_and_keeps_its_bytes(self):
        message = b"Subject: large\n\n" + b"0123456789abcdef" * 4 * 200_000 + b"\n"
        message = message.replace(b"abcdef", b"abcde\n")
        before = set(self.gk.files("ben@a.test"))
        with self.lmtp() as client:
            self.assertEqual(client.send(["ben@a.test"], message), ([250], [250]))
        (new,) = set(self.gk.files("ben@a.test")) - before
        with open(new, "rb") as file:
            self.assertTrue(file.read().endswith(message))
        (pid,) = self.gk.pids("gk-deliver")
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
        self.assertLess(peak, 64 * 1024)

    def test_a_reload_keeps_connections(self):
        (pid,) = self.gk.pids("gk-deliver")
        with self.lmtp() as client:
            os.kill(pid, 1)
            self.wait("the reload", lambda: self.gk.events("daemon.reloaded"))
            self.assertEqual(client.send(["ann@a.test"], MESSAGE), ([250], [250]))


if __name__ == "__main__":
    unittest.main()
