# SPDX-License-Identifier: MIT
"""A next hop that takes what it is given: many connections, on all of 127.0.0.0/8, in a process of its own."""
import asyncio
import json
import subprocess
import sys

from bed import gk


class _Session(asyncio.Protocol):
    def __init__(self, sink):
        self.sink, self.buffer, self.in_data, self.recipients = sink, b"", False, []

    def connection_made(self, transport):
        self.transport = transport
        self.sink.connections += 1
        transport.write(b"220 sink.test\r\n")

    def data_received(self, data):
        self.buffer += data
        out = b""
        while True:
            if self.in_data:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    break
                self.buffer, self.in_data = self.buffer[end + 5:], False
                self.sink.took(self.recipients)
                out += b"250 2.0.0 taken\r\n"
                continue
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                break
            self.buffer, verb = rest, line[:4].upper()
            if verb == b"EHLO":
                out += b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
            elif verb == b"DATA":
                self.in_data = True
                out += b"354 go on\r\n"
            elif verb in (b"RSET", b"MAIL"):
                self.recipients = []
                out += b"250 2.0.0 ok\r\n"
            elif verb == b"RCPT":
                self.recipients.append(line.decode().split("<", 1)[1].split(">", 1)[0])
                out += b"250 2.1.5 ok\r\n"
            elif verb == b"QUIT":
                self.transport.write(out + b"221 2.0.0 bye\r\n")
                self.transport.close()
                return
            else:
                out += b"250 2.0.0 ok\r\n"
        if out:
            self.transport.write(out)


class _Sink:
    """What the process counts; told on its standard output whenever a line comes on its standard input."""

    def __init__(self, watched):
        self.messages = self.connections = 0
        self.watched, self.seen_at = watched, None

    def took(self, recipients):
        self.messages += 1
        if self.watched in recipients and self.seen_at is None:
            self.seen_at = self.messages

    async def serve(self, port, silent_port):
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: _Session(self), "0.0.0.0", port, backlog=4096)
        # Who connects there waits for a greeting in vain.
        await loop.create_server(asyncio.Protocol, "0.0.0.0", silent_port, backlog=4096)
        print("ready", flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps({"messages": self.messages, "connections": self.connections, "seen_at": self.seen_at}), flush=True)


class Sink:
    """with Sink(port, silent_port, watched) as sink: sink.counts() tells messages, connections, and as the how-manieth
    message the recipient WATCHED got one."""

    def __init__(self, port, silent_port, watched=""):
        self.words = [sys.executable, "-B", "-m", "bed.sink", str(port), str(silent_port), watched]

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise gk.Failed("the sink did not start")
        return self

    def counts(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __exit__(self, kind, error, trace):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()


if __name__ == "__main__":
    asyncio.run(_Sink(sys.argv[3]).serve(int(sys.argv[1]), int(sys.argv[2])))
