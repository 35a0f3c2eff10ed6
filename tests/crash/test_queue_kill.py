# SPDX-License-Identifier: MIT
# timeout: 600
# slow: GK_QUEUE_KILLS=500
"""kill -9 under load of the queue, of what feeds it and of the peer it sends to: nothing acknowledged is lost, and what came
twice was under way on a connection that a kill cut.

GK_QUEUE_KILLS is the number of kills, GK_QUEUE_SEED what they are drawn from.
"""
import collections
import contextlib
import os
import random
import re
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from bed import case, crash, gk, ledger, ledger_peer

KILLS = int(os.environ.get("GK_QUEUE_KILLS", "40"))
SEED = int(os.environ.get("GK_QUEUE_SEED", "7"))
THREADS = 8  # queue.threads of the test: what can be under way at one kill
Kill = collections.namedtuple("Kill", "time victim")


class Peer:
    """The peer's process, started again after each kill, on one port with one ledger."""

    def __init__(self, folder):
        self.path, self.process = f"{folder}/ledger", None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self):
        self.process = subprocess.Popen([sys.executable, "-W", "ignore", "-B", "-m", "bed.ledger_peer", str(self.port), self.path],
                                        env={**os.environ, "PYTHONPATH": f"{gk.ROOT}/tests"})

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as probe:
            return probe.recv(3) == b"220"
        return False

    def kill(self):
        self.process.kill()
        self.process.wait()


class QueueKilled(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="gk-ledger-")
        cls.addClassCleanup(folder.cleanup)
        cls.peer = Peer(folder.name)
        cls.peer.start()
        cls.addClassCleanup(lambda: cls.peer.kill())
        cls.gk = gk.Instance("mx.a.test", {"a.test": ["ann"]}, f"""[queue]
retry_first = "1s"
retry_most = "1s"
threads = {THREADS}
destination_connections = 4
[queue.routes]
"b.test" = "127.0.0.1:{cls.peer.port}"
[smtp]
check_from = false
""", up_options=["--restart-delay-most", "0"])
        cls.addClassCleanup(crash.Case.clean, cls.gk)
        cls.gk.start()
        gk.wait_for("the peer", cls.peer.answers, 30)

    def setUp(self):
        self.lock, self.acknowledged, self.sent, self.stop = threading.Lock(), {}, {}, threading.Event()

    def log_in(self):
        smtp = smtplib.SMTP("127.0.0.1", self.gk.port("submission"), timeout=20)
        try:
            smtp.starttls(context=case.TLS)
            smtp.login("ann@a.test", self.gk.PASSWORD)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def load(self, number):
        """Submits until the end, many messages over one connection as long as it lives."""
        dice, smtp, count = random.Random(SEED * 1000 + number), None, 0
        while not self.stop.wait(0.02):
            count += 1
            name = f"k{number}-{count}"
            kinds = dice.choice((["ok"], ["ok"], ["later"], ["no"], ["ok", "ok2", "no"], ["ok", "later"]))
            recipients = [f"{kind}.{name}@b.test" for kind in kinds]
            message = (f"From: ann@a.test\r\nSubject: {name}\r\nMessage-ID: <{name}@a.test>\r\n\r\n" + f"{name} line\r\n.dot\r\n" * dice.randint(1, 400)).encode()
            with self.lock:
                self.sent[f"<{name}@a.test>"] = case.digest(message)
            try:
                smtp = smtp or self.log_in()
                done = smtp.mail("ann@a.test")[0] == 250 and all(smtp.rcpt(r)[0] == 250 for r in recipients) and smtp.data(message)[0] == 250
            except (OSError, smtplib.SMTPException):
                done = False
            if done:
                with self.lock:
                    self.acknowledged[f"<{name}@a.test>"] = recipients
            elif smtp:
                smtp.close()
                smtp = None
        if smtp:
            smtp.close()

    def kill_one(self, victim):
        """Kills a VICTIM that serves; when, or None where there was none."""
        if victim == "peer":
            gk.wait_for("the peer", self.peer.answers, 60)
            self.peer.kill()
            return Kill(time.monotonic(), victim)
        for pid in self.gk.pids(victim):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return Kill(time.monotonic(), victim)
        return None

    def bounced(self):
        """{recipient: Message-IDs of the DSNs in the sender's mailbox that name it}. One that is there twice is one DSN, delivered twice."""
        found = collections.defaultdict(list)
        for path in self.gk.files("ann@a.test"):
            report = gk.contents(path)
            if b"\nAction: failed" in report:
                for address in re.findall(rb"(?m)^Final-Recipient: rfc822; *(\S+)", report):
                    found[address.decode()].append(ledger.message_id(report))
        return found

    def queued(self):
        return [name for part in ("new", "active") for name in os.listdir(f"{self.gk.root}/spool/{part}")]

    def drain(self):
        """Waits until the queue is empty, as long as it becomes smaller: a slow machine is none that loses mail."""
        left = len(self.queued()) + 1
        while left:
            gk.wait_for(f"fewer than {left} messages in the queue", lambda: len(self.queued()) < left, 120)
            left = len(self.queued())

    def duplicates(self, took, last, kills):
        """(explained, others) of messages that the peer took more than once. Explained: the earlier connection ended with that
        very message, and a kill of one of its two ends fell between the message's begin there and its second arrival."""
        before, explained, others = {}, 0, []
        seen = set()
        for entry in took:
            for recipient in entry.recipients:
                earlier = before.get((entry.message, recipient))
                before[entry.message, recipient] = entry
                if earlier is None or (earlier.connection, entry.message) in seen:
                    continue
                seen.add((earlier.connection, entry.message))
                begun = last[earlier.connection]
                cut = any(begun <= kill.time <= entry.time for kill in kills if kill.victim != "gk-smtpd")
                if begun <= earlier.time and cut:
                    explained += 1
                else:
                    others.append((earlier, entry))
        return explained, others

    def test_nothing_acknowledged_is_lost(self):
        threads = [threading.Thread(target=self.load, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        dice, kills = random.Random(SEED), []
        try:
            gk.wait_for("a load", lambda: len(self.acknowledged) > 20, 60)
            while len(kills) < KILLS:
                self.stop.wait(dice.uniform(0.05, 0.5))
                killed = self.kill_one(dice.choice(("gk-queue", "gk-queue", "gk-smtpd", "peer")))
                if killed:
                    kills.append(killed)
                if killed and killed.victim == "peer":
                    self.stop.wait(dice.uniform(0, 0.3))
                    self.peer.start()
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
        gk.wait_for("the peer", self.peer.answers, 60)
        self.drain()

        took, last = ledger_peer.read(self.peer.path)
        arrived = {(entry.message, recipient) for entry in took for recipient in entry.recipients}
        bounced = self.bounced()
        lost = [(key, recipient) for key, recipients in self.acknowledged.items() for recipient in recipients
                if not (recipient in bounced if recipient.startswith("no.") else (key, recipient) in arrived)]
        torn = [entry for entry in took if self.sent.get(entry.message) != entry.digest]
        explained, others = self.duplicates(took, last, kills)
        hits = collections.Counter(kill.victim for kill in kills)
        again = sum(len(names) - len(set(names)) for names in bounced.values())
        several = {address: names for address, names in bounced.items() if len(set(names)) > 1}
        crash.note(f"the queue under load, seed {SEED}", len(kills), len(self.sent), len(self.acknowledged), len(lost), len(torn), explained + len(others), hits)
        print(f"    {len(took)} transactions and {sum(map(len, bounced.values()))} bounces; of the duplicates {explained} were under way when a kill cut "
              f"their connection; {again} bounces were delivered twice, {len(several)} made twice; killed: {dict(hits)}", flush=True)
        self.assertEqual(lost, [])
        self.assertEqual(torn, [])
        self.assertEqual(others, [])
        self.assertEqual([address for address in bounced if not address.startswith("no.")], [])
        self.assertEqual(several, {})
        self.assertLessEqual(again, THREADS * hits["gk-queue"])
        self.assertGreater(len(self.acknowledged), KILLS)
        self.assertEqual(set(hits), {"gk-queue", "gk-smtpd", "peer"})


if __name__ == "__main__":
    crash.main(__file__, at_least=KILLS)
