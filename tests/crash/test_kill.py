# SPDX-License-Identifier: MIT
# timeout: 1200
"""kill -9 at every system call of a delivery, and at random under load: what got its 250 is there, whole.

GK_CRASH_POINTS bounds the points per program and path (a fixed 40 by default: over 200 in all).
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from bed import gk, ledger, mail

# Every call by which a delivery leaves a trace on disk or on a socket; the kill falls on the N-th of them, before it is done.
CALLS = ("read,pread64,readv,write,pwrite64,writev,sendto,sendmsg,recvfrom,recvmsg,openat,creat,close,fsync,fdatasync,syncfs,rename,renameat,renameat2,"
         "link,linkat,unlink,unlinkat,ftruncate,fcntl,fallocate,mkdir,mkdirat,connect,accept4,shutdown")
POINTS = int(os.environ.get("GK_CRASH_POINTS", "40"))
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

    def pid_of(self, program):
        return gk.wait_for(program, lambda: next(iter(self.near.pids(program)), None), 15)

    def kill_at(self, program, point, action):
        """Runs ACTION while PROGRAM dies at its POINT-th call; False if it was never reached."""
        pid = self.pid_of(program)
        trace = tempfile.NamedTemporaryFile(prefix="gk-strace-", delete=False)
        tracer = subprocess.Popen(["strace", "-f", "-p", str(pid), "-o", "/dev/null", "-e", f"trace={CALLS}", "-e", f"inject={CALLS}:signal=KILL:when={point}"],
                                  stdout=subprocess.DEVNULL, stderr=trace)
        try:
            gk.wait_for("strace", lambda: b"attached" in open(trace.name, "rb").read() or tracer.poll() is not None, 10)
            action()
            died = pid not in self.near.pids(program)
            if not died:  # what runs behind the reply: index, queue
                deadline = time.monotonic() + 0.3
                while time.monotonic() < deadline and not died:
                    time.sleep(0.01)
                    died = pid not in self.near.pids(program)
        finally:
            if tracer.poll() is None:
                tracer.send_signal(signal.SIGINT)
            tracer.wait(10)
            os.unlink(trace.name)
        gk.wait_for(f"{program} to be back", lambda: (lambda p: p and (not died or pid not in p))(self.near.pids(program)), 15)
        return died

    def sweep(self, program, port, recipient):
        reached = 0
        for point in range(1, POINTS + 1):
            message = self.maker.message()
            if not self.kill_at(program, point, lambda m=message: self.ledger.deliver(self.near, m, recipient, port, timeout=5)):
                break
            reached += 1
        # Afterwards everything works again.
        self.assertTrue(gk.wait_for("a delivery after the sweep", lambda: self.ledger.deliver(self.near, self.maker.message(), recipient, port), 20))
        self.settle_and_check(f"{program} on {port}, {reached} points")
        return reached

    def settle_and_check(self, what):
        gk.wait_for("an empty queue", lambda: not gk.run("gk-queue", "list", "--root", self.near.root, code=None).strip(), 60)
        boxes = {"ann@a.test": self.near.files("ann@a.test"), "bob@a.test": self.near.files("bob@a.test"), "carl@b.test": self.far.files("carl@b.test")}
        lost, duplicated, torn = self.ledger.check(boxes)
        torn = [path for path in torn if case_is_ours(path, self.ledger)]
        print(f"    {what}: sent {len(self.ledger.sent)}, acknowledged {len(self.ledger.acknowledged)}, lost {lost}, duplicated {duplicated}, torn {len(torn)}")
        self.assertEqual(lost, 0, what)
        self.assertEqual(torn, [], what)
        self.total = getattr(self, "total", 0) + len(self.ledger.sent)

    def test_gk_deliver_killed_at_each_call_of_a_delivery(self):
        self.assertGreater(self.sweep("gk-deliver", "smtp", "ann@a.test"), 15)

    def test_gk_smtpd_killed_at_each_call_of_a_delivery(self):
        self.assertGreater(self.sweep("gk-smtpd", "smtp", "ann@a.test"), 10)

    def test_gk_smtpd_killed_at_each_call_of_a_submission_to_another_host(self):
        self.assertGreater(self.sweep("gk-smtpd", "submission", "carl@b.test"), 10)

    def test_gk_queue_killed_at_each_call_of_sending(self):
        self.assertGreater(self.sweep("gk-queue", "submission", "carl@b.test"), 15)

    def test_gk_authd_killed_at_each_call_of_a_login(self):
        self.assertGreater(self.sweep("gk-authd", "submission", "bob@a.test"), 2)

    def test_gk_deliver_killed_at_each_call_for_mail_of_the_queue(self):
        self.assertGreater(self.sweep("gk-deliver", "submission", "bob@a.test"), 15)

    def test_random_kills_under_load(self):
        seconds = float(os.environ.get("GK_CRASH_SECONDS", "15"))
        stop = threading.Event()
        kills = 0

        def load(number):
            maker = mail.Maker(f"{self.id()}{number}")
            while not stop.is_set():
                port, recipient = (("smtp", "ann@a.test"), ("submission", "carl@b.test"), ("submission", "bob@a.test"))[number % 3]
                self.ledger.deliver(self.near, maker.message(), recipient, port, timeout=5)

        threads = [threading.Thread(target=load, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        dice = random.Random(99)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            program = dice.choice(["gk-deliver", "gk-smtpd", "gk-queue", "gk-authd"])
            for pid in self.near.pids(program):
                try:
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
                except ProcessLookupError:
                    pass
            stop.wait(dice.uniform(0.05, 0.4))
        stop.set()
        for thread in threads:
            thread.join()
        gk.wait_for("a delivery afterwards", lambda: self.ledger.deliver(self.near, self.maker.message()), 30)
        self.settle_and_check(f"{kills} random kills in {seconds:g} s")
        self.assertGreater(len(self.ledger.acknowledged), 20)
        found = gk.run("gk-mailbox", "check", "--account", "ann@a.test", "--root", self.near.root, code=None)
        gk.run("gk-mailbox", "repair", "--account", "ann@a.test", "--root", self.near.root, code=None)
        gk.run("gk-mailbox", "check", "--account", "ann@a.test", "--root", self.near.root)
        print("    gk-mailbox check said before repair: " + (found.strip()[:200] or "nothing"))


def case_is_ours(path, known):
    """A file that this test's messages must explain: later than its first message (other tests share the mailboxes)."""
    body = open(path, "rb").read()
    return any(message.split(b"Message-ID: ")[1].split(b"\r\n")[0] in body for message in known.sent.values()) or not body


if __name__ == "__main__":
    if os.geteuid() != 0 or not shutil.which("strace"):
        print("needs root and strace")
        sys.exit(77)
    unittest.main()
