#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every dialogue in this folder against the programs that run, over real sockets and TLS.

usage: dialogues.py [-v] [smtp] [imap] [lmtp]
"""
import collections
import contextlib
import glob
import os
import re
import socket
import subprocess
import sys
import unittest

from bed import case, gk, transcript

HERE = os.path.dirname(os.path.abspath(__file__))
FIELD = re.compile(rb"[!-9;-~]+[ \t]*:|\n")
# What stands in front of a message that was filed and is not the sender's.
OURS = re.compile(rb"(?:(?:Return-Path|Delivered-To|Received): [^\n]*\n(?:[ \t][^\n]*\n)*)*")


def dialogues(protocol):
    """(name, path, settings) of those that real programs can hold."""
    for path in sorted(glob.glob(f"{HERE}/{protocol}/*.txt")):
        why, settings = transcript.marks(path)
        if not why:
            yield os.path.basename(path)[:-4], path, settings


def connect(port):
    return socket.create_connection(("127.0.0.1", port), 20)


def started_tls(connection):
    return case.TLS.wrap_socket(connection, server_hostname="mx.test")


class Smtp(unittest.TestCase):
    """As in process: here.test is ours, small limits, and each file that wants other limits gets an instance that has them."""

    LIMITS = {"smtp.max_size": "100000", "smtp.max_messages": "3", "smtp.max_errors": "25", "smtp.max_received": "3", "smtp.max_auth_failures": "2"}

    def test_the_running_server_says_what_the_dialogues_say(self):
        alike = collections.defaultdict(list)
        for name, path, settings in dialogues("smtp"):
            alike[tuple(sorted({**self.LIMITS, **settings}.items()))].append((name, path))
        self.assertTrue(alike)
        for limits, files in alike.items():
            rows = "".join(f"{key.partition('.')[2]} = {value}\n" for key, value in limits)
            with gk.Instance("mx.test", {"here.test": ["bob"]}, f"[smtp]\n{rows}") as instance:
                instance.add_user("ann@here.test", "secret")
                instance.add_user("full@here.test")
                gk.run("gk-deliver", "-d", "full@here.test", "--root", instance.root, stdin="Subject: the last\n\nthat fits\n")
                gk.run("gk-user", "change", "full@here.test", "--quota", "1", "--root", instance.root)
                for name, path in files:
                    with self.subTest(name):
                        self.hold(instance, name, path)

    def hold(self, instance, name, path):
        service = name.split("_")[0] if name.startswith("submission") else "smtp"
        before = set(instance.files("bob@here.test"))
        with contextlib.ExitStack() as open_sockets:
            start_tls = lambda connection: open_sockets.enter_context(started_tls(connection))
            connection = open_sockets.enter_context(connect(instance.port(service)))
            accepted = transcript.replay(path, start_tls(connection) if service == "submissions" else connection, start_tls)
        filed = sorted(set(instance.files("bob@here.test")) - before, key=os.path.basename)
        self.assertEqual(len(filed), len(accepted))
        for file, content in zip(filed, accepted):
            stored = gk.contents(file).replace(b"\r\n", b"\n")
            if content is not None:
                content = content.replace(b"\r\n", b"\n")
                self.assertTrue(stored.endswith(content), stored)
                if service == "smtp":  # a submission may get Date, Message-ID and From
                    # What does not begin with a field is all body, and gets the empty line in front of it.
                    gap = b"\n" if content and not FIELD.match(content) else b""
                    self.assertEqual(stored[OURS.match(stored).end():], gap + content)


def add_imap_user(instance, account, settings):
    instance.add_user(account)
    quota = [word for key in ("quota", "quota_messages") if key in settings for word in (f"--{key.replace('_', '-')}", settings[key])]
    if quota:
        gk.run("gk-user", "change", account, *quota, "--root", instance.root)


class Imap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gk = gk.Instance("mx.a.test", {"a.test": []})
        cls.gk.start()

    @classmethod
    def tearDownClass(cls):
        cls.gk.__exit__(None, None, None)

    def test_the_running_server_says_what_the_dialogues_say(self):
        for name, path, settings in dialogues("imap"):
            account = f"{name.replace('_', '-')}@a.test"
            add_imap_user(self.gk, account, settings)
            with self.subTest(name), connect(self.gk.port("imaps")) as plain, started_tls(plain) as connection:
                self.assertRegex(connection.recv(4096), rb"^\* OK ")
                connection.sendall(f'login LOGIN {account} "{self.gk.PASSWORD}"\r\n'.encode())
                self.assertRegex(connection.recv(4096), rb"^login OK ")
                transcript.replay(path, connection)

    def test_a_session_over_a_pipe_says_the_same(self):
        for name, path, settings in dialogues("imap"):
            account = f"{name.replace('_', '-')}.pipe@a.test"
            add_imap_user(self.gk, account, settings)
            ours, theirs = socket.socketpair()
            with self.subTest(name), ours:
                ours.settimeout(20)
                program = subprocess.Popen([f"{gk.BIN}/gk-imapd", "--stdio", "--account", account, "--root", self.gk.root], stdin=theirs, stdout=theirs)
                theirs.close()
                try:
                    self.assertRegex(ours.recv(4096), rb"^\* PREAUTH ")
                    transcript.replay(path, ours)
                    ours.shutdown(socket.SHUT_WR)
                    self.assertEqual(program.wait(20), 0)
                finally:
                    program.kill()
                    program.wait()


class Managesieve(unittest.TestCase):
    def test_a_session_over_a_pipe_says_what_the_dialogues_say(self):
        with gk.Instance("mx.a.test", {"a.test": []}, up_options=("--only", "auth")) as instance:
            for name, path, _ in dialogues("managesieve"):
                account = f"{name.replace('_', '-')}@a.test"
                instance.add_user(account)
                ours, theirs = socket.socketpair()
                with self.subTest(name), ours:
                    ours.settimeout(20)
                    program = subprocess.Popen([f"{gk.BIN}/gk-sieved", "--stdio", "--account", account, "--root", instance.root], stdin=theirs, stdout=theirs)
                    theirs.close()
                    try:
                        self.assertRegex(ours.recv(8192), rb'^"IMPLEMENTATION" "gk"\r\n')
                        transcript.replay(path, ours)
                        ours.shutdown(socket.SHUT_WR)
                        self.assertEqual(program.wait(20), 0)
                    finally:
                        program.kill()
                        program.wait()


class Lmtp(unittest.TestCase):
    def test_the_running_server_says_what_the_dialogues_say(self):
        with gk.Instance("mx.a.test", {"a.test": ["ann", "ben"]}, up_options=("--only", "deliver")) as instance:
            for name, path, _ in dialogues("lmtp"):
                with self.subTest(name), socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(20)
                    connection.connect(f"{instance.root}/run/lmtp.sock")
                    transcript.replay(path, connection)


if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if not word.startswith("-")]
    unittest.main(argv=sys.argv[:1] + [word for word in sys.argv[1:] if word.startswith("-")] + [word.title() for word in asked])
