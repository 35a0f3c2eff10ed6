# SPDX-License-Identifier: MIT
"""gk-imapd's parent and its sessions, with a front and a gk-authd played by the test."""
# alone: bounds what an idle parent uses
import imaplib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from bed import gk

SETTINGS = '[imap]\nsessions_per_account = 3\nidle_timeout = "1h"\nstart_timeout = "2s"\n'


def time_of(pid):
    """CPU seconds."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Imapd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="gk-", dir=os.environ.get("GK_TMP", "/tmp"))
        gk.run("gk-config", "init", "--root", cls.root, "--hostname", "mx.a.test")
        os.makedirs(f"{cls.root}/gk.toml.d", exist_ok=True)
        with open(f"{cls.root}/gk.toml.d/50-test.toml", "w", encoding="utf-8") as file:
            file.write(SETTINGS)
        gk.run("gk-domain", "add", "a.test", "--root", cls.root)
        gk.run("gk-user", "add", "ann@a.test", "--root", cls.root, "--password-file", "-", stdin="correct horse 7 battery\n")
        cls.maildir = f"{cls.root}/mail/a.test/ann/Maildir"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root, ignore_errors=True)

    def setUp(self):
        for name in ("auth", "imap", "changes"):
            if os.path.exists(f"{self.root}/run/{name}.sock"):
                os.unlink(f"{self.root}/run/{name}.sock")
        os.makedirs(f"{self.root}/run", exist_ok=True)
        self.auth = socket.socket(socket.AF_UNIX)
        self.auth.bind(f"{self.root}/run/auth.sock")
        self.auth.listen(50)
        threading.Thread(target=self.answer_tickets, daemon=True).start()
        sessions, changes = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sessions.bind(f"{self.root}/run/imap.sock")
        sessions.listen(50)
        changes.bind(f"{self.root}/run/changes.sock")

        # As a service manager does: descriptors 3 and 4, by a shell that knows its own pid.
        shell = f'exec 3<&{sessions.fileno()} 4<&{changes.fileno()}; LISTEN_PID=$$ exec "$0" serve --root "$1"'
        self.log = open(f"{self.root}/imapd.log", "w+", encoding="utf-8")
        self.parent = subprocess.Popen(["bash", "-c", shell, f"{gk.BIN}/gk-imapd", self.root], stderr=self.log,
                                       pass_fds=(sessions.fileno(), changes.fileno()),
                                       env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "imap-session:changes"})
        sessions.close()
        changes.close()
        self.open = []

    def tearDown(self):
        for connection in self.open:
            connection.close()
        if self.parent.poll() is None:
            self.parent.terminate()
        self.assertEqual(self.parent.wait(20), 0)
        self.log.close()
        self.auth.close()

    def answer_tickets(self):
        while True:
            try:
                connection, _ = self.auth.accept()
            except OSError:
                return
            asked = connection.recv(4096)
            if b"ticket=silence" in asked:
                self.open.append(connection)  # an authd that never answers
                continue
            connection.sendall(b"OK\tuser=ann%40a.test\n" if b"ticket=good" in asked else b"FAIL\tcode=auth\ttext=unknown\n")
            connection.close()

    def connect(self, ticket="good", then=b"", line=None):
        front = socket.socket(socket.AF_UNIX)
        front.settimeout(10)
        front.connect(f"{self.root}/run/imap.sock")
        front.sendall((line or f"SESSION\tticket={ticket}\tip=192.0.2.1\tport=5\ttls=1\tid=S\ttag=A1\tcap=1\n").encode() + then)
        self.open.append(front)
        return front

    def hear(self, front, until):
        heard = b""
        while until not in heard:
            more = front.recv(65536)
            if not more:
                self.fail(f"the connection ended after {heard!r}, without {until!r}")
            heard += more
        return heard

    def log_in(self, then=b""):
        front = self.connect(then=then)
        self.assertRegex(self.hear(front, b"Logged in\r\n"), rb"^OK\nA1 OK \[CAPABILITY IMAP4rev1 ")
        return front

    def idle(self):
        front = self.log_in()
        front.sendall(b"a SELECT INBOX\r\nb IDLE\r\n")
        self.hear(front, b"+ idling\r\n")
        return front

    def events(self):
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def test_waits_without_spinning_when_it_runs_out_of_descriptors(self):
        self.log_in()
        used = len(os.listdir(f"/proc/{self.parent.pid}/fd"))
        resource.prlimit(self.parent.pid, resource.RLIMIT_NOFILE, (used + 3, 4096))
        waiting = []
        for _ in range(10):  # that say nothing, and hold what they got until start_timeout
            front = socket.socket(socket.AF_UNIX)
            front.connect(f"{self.root}/run/imap.sock")
            self.open.append(front)
            waiting.append(front)
        time.sleep(0.3)
        before = time_of(self.parent.pid)
        time.sleep(1)
        self.assertLess(time_of(self.parent.pid) - before, 0.3)
        said = self.events().count("imap.accept.failed")
        self.assertTrue(0 < said < 20, said)
        for front in waiting:
            front.close()
        resource.prlimit(self.parent.pid, resource.RLIMIT_NOFILE, (1024, 4096))
        self.log_in()

    def test_bytes_that_came_with_the_session_line_are_the_clients(self):
        front = self.connect(then=b"x NOOP\r\n")
        self.hear(front, b"x OK ")

    def test_a_session_is_confined(self):
        self.idle()
        pid = re.search(r'"pid":(\d+),"event":"imap.session.begin"', self.events()).group(1)
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            status = file.read()
        self.assertIn("NoNewPrivs:\t1", status)
        self.assertIn("Seccomp:\t2", status)
        for name in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            self.assertTrue(re.match(r"socket:|pipe:|/dev/null|anon_inode:\[signalfd\]", target) or target.startswith(self.root), target)

    def test_bad_tickets_and_bad_lines_are_refused(self):
        self.assertRegex(self.hear(self.connect("stolen"), b"\n"), rb"^FAIL\tcode=auth\t")
        self.assertRegex(self.hear(self.connect(line="HELLO\n"), b"\n"), rb"^FAIL\tcode=temp\t")

    def test_a_silent_authd_or_front_does_not_hold_a_session_for_ever(self):
        begun = time.monotonic()
        waiting = [self.connect("silence"), self.connect(line="SESSION\tticket=good")]
        self.log_in()  # others are not delayed
        for front in waiting:
            self.assertRegex(self.hear(front, b"\n"), rb"^FAIL\tcode=temp\t")
        self.assertLess(time.monotonic() - begun, 8)

    def test_an_account_has_only_so_many_sessions(self):
        sessions = [self.log_in() for _ in range(3)]
        self.assertRegex(self.hear(self.connect(), b"\n"), rb"^FAIL\tcode=temp\t")
        sessions.pop().close()
        gk.wait_for("the place to be free", lambda: self.connect().recv(3) == b"OK\n")

    def test_idle_clients_hear_other_sessions_and_foreign_tools_at_once(self):
        idle, busy = self.idle(), self.log_in()
        begun = time.monotonic()
        busy.sendall(b"b APPEND INBOX {4+}\r\nabcd\r\n")
        self.hear(idle, b"EXISTS\r\n")
        for number in range(3):
            with open(f"{self.maildir}/tmp/foreign{number}", "w", encoding="ascii") as file:
                file.write("Subject: foreign\n\nhello\n")
            os.rename(f"{self.maildir}/tmp/foreign{number}", f"{self.maildir}/new/{number}.foreign")
            self.hear(idle, b"EXISTS\r\n")
        self.hear(busy, b"b OK ")
        busy.sendall(b"c SELECT INBOX\r\nd STORE 1 +FLAGS (\\Answered)\r\n")
        self.hear(idle, b"\\Answered")
        # Files leave new/ behind the answer.
        gk.wait_for("the message in cur/", lambda: any(name.startswith("2.foreign") for name in os.listdir(f"{self.maildir}/cur")))
        # Right behind a change of our own, when the directory's time tells nothing.
        name = next(name for name in os.listdir(f"{self.maildir}/cur") if name.startswith("2.foreign"))
        os.rename(f"{self.maildir}/cur/{name}", f"{self.maildir}/cur/{name.split(':')[0]}:2,F")
        self.hear(idle, b"\\Flagged")
        os.unlink(f"{self.maildir}/cur/{name.split(':')[0]}:2,F")
        self.hear(idle, b"EXPUNGE\r\n")
        self.assertLess(time.monotonic() - begun, 12)

    def test_notify_tells_of_the_whole_account_without_a_command(self):
        watcher, busy = self.log_in(), self.log_in()
        watcher.sendall(b"a NOTIFY SET (PERSONAL (MessageNew MessageExpunge MailboxName SubscriptionChange))\r\n")
        self.hear(watcher, b"a OK ")
        busy.sendall(b"b APPEND Sent {4+}\r\nabcd\r\n")
        self.assertRegex(self.hear(watcher, b")\r\n"), rb'^\* STATUS "Sent" \(MESSAGES 1 ')
        busy.sendall(b"c CREATE Watched\r\nd SUBSCRIBE Watched\r\n")
        self.hear(watcher, b'* LIST (\\Subscribed) "/" "Watched"\r\n')
        gk.run("gk-deliver", "-d", "ann@a.test", "--root", self.root, stdin="Subject: new\n\nhello\n")
        self.hear(watcher, b'* STATUS "INBOX" (')
        watcher.sendall(b"e NOTIFY NONE\r\n")
        self.hear(watcher, b"e OK ")
        busy.sendall(b"f DELETE Watched\r\ng UNSUBSCRIBE Watched\r\nh LOGOUT\r\n")
        self.hear(busy, b"h OK ")
        watcher.sendall(b"i LOGOUT\r\n")
        self.assertEqual(self.hear(watcher, b"i OK Logged out\r\n"), b"* BYE Until next time\r\ni OK Logged out\r\n")

    def test_sigterm_says_goodbye_to_everybody(self):
        sessions = [self.idle(), self.log_in()]
        self.parent.send_signal(signal.SIGTERM)
        for session in sessions:
            self.hear(session, b"* BYE ")
        self.assertEqual(self.parent.wait(10), 0)

    def test_stdio_speaks_to_a_tunnel(self):
        with imaplib.IMAP4_stream(f"{gk.BIN}/gk-imapd --stdio --account ann@a.test --root {self.root}") as session:
            self.assertEqual(session.state, "AUTH")
            self.assertEqual(session.create("Box")[0], "OK")
            self.assertEqual(session.append("Box", None, None, b"Subject: x\r\n\r\nhello\r\n")[0], "OK")
            self.assertEqual(session.select("Box"), ("OK", [b"1"]))
            self.assertEqual(session.fetch("1", "(BODY.PEEK[])")[1][0][1], b"Subject: x\r\n\r\nhello\r\n")


if __name__ == "__main__":
    unittest.main()
