# SPDX-License-Identifier: MIT
"""One gk instance in a temporary root, under gk-up, as a user of the shell would start it."""
import contextlib
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("GK_BIN_DIR", f"{ROOT}/build/bin")
PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "imap": 143, "imaps": 993, "sieve": 4190}


class Failed(Exception):
    """A command of gk ended otherwise than expected; carries what it said."""


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def wait_for(what, condition, seconds=10.0):
    """Polls CONDITION until it is true; what it returned. Fails with WHAT after SECONDS."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.02)


def free_port_base():
    """A number N such that N + every standard port is free on 127.0.0.1 now."""
    for _ in range(200):
        base = random.randrange(20000, 58000, 10) + 1
        try:
            with contextlib.ExitStack() as stack:
                for port in PORTS.values():
                    listener = stack.enter_context(socket.socket())
                    listener.bind(("127.0.0.1", base + port))
            return base
        except OSError:
            continue
    raise Failed("no free ports on 127.0.0.1")


def run(program, *words, stdin=None, code=0, env=None):
    """Runs a program of gk; its stdout. Fails unless it exits with CODE (None: any)."""
    done = subprocess.run([f"{BIN}/{program}", *words], input=stdin, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **(env or {})})
    if code is not None and done.returncode != code:
        raise Failed(f"{program} {' '.join(words)}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done.stdout


class Instance:
    """with Instance("mx.a.test", {"a.test": ["ann", "bob"]}) as gk: …  Every password is PASSWORD."""

    PASSWORD = "correct horse 7 battery"

    def __init__(self, hostname, domains, settings="", root=None, up_options=(), port_base=None, prefix=()):
        # A short path: names of UNIX sockets end at 108 bytes.
        self.root = root or tempfile.mkdtemp(prefix="gk-", dir=os.environ.get("GK_TMP", "/tmp"))
        self.keep = root is not None or bool(os.environ.get("GK_KEEP"))
        self.hostname, self.base = hostname, free_port_base() if port_base is None else port_base
        self.up, self.up_options, self.prefix = None, list(up_options), list(prefix)
        self.address = "127.0.0.1"
        if not os.path.exists(f"{self.root}/gk.toml"):
            run("gk-config", "init", "--root", self.root, "--hostname", hostname)
        if settings:
            os.makedirs(f"{self.root}/gk.toml.d", exist_ok=True)
            with open(f"{self.root}/gk.toml.d/50-test.toml", "w", encoding="utf-8") as file:
                file.write(settings)
        for domain, users in domains.items():
            run("gk-domain", "add", domain, "--root", self.root)
            for user in users:
                self.add_user(f"{user}@{domain}")

    def add_user(self, address, password=None):
        run("gk-user", "add", address, "--root", self.root, "--password-file", "-", stdin=(password or self.PASSWORD) + "\n")

    def port(self, name):
        return self.base + PORTS[name]

    def start(self, seconds=30):
        """Starts gk-up and waits until every daemon is ready."""
        with open(f"{self.root}/gk-up.err", "a", encoding="utf-8") as said:
            self.up = subprocess.Popen([*self.prefix, f"{BIN}/gk-up", "--root", self.root, "--port-base", str(self.base), "--json", *self.up_options],
                                       stdout=subprocess.PIPE, stderr=said, text=True)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self.up.stdout], [], [], 0.1)[0]:
                line = self.up.stdout.readline()
                if line.strip():
                    self.ready = json.loads(line)
                    return self
            if self.up.poll() is not None:
                break
        said = self.logs()
        self.stop()
        raise Failed(f"gk-up was not ready within {seconds} s\n{said}")

    def stop(self):
        """Ends gk-up as a service manager would; its exit code."""
        if self.up is None:
            return 0
        if self.up.poll() is None:
            self.up.send_signal(signal.SIGTERM)
            try:
                self.up.wait(30)
            except subprocess.TimeoutExpired:
                self.up.kill()
                self.up.wait()
        self.up.stdout.close()
        code, self.up = self.up.returncode, None
        return code

    def status(self):
        return [json.loads(line) for line in run("gk-status", "--json", "--root", self.root, code=None).splitlines()]

    def pids(self, program):
        """The processes of PROGRAM in this instance: children of gk-up and theirs."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                words = contents(f"/proc/{pid}/cmdline").split(b"\0")
                if os.path.basename(words[0]) == program.encode() and self.root.encode() in words:
                    found.append(int(pid))
        return found

    def events(self, name=None):
        """Everything the daemons logged, in file order; optionally one kind of event."""
        found = []
        folder = f"{self.root}/log"
        for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            for line in contents(f"{folder}/{file}").splitlines():
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    if name is None or event.get("event") == name:
                        found.append(event)
        return found

    def logs(self, lines=40):
        """The tail of every log, for a failed test to show."""
        said = ""
        folder = f"{self.root}/log"
        for path in [f"{self.root}/gk-up.err"] + [f"{folder}/{name}" for name in (sorted(os.listdir(folder)) if os.path.isdir(folder) else [])]:
            if os.path.exists(path):
                tail = contents(path).decode("utf-8", "replace").splitlines(keepends=True)[-lines:]
                said += f"--- {os.path.basename(path)}\n" + "".join(tail)
        return said

    def home(self, address):
        user, domain = address.split("@")
        return f"{self.root}/mail/{domain}/{user}"

    def maildir(self, address, mailbox="INBOX"):
        home = f"{self.home(address)}/Maildir"
        return home if mailbox == "INBOX" else f"{home}/.{mailbox.replace('/', '.')}"

    def files(self, address, mailbox="INBOX"):
        """The message files of a mailbox, new/ and cur/."""
        found = []
        for part in ("new", "cur"):
            with contextlib.suppress(FileNotFoundError):
                found += [f"{self.maildir(address, mailbox)}/{part}/{name}" for name in os.listdir(f"{self.maildir(address, mailbox)}/{part}")]
        return found

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        if kind is not None:
            print(self.logs())
        code = self.stop()
        if not self.keep:
            shutil.rmtree(self.root, ignore_errors=True)
        if kind is None and code != 0:
            raise Failed(f"gk-up ended with {code}")
