# SPDX-License-Identifier: MIT
"""A peer that may be killed at any time, and a ledger of all that it took that survives it: python3 -m bed.ledger_peer PORT FILE.

Lines of the ledger, times by the clock that all processes of a machine share (CLOCK_MONOTONIC):
  took TIME CONNECTION MESSAGE DIGEST RECIPIENTS   before the final 250 goes out: from here on the peer has the message
  said TIME CONNECTION MESSAGE                     it went out
  next TIME CONNECTION                             the client began another transaction on that connection
Recipients at no.* are refused for good; those at later.* once in three times for now.
"""
import collections
import os
import random
import sys
import time

from bed import case, hostile_peer, ledger

Took = collections.namedtuple("Took", "time connection message digest recipients")


class LedgerPeer(hostile_peer.Peer):
    def __init__(self, path, port):
        super().__init__(port=port)
        # O_APPEND: one write a line, whole in the page cache whatever happens to us.
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.random = random.Random(port)

    def write(self, kind, dialogue, *words):
        name = f"{os.getpid()}.{id(dialogue)}.{dialogue.client_address[1]}"
        os.write(self.file, " ".join([kind, f"{time.monotonic():.6f}", name, *words]).encode() + b"\n")

    def take_recipient(self, dialogue, address):
        if not dialogue.recipients:
            self.write("next", dialogue)
        if address.startswith("no."):
            dialogue.say("550 5.1.1 no such person")
            return False
        if address.startswith("later.") and self.random.random() < 1 / 3:
            dialogue.say("451 4.2.1 not now")
            return False
        return True

    def take_message(self, dialogue, accepted):
        # The window in which a kill makes a duplicate is open while the client waits for us, and shortly after.
        time.sleep(self.random.choice((0, 0, 0.01, 0.05)))
        name = ledger.message_id(accepted.message).decode()
        self.write("took", dialogue, name, case.digest(accepted.message), ",".join(accepted.recipients))
        dialogue.say("250 2.0.0 taken")
        self.write("said", dialogue, name)


def read(path):
    """The ledger of PATH: (every Took in the order of time, {connection: time of its last transaction})."""
    took, last = [], {}
    with open(path, encoding="ascii") as file:
        for line in file:
            kind, at, connection, *rest = line.split()
            if kind == "took":
                took.append(Took(float(at), connection, rest[0], rest[1], rest[2].split(",")))
            if kind == "next":
                last[connection] = float(at)
    return sorted(took), last


if __name__ == "__main__":
    with LedgerPeer(sys.argv[2], int(sys.argv[1])) as running:
        running.thread.join()
