# SPDX-License-Identifier: MIT
"""A client of ManageSieve (RFC 5804) as plain as can be, to store scripts and to see what is answered."""
import base64
import socket
import ssl


class Client:
    """ManageSieve by hand."""

    def __init__(self, port, tls=True):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.file = self.socket.makefile("rb")
        self.greeting = self.answer()
        if tls:
            assert self.ask("STARTTLS")[-1].startswith("OK")
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
            self.file = self.socket.makefile("rb")
            self.capabilities = self.answer()

    def answer(self):
        """The lines up to OK, NO or BYE."""
        lines = []
        while not lines or not lines[-1].startswith(("OK", "NO", "BYE")):
            line = self.file.readline()
            if not line:
                raise EOFError(lines)
            lines.append(line.decode().rstrip("\r\n"))
        return lines

    def send(self, text):
        self.socket.sendall(text.encode())

    def ask(self, command):
        self.send(command + "\r\n")
        return self.answer()

    def login(self, user, password):
        plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.ask(f'AUTHENTICATE "PLAIN" "{plain}"')

    def put(self, name, script):
        self.send(f'PUTSCRIPT "{name}" {{{len(script.encode())}+}}\r\n{script}\r\n')
        return self.answer()

    def close(self):
        self.file.close()
        self.socket.close()
