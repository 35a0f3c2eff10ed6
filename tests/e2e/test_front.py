#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""gk-frontd between real sockets, with a gk-authd and a gk-imapd of the test's own that do as they are told."""
# alone: bounds how soon the front answers
import base64, json, os, shutil, signal, socket, ssl, subprocess, tempfile, threading, time, unittest, urllib.parse

BIN = os.environ["GK_BIN_DIR"]
UNITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../systemd")
BASE = int(os.environ.get("GK_TEST_PORT", "24600"))


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain")


class Server(threading.Thread):
    """A UNIX socket server, a thread a connection."""

    def __init__(self, path, serve):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(1024)
        self.serve = serve
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.guarded, args=(peer,), daemon=True).start()

    def guarded(self, peer):
        with peer:
            try:
                self.serve(peer, peer.makefile("rb"))
            except (OSError, ValueError):
                pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def fields(line):
    verb, *rest = line.decode().rstrip("\n").split("\t")
    return verb, {k: urllib.parse.unquote(v) for k, v in (f.split("=", 1) for f in rest)}


class Front(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="gk-front-")
        os.makedirs(self.root + "/run")
        self.certificate("imap.a.test")
        self.configure("")
        self.sessions, self.begins = [], []
        self.servers = [Server(self.root + "/run/auth.sock", self.authd), Server(self.root + "/run/imap.sock", self.imapd)]
        self.up = None
        self.open = []

    def tearDown(self):
        for s in self.open:
            s.close()
        if self.up and self.up.poll() is None:
            self.up.terminate()
            self.up.wait(20)
        if self.up:
            self.up.stdout.close()
        for s in self.servers:
            s.close()
        shutil.rmtree(self.root)

    def certificate(self, name):
        os.makedirs(self.root + "/keys/tls", exist_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                        "-addext", f"subjectAltName=DNS:{name}", "-keyout", self.root + "/keys/tls/default.key", "-out", self.root + "/keys/tls/default.crt"],
                       check=True, capture_output=True)

    def configure(self, front):
        with open(self.root + "/gk.toml", "w") as f:
            f.write(f'[server]\nhostname = "imap.a.test"\ndrain_timeout = "3s"\n[front]\n{front}\n')

    def start(self):
        self.up = subprocess.Popen([f"{BIN}/gk-up", "--root", self.root, "--units", UNITS, "--only", "front", "--port-base", str(BASE), "--json"],
                                   stdout=subprocess.PIPE, text=True)
        line = self.up.stdout.readline()
        self.assertTrue(line, "gk-up did not start gk-frontd")
        self.addresses = json.loads(line)["addresses"]

    def connect(self, tls=False):
        s = socket.create_connection(("127.0.0.1", BASE + (993 if tls else 143)), 10)
        if tls:
            s = self.wrap(s)
        self.open.append(s)
        return s, s.makefile("rb")

    def wrap(self, s):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(s, server_hostname="imap.a.test")

    # --- the other two programs ---
    def authd(self, peer, lines):
        for line in lines:
            verb, f = fields(line)
            self.begins.append((verb, f))
            if verb == "BEGIN" and f["mech"] == "PLAIN":
                good = base64.b64decode(f["resp"]) == b"\0ann\0tanstaaf"
                peer.sendall(b"OK\tuser=ann%40a.test\tticket=t%201\n" if good else b"FAIL\tcode=auth\ttext=no\n")
            elif verb == "BEGIN":
                peer.sendall(b"CONTINUE\tdata=" + base64.b64encode(b"server-first").replace(b"=", b"=") + b"\n")
            else:
                peer.sendall(b"OK\tuser=ann%40a.test\tticket=t2\tdata=" + base64.b64encode(b"server-final") + b"\n")

    def imapd(self, peer, lines):
        verb, f = fields(lines.readline())
        if verb == "FRONT":  # about sleeping sessions; here nobody sleeps
            lines.read()
            return
        self.sessions.append(f)
        if f["tag"] == "refused":
            peer.sendall(b"FAIL\tcode=temp\ttext=full\n")
            return
        peer.sendall(f"OK\n{f['tag']} OK Logged in\r\n".encode())
        for line in lines:
            tag, command, *rest = line.decode().split()
            if command == "FLOOD":
                block = bytes(range(256)) * 256
                for _ in range(int(rest[0])):
                    peer.sendall(block)
            elif command == "COUNT":
                left = int(rest[0])
                while left:
                    left -= len(lines.read(min(left, 65536)))
            elif command == "LOGOUT":
                peer.sendall(f"* BYE\r\n{tag} OK\r\n".encode())
                return
            peer.sendall(f"{tag} OK {command}\r\n".encode())

    # --- what it must do ---
    def test_carries_a_session_after_login_with_tls(self):
        self.start()
        s, lines = self.connect(tls=True)
        self.assertRegex(lines.readline(), rb"^\* OK \[CAPABILITY IMAP4rev1 .*AUTH=PLAIN.*\] imap.a.test ready\r\n$")
        s.sendall(b"a LOGIN ann tanstaaf\r\nb NOOP\r\n")  # b belongs to the session
        self.assertEqual(lines.readline(), b"a OK Logged in\r\n")
        self.assertEqual(lines.readline(), b"b OK NOOP\r\n")
        session = self.sessions[0]
        self.assertEqual((session["ticket"], session["ip"], session["tls"], session["tag"]), ("t 1", "127.0.0.1", "1", "a"))
        begin = self.begins[0][1]
        self.assertEqual((begin["service"], begin["ip"], begin["tls"]), ("imap", "127.0.0.1", "1"))
        self.assertEqual(len(base64.b64decode(begin["cb-tls-exporter"])), 32)
        s.sendall(b"c LOGOUT\r\n")
        self.assertEqual(lines.read(), b"* BYE\r\nc OK\r\n")

    def test_starts_tls_and_discards_what_was_injected(self):
        self.start()
        s, lines = self.connect()
        self.assertIn(b"STARTTLS LOGINDISABLED", lines.readline())
        s.sendall(b"a LOGIN ann tanstaaf\r\n")
        self.assertTrue(lines.readline().startswith(b"a NO [PRIVACYREQUIRED]"))
        s.sendall(b"b STARTTLS\r\nc NOOP\r\n")
        self.assertTrue(lines.readline().startswith(b"b OK"))
        s = self.wrap(s)
        self.open.append(s)
        lines = s.makefile("rb")
        s.sendall(b"d CAPABILITY\r\n")
        self.assertIn(b"AUTH=SCRAM-SHA-256-PLUS", lines.readline())  # and not c's answer
        self.assertTrue(lines.readline().startswith(b"d OK"))
        s.sendall(b"e LOGIN ann tanstaaf\r\n")
        self.assertEqual(lines.readline(), b"e OK Logged in\r\n")

    def test_carries_scram_with_its_last_message(self):
        self.start()
        s, lines = self.connect()
        lines.readline()
        s.sendall(b"a AUTHENTICATE SCRAM-SHA-256 " + base64.b64encode(b"client-first") + b"\r\n")
        self.assertEqual(lines.readline(), b"+ " + base64.b64encode(b"server-first") + b"\r\n")
        s.sendall(base64.b64encode(b"client-final") + b"\r\n")
        self.assertEqual(lines.readline(), b"+ " + base64.b64encode(b"server-final") + b"\r\n")
        s.sendall(b"\r\n")
        self.assertEqual(lines.readline(), b"a OK Logged in\r\n")

    def test_logs_in_although_others_never_finish_their_logins(self):
        self.configure("auth_exchanges = 2")
        self.start()
        for _ in range(4):
            s, lines = self.connect(tls=True)
            lines.readline()
            s.sendall(b"a AUTHENTICATE SCRAM-SHA-256\r\n")
            self.assertEqual(lines.readline()[:1], b"+")
            s.sendall(base64.b64encode(b"n,,n=ann@a.test,r=abc") + b"\r\n")
        s, lines = self.connect(tls=True)
        lines.readline()
        began = time.monotonic()
        s.sendall(b"b LOGIN ann tanstaaf\r\n")
        self.assertTrue(lines.readline().startswith(b"b OK"))
        self.assertLess(time.monotonic() - began, 15)

    def test_says_why_there_is_no_session(self):
        self.start()
        s, lines = self.connect(tls=True)
        lines.readline()
        s.sendall(b"a LOGIN ann wrong\r\nrefused LOGIN ann tanstaaf\r\n")
        self.assertTrue(lines.readline().startswith(b"a NO [AUTHENTICATIONFAILED]"))
        self.assertTrue(lines.readline().startswith(b"refused NO [UNAVAILABLE]"))
        for server in self.servers:
            server.close()
        os.unlink(self.root + "/run/auth.sock")
        s.sendall(b"b LOGIN ann tanstaaf\r\n")
        self.assertTrue(lines.readline().startswith(b"b NO [UNAVAILABLE]"))
        self.servers = []

    def test_carries_much_in_both_directions_with_bounded_memory(self):
        self.start()
        s, lines = self.connect(tls=True)
        lines.readline()
        s.sendall(b"a LOGIN ann tanstaaf\r\n")
        lines.readline()
        before = self.rss()
        s.sendall(b"b FLOOD 400\r\n")  # 26 MB that nobody reads yet
        until(lambda: self.rss() < before + 4096 and time.sleep(0.3) is None)
        self.assertLess(self.rss(), before + 4096)
        block = bytes(range(256)) * 256
        for _ in range(400):
            self.assertEqual(lines.read(len(block)), block)
        self.assertEqual(lines.readline(), b"b OK FLOOD\r\n")
        s.sendall(b"c COUNT 20000000\r\n")
        s.sendall(b"x" * 20_000_000)
        self.assertEqual(lines.readline(), b"c OK COUNT\r\n")
        self.assertLess(self.rss(), before + 4096)

    def pid(self):
        out = subprocess.run([f"{BIN}/gk-status", "--root", self.root, "--json"], capture_output=True, text=True)
        return json.loads(out.stdout)["pid"]

    def rss(self):
        with open(f"/proc/{self.pid()}/status") as f:
            return int([line for line in f if line.startswith("VmRSS:")][0].split()[1])

    def test_keeps_a_thousand_idle_connections_in_little_memory(self):
        self.start()
        before = self.rss()
        for _ in range(1000):
            s = socket.create_connection(("127.0.0.1", BASE + 143), 10)
            self.open.append(s)
        for s in self.open:
            self.assertTrue(s.recv(1000).startswith(b"* OK"))
        self.assertLess(self.rss() - before, 8 * 1024)
        s, lines = self.connect(tls=True)
        began = time.monotonic()
        lines.readline()
        s.sendall(b"a LOGIN ann tanstaaf\r\n")
        self.assertEqual(lines.readline(), b"a OK Logged in\r\n")
        self.assertLess(time.monotonic() - began, 1)

    def test_ends_who_is_too_slow(self):
        self.configure('login_timeout = "2s"\nhandshake_timeout = "1s"')
        self.start()
        began = time.monotonic()
        slow, lines = self.connect()
        lines.readline()
        mute = socket.create_connection(("127.0.0.1", BASE + 993), 10)
        self.open.append(mute)
        self.assertEqual(mute.recv(100), b"")
        self.assertLess(time.monotonic() - began, 1.9)
        self.assertEqual(lines.read(), b"* BYE too slow\r\n")
        self.assertLess(time.monotonic() - began, 4)

    def test_refuses_connections_past_the_limit(self):
        self.configure("connections = 3")
        self.start()
        kept = [self.connect() for _ in range(3)]
        for _, lines in kept:
            lines.readline()
        s, lines = self.connect()
        self.assertTrue(lines.readline().startswith(b"* BYE"))
        kept[0][0].shutdown(socket.SHUT_RDWR)
        def again():
            s, lines = self.connect()
            return lines.readline().startswith(b"* OK")
        until(again)

    def test_reloads_its_certificate_and_keeps_connections(self):
        self.start()
        s, lines = self.connect(tls=True)
        first = s.getpeercert(binary_form=True)
        lines.readline()
        self.certificate("imap.b.test")
        self.up.send_signal(signal.SIGHUP)
        until(lambda: self.connect(tls=True)[0].getpeercert(binary_form=True) != first)
        s.sendall(b"a NOOP\r\n")
        self.assertTrue(lines.readline().startswith(b"a OK"))

    def test_says_goodbye_when_it_stops(self):
        self.start()
        talking, talking_lines = self.connect()
        talking_lines.readline()
        s, lines = self.connect(tls=True)
        lines.readline()
        s.sendall(b"a LOGIN ann tanstaaf\r\n")
        lines.readline()
        began = time.monotonic()
        self.up.terminate()
        self.assertEqual(talking_lines.read(), b"* BYE the server is going down\r\n")
        self.assertEqual(lines.read(), b"* BYE the server is going down\r\n")
        self.assertEqual(self.up.wait(20), 0)
        self.assertLess(time.monotonic() - began, 10)

    def test_survives_noise(self):
        self.start()
        for noise in (b"\0" * 10000, b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n" * 50, b"a LOGIN {5}\r\n", b"\x16\x03\x01\x02\x00" + b"x" * 600):
            for tls_port in (False, True):
                s = socket.create_connection(("127.0.0.1", BASE + (993 if tls_port else 143)), 10)
                try:
                    s.sendall(noise)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
                s.close()
        s, lines = self.connect(tls=True)
        self.assertTrue(lines.readline().startswith(b"* OK"))
        self.assertEqual(json.loads(subprocess.run([f"{BIN}/gk-status", "--root", self.root, "--json"], capture_output=True, text=True).stdout)["restarts"], 0)


if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("no openssl here")
        raise SystemExit(77)
    unittest.main(verbosity=1)
