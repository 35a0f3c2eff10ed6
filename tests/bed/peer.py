# SPDX-License-Identifier: MIT
"""A small SMTP server that keeps what it gets and answers as it is told."""
import socketserver
import threading


class Peer:
    """Peer(["DSN", "SMTPUTF8"], {"RCPT TO:<no@b.test>": "550 5.1.1 no such user"}): what EHLO offers, and replies to commands by how these begin."""

    def __init__(self, offers=(), replies=None):
        self.offers, self.replies, self.transactions = list(offers), replies or {}, []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                outer.serve(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def reply_to(self, command):
        for begin, reply in self.replies.items():
            if command.startswith(begin):
                return reply
        return "250 2.0.0 ok"

    def serve(self, rfile, wfile):
        def say(text):
            wfile.write(text.encode() + b"\r\n")
            wfile.flush()

        say("220 peer.test ESMTP")
        transaction = None
        for line in iter(rfile.readline, b""):
            command = line.decode("utf-8", "replace").rstrip("\r\n")
            verb = command.split(" ")[0].upper()
            if verb == "EHLO":
                lines = ["peer.test", "ENHANCEDSTATUSCODES", *self.offers]
                say("\r\n".join(f"250-{each}" for each in lines[:-1]) + f"\r\n250 {lines[-1]}" if len(lines) > 1 else "250 peer.test")
                continue
            if verb == "QUIT":
                say("221 2.0.0 bye")
                return
            if verb == "BDAT":
                words = command.split()
                transaction["data"] += rfile.read(int(words[1]))
                reply = self.reply_to(command)
                if words[-1] == "LAST" and reply[0] == "2":
                    self.transactions.append(transaction)
                say(reply)
                continue
            reply = "354 go" if verb == "DATA" else self.reply_to(command)
            if verb == "MAIL" and reply[0] == "2":
                transaction = {"mail": command, "rcpt": [], "data": b""}
            if verb == "RCPT" and reply[0] == "2":
                transaction["rcpt"].append(command)
            if verb == "DATA" and not transaction["rcpt"]:
                reply = "554 5.5.1 no recipients"
            say(reply)
            if verb == "DATA" and reply[0] == "3":
                for content in iter(rfile.readline, b".\r\n"):
                    transaction["data"] += content[1:] if content.startswith(b".") else content
                self.transactions.append(transaction)
                say("250 2.0.0 ok")

    def found(self, condition):
        """The transactions for which CONDITION holds."""
        return [each for each in list(self.transactions) if condition(each)]
