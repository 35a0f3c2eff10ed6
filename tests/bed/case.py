# SPDX-License-Identifier: MIT
"""What end-to-end tests share: a base class with one gk instance, and the clients' configuration files."""
import hashlib
import imaplib
import os
import pty
import select
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

from bed import gk

TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE  # every instance has its own self-signed certificate


def digest(message):
    """A hash over the body, line ends aside."""
    return hashlib.sha256(message.replace(b"\r\n", b"\n").split(b"\n\n", 1)[-1]).hexdigest()


class Case(unittest.TestCase):
    """One instance for the whole class: mx.a.test with ann and bob, mail for b.test refused unless a test says so."""

    HOSTNAME = "mx.a.test"
    DOMAINS = {"a.test": ["ann", "bob"]}
    SETTINGS = ""
    UP_OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gk-e2e-")
        cls.gk = gk.Instance(cls.HOSTNAME, cls.DOMAINS, cls.SETTINGS, up_options=cls.UP_OPTIONS)
        cls.gk.start()

    @classmethod
    def tearDownClass(cls):
        code = cls.gk.stop()
        if not cls.gk.keep:
            shutil.rmtree(cls.gk.root, ignore_errors=True)
            shutil.rmtree(cls.folder, ignore_errors=True)
        if code != 0:
            raise gk.Failed(f"gk-up ended with {code}")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(self.gk.logs(15), file=sys.stderr)

    def call(self, *words, stdin=None, code=0, timeout=60, env=None):
        """Runs a client; its output. Fails with what it said."""
        done = subprocess.run(words, input=stdin, capture_output=True, timeout=timeout, check=False, env={**os.environ, **(env or {})})
        if code is not None and done.returncode != code:
            self.fail(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}")
        return done.stdout

    def on_terminal(self, *words, timeout=60, env=None):
        """Runs a client that wants a terminal until it ends by itself; what it drew."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe(words[0], words, {**os.environ, "TERM": "xterm", **(env or {})})
        drawn, deadline = b"", time.monotonic() + timeout
        while True:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    drawn += os.read(terminal, 65536)
                except OSError:  # EIO: nobody holds the other end any more
                    break
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status != 0:
            self.fail(f"{' '.join(words)}: exit {status}\n{drawn[-2000:].decode(errors='replace')}")
        return drawn

    def write(self, name, text, mode=0o600):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def smtp(self, port="smtp"):
        return smtplib.SMTP("127.0.0.1", self.gk.port(port), timeout=30)

    def deliver(self, message, recipients=("ann@a.test",), sender="sender@outside.test"):
        with self.smtp() as smtp:
            smtp.sendmail(sender, list(recipients), message)

    def imap(self, user="ann@a.test", password=None):
        imap = imaplib.IMAP4_SSL("127.0.0.1", self.gk.port("imaps"), ssl_context=TLS, timeout=30)
        imap.login(user, password or self.gk.PASSWORD)
        return imap

    def fetch_all(self, user="ann@a.test", mailbox="INBOX"):
        """Every message of a mailbox, as the server gives it."""
        with self.imap(user) as imap:
            _, counted = imap.select(mailbox, readonly=True)
            if not int(counted[0]):
                return []
            return [part[1] for part in imap.fetch("1:*", "(BODY.PEEK[])")[1] if isinstance(part, tuple)]

    def wait(self, what, condition, seconds=10.0):
        return gk.wait_for(what, condition, seconds)
