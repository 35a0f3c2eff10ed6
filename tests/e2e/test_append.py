# SPDX-License-Identifier: MIT
"""APPEND of what is large, many or cut off, against the programs that run."""
import contextlib
import os
import re
import socket
import unittest

from bed import case, gk

MESSAGE = b"Subject: x\r\n\r\n" + b"line of text that is some sixty bytes long or so.\r\n" * 60
LITERAL = b"{%d+}\r\n%s" % (len(MESSAGE), MESSAGE)


class Client:
    """Commands with literals that imaplib cannot say."""

    def __init__(self, instance):
        self.socket = case.TLS.wrap_socket(socket.create_connection(("127.0.0.1", instance.port("imaps")), 60), server_hostname="mx.test")
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.send(b'l LOGIN ann@a.test "%s"\r\n' % instance.PASSWORD.encode())
        self.answer(b"l")

    def send(self, *pieces):
        for piece in pieces:
            self.socket.sendall(piece)

    def answer(self, tag):
        for line in self.file:
            if line.startswith(tag + b" "):
                return line[len(tag) + 1:]
        raise ConnectionError("closed")

    def say(self, *pieces):
        """The tagged answer to one command, whose tag is t."""
        self.send(b"t ", *pieces, b"\r\n")
        return self.answer(b"t")

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.file.close()
        self.socket.close()


class Append(case.Case):
    def setUp(self):
        self.client = Client(self.gk)
        self.addCleanup(self.client.close)

    def drafts(self, mailbox):
        return os.listdir(f"{self.gk.maildir('ann@a.test', mailbox)}/tmp")

    def memory(self):
        """The most, in KB, that any process of gk-imapd took."""
        def most(pid):
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1])
        return max(map(most, self.gk.pids("gk-imapd")))

    def test_a_large_message_takes_no_memory_and_one_too_large_is_refused(self):
        block = (b"x" * 70 + b"\r\n") * 1000
        large = [block] * 1000  # 72 MB
        self.assertRegex(self.client.say(b"APPEND Sent {%d+}\r\n" % (1000 * len(block)), *large), rb"OK \[APPENDUID \d+ \d+\] ")
        self.assertRegex(self.client.say(b"APPEND Sent {%d+}\r\n" % (2000 * len(block)), *large, *large), rb"NO \[TOOBIG\] ")
        self.assertLess(self.memory(), 40_000)
        self.assertEqual(self.drafts("Sent"), [])

    def test_a_thousand_messages_or_parts_come_with_one_command(self):
        self.assertRegex(self.client.say(b"APPEND Archive", *[b" " + LITERAL] * 1000), rb"OK \[APPENDUID \d+ 1:1000\] ")
        parts = b" ".join([b"TEXT " + LITERAL, b"URL /Archive/;UID=7/;SECTION=TEXT"] * 500)
        self.assertRegex(self.client.say(b"APPEND Trash CATENATE (", parts, b")"), rb"OK \[APPENDUID \d+ 1\] ")
        self.assertLess(self.memory(), 40_000)
        self.assertEqual(len(self.gk.files("ann@a.test", "Archive")), 1000)

    def test_what_a_client_pipelines_before_it_goes_is_all_stored(self):
        self.client.send(b"".join(b"p%d APPEND Drafts %s\r\n" % (i, LITERAL) for i in range(50)))
        self.assertIn(b"OK [APPENDUID ", self.client.answer(b"p49"))
        self.client.send(b"".join(b"q%d APPEND Drafts %s\r\n" % (i, LITERAL) for i in range(10)))
        self.client.socket.shutdown(socket.SHUT_WR)
        gk.wait_for("the messages", lambda: len(self.gk.files("ann@a.test", "Drafts")) == 60, 20)
        self.assertEqual(self.drafts("Drafts"), [])

    def test_a_client_that_goes_in_the_middle_leaves_nothing(self):
        before = len(self.gk.files("ann@a.test", "Junk"))
        self.client.send(b"i APPEND Junk ", LITERAL, b" {5000000+}\r\n", b"y" * 1_000_000)
        gk.wait_for("the drafts", lambda: len(self.drafts("Junk")) == 2, 20)
        self.client.close()
        gk.wait_for("their end", lambda: not self.drafts("Junk"), 20)
        self.assertEqual(len(self.gk.files("ann@a.test", "Junk")), before)


if __name__ == "__main__":
    unittest.main()
