# SPDX-License-Identifier: MIT
"""Clients in IDLE whose sessions have no process: they notice nothing."""
# alone: bounds how soon a sleeper hears
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import time
import unittest

from bed import gk

ACCOUNTS, EACH = 20, 10
SETTINGS = '[imap]\nsleep_after = "1s"\nsleep_silent_after = "1s"\n'
MESSAGE = b"From: bob@b.test\r\nTo: you@a.test\r\nSubject: hello\r\n\r\nhello\r\n"


class Client:
    def __init__(self, bed, account):
        self.socket = socket.create_connection(("127.0.0.1", bed.port("imaps")), 10)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname="mx.a.test")
        self.heard = b""
        self.until(rb"\* OK ")
        self.say(f'a LOGIN {account} "{bed.PASSWORD}"\r\n', rb"a OK ")

    def say(self, what, pattern=None):
        self.socket.sendall(what.encode())
        return self.until(pattern) if pattern else None

    def until(self, pattern, seconds=20):
        """Everything up to and with the line that matches."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern + rb".*\r\n", self.heard)
            if found:
                said, self.heard = self.heard[:found.end()], self.heard[found.end():]
                return said
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            got = self.socket.recv(65536)
            if not got:
                raise gk.Failed(f"the server ended the connection after {self.heard!r}")
            self.heard += got

    def idle(self):
        self.say("s SELECT INBOX\r\ni IDLE\r\n", rb"\+ idling")
        return self

    def silent(self):
        return not self.heard and not select.select([self.socket], [], [], 0)[0]

    def rest(self):
        """What comes until the server ends the connection."""
        self.socket.settimeout(20)
        try:
            while got := self.socket.recv(65536):
                self.heard += got
        except ConnectionResetError:
            pass
        return self.heard


class Sleep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.accounts = [f"user{i}@a.test" for i in range(ACCOUNTS)]
        cls.bed = gk.Instance("mx.a.test", {"a.test": [f"user{i}" for i in range(ACCOUNTS)]}, SETTINGS, up_options=["--only", "auth,imap,front"]).start()

    @classmethod
    def tearDownClass(cls):
        cls.bed.__exit__(None, None, None)

    def setUp(self):
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.socket.close()

    def client(self, account=0):
        self.clients.append(Client(self.bed, self.accounts[account]))
        return self.clients[-1]

    def processes(self):
        return self.bed.pids("gk-imapd")

    def all_asleep(self):
        gk.wait_for("every session to sleep", lambda: len(self.processes()) == 1, 30)

    def deliver(self, account):
        done = subprocess.run([f"{gk.BIN}/gk-deliver", "--root", self.bed.root, "-d", self.accounts[account]], input=MESSAGE,
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_hundreds_sleep_and_all_hear_of_new_mail(self):
        for account in range(ACCOUNTS):
            for _ in range(EACH):
                self.client(account).idle()
        self.all_asleep()
        for account in range(ACCOUNTS):
            self.deliver(account)
            begun = time.monotonic()
            for client in self.clients[account * EACH:(account + 1) * EACH]:
                client.until(rb"\* \d+ EXISTS")
            self.assertLess(time.monotonic() - begun, 2)
        self.all_asleep()
        for client in self.clients:  # a byte wakes each, and its session is what it was
            self.assertNotIn(b"EXISTS", client.say("DONE\r\n", rb"i OK "))
        for client in self.clients[:20]:
            self.assertRegex(client.say("f FETCH * FLAGS\r\n", rb"f OK "), rb"^\* \d+ FETCH \(FLAGS \((\\Recent)?\)\)\r\nf OK ")

    def test_what_others_did_comes_under_the_numbers_the_client_knows(self):
        for _ in range(4):
            self.deliver(1)
        one = self.client(1).idle()
        self.all_asleep()
        other = self.client(1)
        other.say("s SELECT INBOX\r\nd STORE 2 +FLAGS (\\Deleted)\r\ne EXPUNGE\r\nf STORE 3 +FLAGS ($Work)\r\n", rb"f OK ")
        said = one.until(rb"\* 2 EXPUNGE")
        before = len(other.say("g UID SEARCH ALL\r\n", rb"g OK ").split(b"\r\n")[0].split())
        said += one.say("DONE\r\n", rb"i OK ")
        self.assertRegex(said, rb"\* [34] FETCH \(FLAGS \(.*\$Work")
        self.assertEqual(len(one.say("h UID SEARCH ALL\r\n", rb"h OK ").split(b"* SEARCH")[1].split(b"\r\n")[0].split()), before - 2)

    def test_foreign_tools_are_noticed(self):
        one = self.client(2).idle()
        self.all_asleep()
        maildir = self.bed.maildir(self.accounts[2])
        with open(f"{maildir}/tmp/foreign", "wb") as file:
            file.write(MESSAGE.replace(b"\r\n", b"\n"))
        os.rename(f"{maildir}/tmp/foreign", f"{maildir}/new/1.foreign")
        begun = time.monotonic()
        one.until(rb"\* \d+ EXISTS")
        self.assertLess(time.monotonic() - begun, 2)

    def test_silent_clients_sleep_too_and_go_on_where_they_were(self):
        one = self.client(3)
        one.say("s SELECT INBOX\r\n", rb"s OK ")
        for _ in range(3):
            self.all_asleep()
            self.deliver(3)
            self.assertTrue(one.silent())
            self.assertRegex(one.say("n NOOP\r\n", rb"n OK "), rb"^\* \d+ EXISTS\r\n")

    def test_bytes_at_the_moment_of_sleep_are_not_lost(self):
        one = self.client(4)
        for number in range(200):
            tag = f"t{number}"
            one.say(f"{tag} IDLE\r\n", rb"\+ idling")
            time.sleep(0.98 + number % 40 / 1000 if number < 40 else 0)
            self.assertEqual(one.say("DONE\r\n", tag.encode() + rb" OK "), f"{tag} OK Idle done\r\n".encode())

    def test_ends_cleanly_with_gk_imapd(self):
        clients = [self.client(5).idle() for _ in range(5)]
        self.all_asleep()
        os.kill(self.processes()[0], signal.SIGKILL)
        for client in clients:
            self.assertRegex(client.rest(), rb"^(\* BYE .*\r\n)?$")
        gk.wait_for("gk-imapd to be back", lambda: len(self.processes()) == 1, 30)
        one = self.client(5).idle()
        self.all_asleep()
        self.deliver(5)
        one.until(rb"\* \d+ EXISTS")

    def test_ends_with_gk_frontd_and_leaves_nothing_behind(self):
        clients = [self.client(6).idle() for _ in range(5)]
        self.all_asleep()
        (front,) = self.bed.pids("gk-frontd")
        os.kill(front, signal.SIGKILL)
        for client in clients:
            self.assertRegex(client.rest(), rb"^$")
        gk.wait_for("gk-frontd to be back", lambda: front not in self.bed.pids("gk-frontd") and self.bed.pids("gk-frontd"), 30)
        one = self.client(6).idle()
        self.all_asleep()
        self.deliver(6)
        one.until(rb"\* \d+ EXISTS")

    def test_a_sleeper_can_leave_and_be_gone(self):
        one, two = self.client(7).idle(), self.client(7).idle()
        self.all_asleep()
        one.socket.close()
        self.deliver(7)
        two.until(rb"\* \d+ EXISTS")
        self.assertRegex(two.say("DONE\r\nz LOGOUT\r\n", rb"z OK "), rb"i OK .*\r\n\* BYE ")
        self.assertEqual(two.rest(), b"")


if __name__ == "__main__":
    unittest.main()
