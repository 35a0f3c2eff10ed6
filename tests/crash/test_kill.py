# SPDX-License-Identifier: MIT
# timeout: 900
# slow: GK_CRASH_POINTS=1000 GK_CRASH_SECONDS=90
"""kill -9 at the system calls of a delivery, and at random under load: what got its 250 is there, whole.

GK_CRASH_POINTS bounds the points per program and path, GK_CRASH_SECONDS the time of random kills.
"""
import collections
import contextlib
import imaplib
import os
import random
import shutil
import signal
import threading
import time
import unittest

from bed import case, crash, gk, ledger, mail

FAST_RESTART = ["--restart-delay-most", "0"]


class Killed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.far = gk.Instance("mx.b.test", {"b.test": ["carl"]}, up_options=FAST_RESTART)
        cls.addClassCleanup(cls.clean, cls.far)
        cls.near = gk.Instance("mx.a.test", {"a.test": ["ann", "bob"]}, f"""[queue]
retry_first = "1s"
retry_most = "1s"
[queue.routes]
"b.test" = "127.0.0.1:{cls.far.port('smtp')}"
""", up_options=FAST_RESTART)
        cls.addClassCleanup(cls.clean, cls.near)
        cls.far.start()
        cls.near.start()

    @staticmethod
    def clean(instance):
        instance.stop()
        if not instance.keep:
            shutil.rmtree(instance.root, ignore_errors=True)

    def setUp(self):
        self.ledger = ledger.Ledger()
        self.maker = mail.Maker(self.id())
        for instance, address in ((self.near, "ann@a.test"), (self.near, "bob@a.test"), (self.far, "carl@b.test")):
            for path in instance.files(address):
                os.unlink(path)

    def ready(self, program, but=()):
        """The pid of PROGRAM once it serves and is none of BUT."""
        def serving():
            return next((row["pid"] for row in self.near.status() if row.get("name") == program and row.get("state") == "ready" and row["pid"] not in but), None)
        return gk.wait_for(f"{program} to serve", serving, 20)

    def restart(self, program, pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return self.ready(program, but=[pid])

    def in_spool(self):
        return [name for part in ("new", "active") for name in os.listdir(f"{self.near.root}/spool/{part}")]

    def sweep(self, program, port, recipient):
        """Sends one message for each system call of PROGRAM on the way of one, and kills it there."""
        hits = collections.Counter()

        def act(pid):
            """Sends one, and waits for what runs behind the reply: index rows, the queue."""
            self.ledger.deliver(self.near, self.maker.message(), recipient, port, timeout=10)
            deadline = time.monotonic() + (5 if program == "gk-queue" else 0.15)
            while time.monotonic() < deadline and crash.alive(pid) and (program != "gk-queue" or self.in_spool()):
                time.sleep(0.01)

        # Every run begins after a restart, so the count does too: a program that knows the account already makes fewer calls.
        pid = self.restart(program, self.ready(program))
        with crash.counter(pid) as tracer:
            act(pid)
        for point in tracer.points():
            with crash.killer(pid, point):
                act(pid)
                died = not crash.alive(pid)
            hits[point[0]] += died
            pid = self.restart(program, pid)
        gk.wait_for("a delivery after the sweep", lambda: self.ledger.deliver(self.near, self.maker.message(), recipient, port), 20)
        self.settle_and_check(f"{program}, mail by {port} to {recipient}", hits.total(), hits)
        return hits.total()

    def settle_and_check(self, what, reached, hits=None):
        gk.wait_for("an empty queue", lambda: not gk.run("gk-queue", "list", "--root", self.near.root, code=None).strip() and not self.in_spool(), 60)
        boxes = {"ann@a.test": self.near.files("ann@a.test"), "bob@a.test": self.near.files("bob@a.test"), "carl@b.test": self.far.files("carl@b.test")}
        lost, duplicated, torn = self.ledger.check(boxes)
        crash.note(what, reached, len(self.ledger.sent), len(self.ledger.acknowledged), lost, len(torn), duplicated, hits)
        self.assertEqual(lost, 0, what)
        self.assertEqual(torn, [], what)
        for address in ("ann@a.test", "bob@a.test"):
            gk.run("gk-mailbox", "repair", "--account", address, "--root", self.near.root, code=None)
            gk.run("gk-mailbox", "check", "--account", address, "--root", self.near.root)

    def test_gk_deliver_killed_at_each_call_of_a_delivery(self):
        self.assertGreater(self.sweep("gk-deliver", "smtp", "ann@a.test"), 30)

    def test_gk_deliver_killed_at_each_call_for_mail_of_the_queue(self):
        self.assertGreater(self.sweep("gk-deliver", "submission", "bob@a.test"), 30)

    def test_gk_smtpd_killed_at_each_call_of_a_delivery(self):
        self.assertGreater(self.sweep("gk-smtpd", "smtp", "ann@a.test"), 10)

    def test_gk_smtpd_killed_at_each_call_of_a_submission_to_another_host(self):
        self.assertGreater(self.sweep("gk-smtpd", "submission", "carl@b.test"), 25)

    def test_gk_queue_killed_at_each_call_of_sending(self):
        self.assertGreater(self.sweep("gk-queue", "submission", "carl@b.test"), 25)

    def test_gk_authd_killed_at_each_call_of_a_login(self):
        self.assertGreater(self.sweep("gk-authd", "submission", "bob@a.test"), 5)

    def test_random_kills_under_load(self):
        seconds = float(os.environ.get("GK_CRASH_SECONDS", "15"))
        stop = threading.Event()
        kills = 0

        def load(number):
            maker = mail.Maker(f"{self.id()}{number}")
            while not stop.is_set():
                port, recipient = (("smtp", "ann@a.test"), ("submission", "carl@b.test"), ("submission", "bob@a.test"), ("imap", "bob@a.test"))[number % 4]
                if port == "imap":
                    self.append(maker.message(), recipient)
                else:
                    self.ledger.deliver(self.near, maker.message(), recipient, port, timeout=5)

        threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        dice = random.Random(99)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for pid in self.near.pids(dice.choice(["gk-deliver", "gk-smtpd", "gk-queue", "gk-authd", "gk-imapd", "gk-frontd"])):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
            stop.wait(dice.uniform(0.05, 0.4))
        stop.set()
        for thread in threads:
            thread.join()
        gk.wait_for("a delivery afterwards", lambda: self.ledger.deliver(self.near, self.maker.message()), 30)
        self.settle_and_check(f"random kills under load, {seconds:g} s", kills)
        self.assertGreater(len(self.ledger.acknowledged), 20)

    def append(self, message, account):
        """IMAP APPEND on a connection of its own; noted as acknowledged if OK came."""
        done = False
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            imap = imaplib.IMAP4_SSL("127.0.0.1", self.near.port("imaps"), ssl_context=case.TLS, timeout=5)
            try:
                imap.login(account, self.near.PASSWORD)
                done = imap.append("INBOX", "", None, message)[0] == "OK"
            finally:
                imap.shutdown()
        self.ledger.note(message, account, done)


if __name__ == "__main__":
    crash.main(__file__)
