# SPDX-License-Identifier: MIT
"""An SMTP or LMTP server whose every reply a test can take away, delay, garble or replace; well-behaved where none is."""
import collections
import contextlib
import socket
import socketserver
import ssl
import struct
import threading

Received = collections.namedtuple("Received", "sender recipients message tls helo client")


class Ended(Exception):
    """The connection is over."""


class Dialogue(socketserver.BaseRequestHandler):
    """One connection. A misdeed is called as misdeed(dialogue, state) in place of the reply of its state: connect, ehlo, starttls,
    auth, mail, rcpt, data, message (a piece of it came), end (of it), rset, quit.
    """

    def setup(self):
        self.peer, self.unread, self.secure = self.server.peer, b"", False
        self.sender, self.recipients, self.helo = None, [], None

    # What misdeeds are made of.
    def say(self, text):
        """TEXT as lines with CRLF, or bytes as they are."""
        self.request.sendall(text if isinstance(text, bytes) else "".join(f"{line}\r\n" for line in text.split("\n")).encode())

    def drop(self):
        raise Ended

    def reset(self):
        """An RST in place of a FIN."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()
        raise Ended

    def stall(self):
        """Says nothing, and keeps the connection until the other side ends it, or the test does."""
        while not self.peer.closing.is_set():
            self.request.settimeout(0.2)
            with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                if not self.request.recv(4096):
                    raise Ended
        raise Ended

    def drip(self, text, seconds=1.0):
        """A byte at a time."""
        for byte in text.encode():
            if self.peer.closing.wait(seconds):
                raise Ended
            self.request.sendall(bytes([byte]))

    def flood(self, piece):
        """PIECE over and over until the other side has had enough."""
        while not self.peer.closing.is_set():
            self.request.sendall(piece)
        raise Ended

    # How it goes otherwise.
    def reply(self, state, text):
        misdeed = self.peer.misdeeds.get(state)
        if misdeed is None:
            self.say(text)
            return True
        with self.peer.lock:
            self.peer.seen[state] += 1
        return misdeed(self, state) is True

    def line(self):
        while b"\n" not in self.unread:
            self.fill()
        line, self.unread = self.unread.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def fill(self):
        piece = self.request.recv(65536)
        if not piece:
            raise Ended
        self.unread += piece

    def handle(self):
        # A connection that the other side resets, or that the test ends, is over as any other.
        with contextlib.suppress(Ended, OSError):
            self.reply("connect", f"220 {self.peer.name} ESMTP")
            while True:
                line = self.line()
                verb = line.split(" ")[0].upper()
                step = getattr(self, f"on_{verb.lower()}", None)
                if step is None:
                    self.say("500 5.5.1 no such command")
                else:
                    step(line)

    def finish(self):
        with contextlib.suppress(OSError):
            self.request.close()

    def on_ehlo(self, line):
        self.helo = line.split(" ", 1)[-1]
        words = [word for word in self.peer.capabilities if word != "STARTTLS" or self.peer.tls and not self.secure]
        lines = [self.peer.name, *words]
        self.reply("ehlo", "\n".join(f"250{'-' if at < len(lines) - 1 else ' '}{word}" for at, word in enumerate(lines)))

    on_lhlo = on_ehlo

    def on_helo(self, line):
        self.helo = line.split(" ", 1)[-1]
        self.say(f"250 {self.peer.name}")

    def on_starttls(self, _):
        if self.reply("starttls", "220 2.0.0 go on"):
            self.request = self.peer.tls.wrap_socket(self.request, server_side=True)
            self.unread, self.secure = b"", True
            with self.peer.lock:
                self.peer.resumed += bool(self.request.session_reused)
                self.peer.handshakes += 1

    def on_auth(self, line):
        self.reply("auth", "535 5.7.8 no") if self.peer.login is None else self.peer.login(self, line)

    def on_mail(self, line):
        self.sender, self.recipients = line[line.index("<") + 1:line.index(">")], []
        self.reply("mail", "250 2.1.0 ok")

    def on_rcpt(self, line):
        address = line[line.index("<") + 1:line.index(">")]
        if self.peer.take_recipient(self, address) and self.reply("rcpt", "250 2.1.5 ok"):
            self.recipients.append(address)

    def on_data(self, _):
        if not self.recipients:
            self.say("503 5.5.1 no recipient")
            return
        if not self.reply("data", "354 go on"):
            return
        while not (self.unread.startswith(b".\r\n") or b"\r\n.\r\n" in self.unread):
            if "message" in self.peer.misdeeds:
                self.reply("message", "")
            self.fill()
        if self.unread.startswith(b".\r\n"):
            message, self.unread = b"", self.unread[3:]
        else:
            message, self.unread = self.unread.split(b"\r\n.\r\n", 1)
        message = message.replace(b"\r\n..", b"\r\n.") + b"\r\n"
        self.peer.take_message(self, Received(self.sender, tuple(self.recipients), message, self.secure, self.helo, self.client_address[0]))
        self.sender, self.recipients = None, []

    def on_rset(self, _):
        self.sender, self.recipients = None, []
        self.reply("rset", "250 2.0.0 ok")

    def on_noop(self, _):
        self.say("250 2.0.0 ok")

    def on_quit(self, _):
        self.reply("quit", "221 2.0.0 bye")
        raise Ended


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


class _Listener6(_Listener):
    address_family = socket.AF_INET6


class Peer:
    """with Peer({"rcpt": lambda d, state: d.reset()}) as peer: listens on ADDRESS:peer.port. peer.behave() ends all misdeeds.

    CERTIFICATE: a pair of files (chain, key), for STARTTLS. LOGIN(dialogue, line) answers AUTH. self.received: all that came whole,
    whatever was answered.
    """

    def __init__(self, misdeeds=None, lmtp=False, port=0, address="127.0.0.1", certificate=None, login=None,
                 capabilities=("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "STARTTLS"), name="peer.test"):
        self.misdeeds, self.lmtp, self.login, self.capabilities, self.name = dict(misdeeds or {}), lmtp, login, capabilities, name
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.received, self.seen = [], collections.Counter()
        self.connections, self.handshakes, self.resumed = 0, 0, 0
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
        peer = self

        class Bound(Dialogue):
            def setup(self):
                with peer.lock:
                    peer.connections += 1
                super().setup()

        kind = _Listener6 if ":" in address else _Listener
        self.listener = kind((address, port), Bound)
        self.listener.peer = self
        self.address, self.port = self.listener.server_address[:2]

    def behave(self):
        self.misdeeds = {}

    def take_recipient(self, dialogue, address):
        """False where it was answered already, by a refusal."""
        del dialogue, address
        return True

    def take_message(self, dialogue, accepted):
        """All of a message is there: answers it."""
        with self.lock:
            self.received.append(accepted)
        for _ in accepted.recipients if self.lmtp else [None]:
            if not dialogue.reply("end", "250 2.0.0 taken"):
                return

    def __enter__(self):
        self.thread = threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.listener.shutdown()
        self.listener.server_close()
