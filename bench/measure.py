# SPDX-License-Identifier: MIT
"""One measurement: a load, what it took until all is stored, and what the server's processes used for it."""
import os
import re
import signal
import statistics
import subprocess
import time

from peers import BUILD, DOMAIN

FLUSHES = ("fsync", "fdatasync", "syncfs", "sync_file_range", "msync", "sync")
STORED_WITHIN = 120


class Load:
    """What the client does: SESSIONS at a time, MESSAGES of 10 KiB, over new or reused connections."""

    def __init__(self, sessions, messages, reuse=False, starttls=False, lmtp=False, length=10240):
        self.sessions, self.messages, self.reuse, self.starttls, self.lmtp, self.length = sessions, messages, reuse, starttls, lmtp, length

    def name(self):
        return (f"{'LMTP' if self.lmtp else 'SMTP'} {self.sessions:>2} session{'s' if self.sessions > 1 else ' '} "
                f"{'reused' if self.reuse else 'new   '}{' STARTTLS' if self.starttls else ''}")

    def words(self, server, user, messages):
        target = server.lmtp if self.lmtp else f"127.0.0.1:{server.port}"
        to = f"{user}@{DOMAIN}"
        if self.starttls:
            return [f"{BUILD}/bench/smtpload", "-T", "-s", str(self.sessions), "-m", str(messages), "-l", str(self.length),
                    "-r", str(100 if self.reuse else 1), "-t", to, target]
        words = ["smtp-source", "-s", str(self.sessions), "-m", str(messages), "-l", str(self.length), "-f", "s@sender.example", "-t", to]
        if self.reuse:
            words.append("-d")
        if self.lmtp:
            words.append("-L")
        return words + [target]


def send(server, load, user, messages):
    """Runs the client to its end, then waits until every message is in the Maildir; seconds for both."""
    before = server.stored(user)
    begun = time.monotonic()
    done = subprocess.run(load.words(server, user, messages), capture_output=True, text=True, check=False, timeout=600)
    accepted = time.monotonic() - begun
    if done.returncode != 0:
        raise RuntimeError(f"{server.name}: {load.name()}: the client failed: {done.stderr.strip()[-500:]}")
    while server.stored(user) < before + messages:
        if time.monotonic() - begun > accepted + STORED_WITHIN:
            raise RuntimeError(f"{server.name}: {load.name()}: {server.stored(user) - before} of {messages} messages stored")
        time.sleep(0.02)
    return accepted, time.monotonic() - begun


def settled_cpu(server, seconds=3.0):
    """The CPU used, once the server rests: what it still does for the messages belongs to them."""
    last, deadline = server.cpu_seconds(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.25)
        now = server.cpu_seconds()
        if now - last < 0.002:
            return now
        last = now
    return last


def round_of(server, load, user):
    cpu = server.cpu_seconds()
    accepted, stored = send(server, load, user, load.messages)
    cpu = settled_cpu(server) - cpu
    return {"accepted": load.messages / accepted, "stored": load.messages / stored, "cpu": cpu * 1000 / load.messages}


def count_calls(server, load, user, messages=200):
    """System calls and flushes a message over all processes of the server, by strace; run apart, since it slows them."""
    send(server, load, user, max(20, load.sessions * 2))   # pools filled, caches warm
    pids = server.pids()
    report = f"{server.directory}/strace-{load.sessions}-{int(load.reuse)}{int(load.lmtp)}"
    words = ["strace", "-f", "-c", "-S", "calls", "-o", report]
    for pid in pids:
        words += ["-p", str(pid)]
    tracer = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    attached = 0
    while attached < len(pids):
        line = tracer.stderr.readline()
        if not line:
            break
        attached += "attached" in line
    time.sleep(0.3)
    try:
        send(server, load, user, messages)
        settled_cpu(server)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
    calls, flushes, table = 0, 0, {}
    with open(report, encoding="utf-8") as file:
        for line in file:
            row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
            if row and row[2] != "total":
                table[row[2]] = int(row[1]) / messages
                calls += int(row[1])
                flushes += int(row[1]) if row[2] in FLUSHES else 0
    return {"calls": calls / messages, "flushes": flushes / messages, "table": table}


def median(values):
    return statistics.median(values) if values else float("nan")


def median_ratio(ours, theirs):
    """Of the pairs of rounds, since both sides of a pair saw the same machine."""
    return median([a / b for a, b in zip(ours, theirs)])


def check_tools():
    for tool in ("smtp-source", "strace"):
        if not any(os.access(f"{folder}/{tool}", os.X_OK) for folder in os.environ["PATH"].split(":") + ["/usr/sbin"]):
            raise SystemExit(f"bench: {tool} is not installed")
