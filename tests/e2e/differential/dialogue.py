# SPDX-License-Identifier: MIT
"""Holds one script's dialogue with one server; what it answered, step by step, as it came."""
import io
import re
import socket
import zlib

TIMEOUT = 20.0
LITERAL = re.compile(rb"\{(\d+)\+?\}\r\n$")
ANNOUNCED = b"\0wait\0"  # stands in front of a literal that is sent when the server asks for it
KEPT = {  # what a later line of the script can name as $NAME
    "MODSEQ": re.compile(rb"HIGHESTMODSEQ (\d+)|MODSEQ \((\d+)\)|\[MODIFIED[^\]]*\]()"),
    "VALIDITY": re.compile(rb"UIDVALIDITY (\d+)"),
    "MAILBOXID": re.compile(rb"MAILBOXID \(([^)]+)\)"),
    "EMAILID": re.compile(rb"EMAILID \(([^)]+)\)"),
}


class Inflated(io.RawIOBase):
    """What a socket brings after COMPRESS DEFLATE (RFC 4978), without the compression."""

    def __init__(self, connection):
        self.connection, self.inflate, self.ready = connection, zlib.decompressobj(-15), b""

    def readable(self):
        return True

    def readinto(self, place):
        while not self.ready:
            came = self.connection.recv(65536)
            if not came:
                return 0
            self.ready = self.inflate.decompress(came)
        count = min(len(place), len(self.ready))
        place[:count], self.ready = self.ready[:count], self.ready[count:]
        return count


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.heard = self.socket.makefile("rb")
        self.tag = 0
        self.waits = b""
        self.deflate = None

    def compress(self):
        self.deflate = zlib.compressobj(wbits=-15)
        self.heard = io.BufferedReader(Inflated(self.socket))

    def say(self, line):
        sent = line + b"\r\n"
        if self.deflate:
            sent = self.deflate.compress(sent) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        try:
            self.socket.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what follows is read, and then the end

    def command(self, line):
        """Gives it a tag; only for what is answered at once."""
        self.tag += 1
        self.waits = b"t%d" % self.tag
        self.say(self.waits + b" " + line)

    def response(self):
        """One response with its literals, without the last CRLF; None at the end of the connection."""
        whole = b""
        while True:
            try:
                line = self.heard.readline()
            except ConnectionResetError:
                return None
            if not line.endswith(b"\n"):
                return None
            whole += line
            literal = LITERAL.search(line)
            if not literal:
                return whole[:-2] if whole.endswith(b"\r\n") else whole + b"<LF>"
            whole += self.heard.read(int(literal[1]))

    def until_answered(self, raw=False):
        """The responses up to the one that ends the command or asks for its continuation."""
        found = []
        while True:
            answer = self.response()
            if answer is None:
                return found + [b"<end>"]
            found.append(answer)
            word = answer.split(b" ", 1)[0]
            if word == self.waits or word == b"+" or (raw and re.match(rb"\* (BAD|BYE)", answer)):
                return found

    def close(self):
        self.heard.close()
        self.socket.close()


class Dialogue:
    """One server as the scripts see it. LOG_IN(connection, account) logs in, PORT is where it listens."""

    def __init__(self, port, log_in, messages):
        self.port, self.log_in, self.messages = port, log_in, messages

    def open(self, account, log_in=True):
        connection = Connection(self.port)
        greeting = connection.response()
        if not greeting.startswith(b"* OK"):
            raise ConnectionError(f"greeted by {greeting!r}")
        if log_in:
            self.log_in(connection, account)
            answer = connection.until_answered()[-1]
            if b" OK" not in answer[:12]:
                raise ConnectionError(f"no login as {account}: {answer!r}")
        return connection

    def expand(self, text, kept):
        """A line of a script as this server gets it."""
        text = re.sub(rb"\$([A-Z]+[0-9]?)", lambda m: kept.get(m[1].decode(), m[0]), text)
        return re.sub(rb"(~?)@(\??)([a-z0-9-]+)", lambda m: self.literal(m[1], m[2], m[3].decode(), m[0]), text)

    def literal(self, mark, announced, name, as_it_is):
        if name not in self.messages:
            return as_it_is
        size = b"{%d%s}\r\n" % (len(self.messages[name]), b"" if announced else b"+")
        return mark + size + (ANNOUNCED if announced else b"") + self.messages[name]

    def keep(self, answers, kept):
        for answer in answers:
            for name, pattern in KEPT.items():
                for found in pattern.finditer(answer):
                    value = next((group for group in found.groups() if group), None)
                    if value and (name != "MODSEQ" or int(value) >= int(kept.get(name, b"0"))):
                        kept[name] = value

    def hold(self, script, account, unescape):
        """[(step, [response, …])] of SCRIPT. A wait belongs to the next step of its connection."""
        connections, found, kept, waiting = {}, [], {"USER": account.encode()}, {}
        try:
            for step in script.setup + script.steps:
                in_setup = len(found) < len(script.setup)
                if step.connection not in connections:
                    connections[step.connection] = self.open(account, script.login)
                connection = connections[step.connection]
                before = waiting.pop(step.connection, []) if step.kind != "W" else []
                if step.kind == "W":
                    answers = self.wait_for(connection, step)
                    waiting[step.connection] = waiting.get(step.connection, []) + answers
                    self.keep(answers, kept)
                    found.append((step, []))
                    continue
                if step.text.startswith("KEEP "):
                    kept[step.text.split()[1]] = kept.get(step.text.split()[2], b"0")
                    found.append((step, []))
                    continue
                line = self.expand(unescape(step.text), kept)
                first, *more = line.split(b"\r\n" + ANNOUNCED)
                if step.kind == ":":
                    connection.command(first)
                else:
                    if step.kind == "!":
                        connection.waits = first.split(b" ", 1)[0]
                    connection.say(first)
                answers = before + connection.until_answered(raw=step.kind == "!")
                while more and answers[-1].startswith(b"+"):
                    answers.pop()
                    connection.say(more.pop(0))
                    answers += connection.until_answered()
                if step.text.upper() == "COMPRESS DEFLATE" and b" OK" in answers[-1][:12]:
                    connection.compress()
                self.keep(answers, kept)
                found.append((step, answers))
                if in_setup and b" OK" not in answers[-1][:12] and not answers[-1].startswith(b"+"):
                    raise ConnectionError(f"{script.name}: the setup fails: {step}: {answers}")
        except (TimeoutError, ConnectionResetError, BrokenPipeError) as error:
            raise ConnectionError(f"{script.name}: at {step}: {error!r}, after {found[-2:]}") from error
        finally:
            for connection in connections.values():
                connection.close()
        return found[len(script.setup):]

    @staticmethod
    def wait_for(connection, step):
        found = []
        while True:
            answer = connection.response()
            if answer is None:
                return found + [b"<end>"]
            found.append(answer)
            if re.search(step.text.encode(), answer):
                return found
