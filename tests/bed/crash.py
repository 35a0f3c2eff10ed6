# SPDX-License-Identifier: MIT
"""Programs killed at their N-th system call, and made to fail by the kernel's answer: strace does both."""
import collections
import contextlib
import datetime
import imaplib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from bed import case, gk, ledger, mail

# Every call by which a delivery leaves a trace on disk or on a socket; the kill falls on one of them, before it is done.
# (Not fcntl: SQLite's locks end with the process, and the next call that writes is a point of its own.)
CALLS = ("read,pread64,readv,write,pwrite64,writev,sendto,sendmsg,recvfrom,recvmsg,openat,creat,close,fsync,fdatasync,syncfs,rename,renameat,renameat2,"
         "link,linkat,unlink,unlinkat,ftruncate,fallocate,mkdir,mkdirat,connect,accept4,shutdown")
# Points at most for each program and path; all calls of most paths are fewer.
POINTS = int(os.environ.get("GK_CRASH_POINTS", "80"))
RESULTS = f"{gk.ROOT}/tests/crash/RESULTS.md"


def alive(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0] not in "ZX"
    return False


class Tracer:
    """strace on running processes, attached to all of them when the block begins; lines() is its log afterwards."""

    def __init__(self, pids, *options, follow=True):
        self.pids = list(pids)
        self.folder = tempfile.TemporaryDirectory(prefix="gk-strace-")
        self.words = ["strace", *(["-f"] if follow else []), "-o", f"{self.folder.name}/log", *options]
        for pid in self.pids:
            self.words += ["-p", str(pid)]

    def __enter__(self):
        said = f"{self.folder.name}/said"
        with open(said, "wb") as file:
            self.strace = subprocess.Popen(self.words, stdout=subprocess.DEVNULL, stderr=file)

        def attached():
            with open(said, "rb") as file:
                return file.read().count(b"attached") >= len(self.pids) or self.strace.poll() is not None
        gk.wait_for("strace", attached, 10)
        return self

    def __exit__(self, *_):
        # strace ends with the last process it follows. Asked to end while one dies, it may wait for a leader that the kernel
        # keeps until strace has waited for its threads: so it is asked only while all live, and never trusted to come back.
        if all(map(alive, self.pids)):
            self.strace.send_signal(signal.SIGINT)
        try:
            self.strace.wait(3)
        except subprocess.TimeoutExpired:
            self.strace.kill()
            self.strace.wait()
        with open(f"{self.folder.name}/log", encoding="utf-8", errors="replace") as file:
            self.log = file.read().splitlines()
        self.folder.cleanup()

    def lines(self):
        return self.log

    def calls(self):
        """{thread: {call: times}}: strace counts "when=" the same way, per thread and call."""
        found = collections.defaultdict(collections.Counter)
        for line in self.log:
            if call := re.match(r"(?:(\d+) +)?(\w+)\(", line):  # one process alone has no number
                found[call[1]][call[2]] += 1
        return found

    def points(self):
        """All (call, number) that any thread reached; of more than POINTS those that change something, then others spread evenly."""
        most = collections.Counter()
        for calls in self.calls().values():
            most |= calls
        every = [(call, number) for call, times in most.items() for number in range(1, times + 1)]
        telling = [point for point in every if point[0] not in _READS]
        others = [point for point in every if point[0] in _READS]
        return _spread(telling, POINTS) + _spread(others, max(0, POINTS - len(telling)))


_READS = {"read", "pread64", "readv", "recvfrom", "recvmsg", "accept4", "close"}


def _spread(points, most):
    return [points[at * len(points) // most] for at in range(most)] if len(points) > most else points


def counter(pid, *more, follow=True):
    return Tracer([pid], "-e", f"trace={CALLS}", *more, follow=follow)


def killer(pid, point, *more, follow=True):
    """strace that kills PID with SIGKILL at a point: the N-th CALL that one of its threads makes, before it is done."""
    call, number = point
    # strace tampers only with what it traces: MORE may mean other calls.
    return Tracer([pid], "-e", f"trace={CALLS if more else call}", "-e", f"inject={call}:signal=KILL:when={number}", *more, follow=follow)


def failing(pid, injection):
    """strace that makes calls fail: "fsync:error=EIO:when=2+3"."""
    return Tracer([pid], "-e", f"trace={injection.split(':')[0]}", "-e", f"inject={injection}")


class Case(unittest.TestCase):
    """Two instances: near has ann and bob, and a queue that soon tries again; far has carl."""
    QUEUE = ""  # more of near's settings in [queue]

    @classmethod
    def setUpClass(cls):
        fast = ["--restart-delay-most", "0"]
        cls.far = gk.Instance("mx.b.test", {"b.test": ["carl"]}, up_options=fast)
        cls.addClassCleanup(cls.clean, cls.far)
        cls.near = gk.Instance("mx.a.test", {"a.test": ["ann", "bob"]}, f"""[queue]
retry_first = "1s"
retry_most = "1s"
{cls.QUEUE}[queue.routes]
"b.test" = "127.0.0.1:{cls.far.port('smtp')}"
[smtp]
check_from = false
""", up_options=fast)
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
        for paths in self.boxes().values():
            for path in paths:
                os.unlink(path)

    def boxes(self):
        return {"ann@a.test": self.near.files("ann@a.test"), "bob@a.test": self.near.files("bob@a.test"), "carl@b.test": self.far.files("carl@b.test")}

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

    def settle(self):
        """Waits until the queue has nothing more to do; (lost, duplicated, torn)."""
        gk.wait_for("an empty queue", lambda: not gk.run("gk-queue", "list", "--root", self.near.root, code=None).strip() and not self.in_spool(), 60)
        return self.ledger.check(self.boxes())


def log_in(instance, account="ann@a.test", timeout=10):
    """An IMAP session; closes its socket if the login fails."""
    imap = imaplib.IMAP4_SSL("127.0.0.1", instance.port("imaps"), ssl_context=case.TLS, timeout=timeout)
    try:
        imap.login(account, instance.PASSWORD)
    except BaseException:
        imap.shutdown()
        raise
    return imap


def append(instance, message, account="ann@a.test", mailbox="INBOX", timeout=10):
    """IMAP APPEND on a connection of its own; True if OK came."""
    with contextlib.suppress(OSError, imaplib.IMAP4.error):
        imap = log_in(instance, account, timeout)
        try:
            return imap.append(mailbox, "", None, message)[0] == "OK"
        finally:
            imap.shutdown()
    return False


_rows = []


def note(name, points_tried, sent, acknowledged, lost, torn, duplicated, hits=None):
    """One line of the report, printed and kept for RESULTS.md."""
    where = ", ".join(f"{call} {count}" for call, count in (hits or {}).items() if count)
    print(f"    {name}: {points_tried} points, sent {sent}, acknowledged {acknowledged}, lost {lost}, torn {torn}, duplicated {duplicated}", flush=True)
    _rows.append((name, points_tried, sent, acknowledged, lost, torn, duplicated, where))


def _write_results(script, seconds):
    """Replaces this script's part of RESULTS.md."""
    parts = {}
    if os.path.exists(RESULTS):
        with open(RESULTS, encoding="utf-8") as file:
            for part in file.read().split("\n## ")[1:]:
                parts[part.split("\n", 1)[0]] = part.split("\n", 1)[1].strip()
    table = ["| path | points | sent | acknowledged | lost | in part | duplicates | died at |", "|---|--:|--:|--:|--:|--:|--:|---|"]
    table += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in _rows]
    total = [sum(row[column] for row in _rows) for column in range(1, 7)]
    table.append("| **all** | " + " | ".join(f"**{number}**" for number in total) + " | |")
    day = datetime.datetime.now(datetime.timezone.utc).date()
    parts[script] = f"{day}, Linux {platform.release()}, {os.cpu_count()} processors, {seconds:.0f} s, at most {POINTS} points a path.\n\n" + "\n".join(table)
    with open(RESULTS, "w", encoding="utf-8") as file:
        file.write("# What the crash tests found\n\nWritten by the tests themselves: `tests/crash/test_NAME.py --results`. A point is one system\n"
                   "call at which a program was killed with SIGKILL, before the call was done (test_disk.py: one way in which calls\n"
                   "failed); \"acknowledged\" counts messages that got their 250 (IMAP: their OK).\n")
        for name in sorted(parts):
            file.write(f"\n## {name}\n\n{parts[name]}\n")


def main(script, at_least=0):
    """unittest.main, with --results to write down what was found; all tests together die at AT_LEAST system calls."""
    if os.geteuid() != 0 or not shutil.which("strace"):
        print("needs root and strace")
        sys.exit(77)
    results = "--results" in sys.argv
    if results:
        sys.argv.remove("--results")
    began = time.monotonic()
    outcome = unittest.main(module="__main__", exit=False).result
    if results and _rows and outcome.wasSuccessful():
        _write_results(os.path.basename(script), time.monotonic() - began)
    total = sum(row[1] for row in _rows if row[7])
    if total:
        print(f"{total} deaths")
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")]
    sys.exit(0 if outcome.wasSuccessful() and (chosen or total >= at_least) else 1)
