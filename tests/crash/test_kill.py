# SPDX-License-Identifier: MIT
# timeout: 900
# slow: GK_CRASH_POINTS=1000 GK_CRASH_SECONDS=90
"""kill -9 at the system calls of a delivery, and at random under load: what got its 250 is there, whole.

GK_CRASH_POINTS bounds the points per program and path, GK_CRASH_SECONDS the time of random kills.
"""
import collections
import contextlib
import os
import random
import signal
import threading
import time

from bed import crash, gk, mail


class Killed(crash.Case):
    def sweep(self, program, port, recipient):
        """Sends one message for each system call of PROGRAM on the way of one, and kills it there."""
        hits = collections.Counter()

        def act(pid):
            """Sends one, and waits for what runs behind the reply: index rows, the queue."""
            self.ledger.deliver(self.near, self.maker.message(), recipient, port, timeout=10)
            queued = program in ("gk-queue", "gk-dkim")
            deadline = time.monotonic() + (5 if queued else 0.15)
            while time.monotonic() < deadline and crash.alive(pid) and (not queued or self.in_spool()):
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
        lost, duplicated, torn = self.settle()
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

    def test_gk_smtpd_killed_at_each_call_of_a_submission_to_a_neighbour(self):
        self.assertGreater(self.sweep("gk-smtpd", "submission", "bob@a.test"), 20)

    def test_gk_queue_killed_at_each_call_of_sending(self):
        self.assertGreater(self.sweep("gk-queue", "submission", "carl@b.test"), 25)

    def sweep_signing(self, program):
        """The same for mail that is signed."""
        if not os.path.exists(f"{self.near.root}/keys/dkim/a.test"):
            gk.run("gk-dkim", "genkey", "a.test", "--active", "--root", self.near.root)
        self.maker.sender = "ann@a.test"
        before = len(self.near.events("queue.signed"))
        points = self.sweep(program, "submission", "carl@b.test")
        self.assertGreater(len(self.near.events("queue.signed")) - before, points // 2)
        for path in self.far.files("carl@b.test"):
            self.assertIn(b"DKIM-Signature: v=1; a=rsa-sha256;", gk.contents(path))
        return points

    def test_gk_queue_killed_at_each_call_of_sending_signed_mail(self):
        self.assertGreater(self.sweep_signing("gk-queue"), 25)

    def test_gk_dkim_killed_at_each_call_of_a_signature(self):
        self.assertGreater(self.sweep_signing("gk-dkim"), 5)

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
                    message = maker.message()
                    self.ledger.note(message, recipient, crash.append(self.near, message, recipient, timeout=5))
                else:
                    self.ledger.deliver(self.near, maker.message(), recipient, port, timeout=5)

        threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        dice = random.Random(99)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for pid in self.near.pids(dice.choice(["gk-deliver", "gk-smtpd", "gk-queue", "gk-authd", "gk-imapd", "gk-frontd", "gk-dkim"])):
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


if __name__ == "__main__":
    crash.main(__file__, at_least=200)
