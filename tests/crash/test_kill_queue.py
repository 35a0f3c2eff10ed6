# SPDX-License-Identifier: MIT
# timeout: 900
# slow: GK_CRASH_POINTS=1000
"""kill -9 at the system calls of what writes beside the messages: the suppression list, draining, what was sent, reports that
come back, and the programs that drop messages into the spool, with and without a daemon. Nothing acknowledged is lost, nothing
is in part, and no DSN is made twice.
"""
import collections
import json
import os
import re
import smtplib
import subprocess
import tempfile
import time

from bed import crash, gk, ledger

SENDER = "ann@a.test"


def report(number, message_id):
    """A DSN about MESSAGE_ID as another server would send it."""
    return (f"From: MAILER-DAEMON@mx.far.test\r\nTo: {SENDER}\r\nSubject: failure\r\nMessage-ID: <report{number}@far.test>\r\n"
            f"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nIt failed.\r\n--b\r\n"
            f"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.far.test\r\n\r\n"
            f"Final-Recipient: rfc822; carl@b.test\r\nAction: failed\r\nStatus: 5.2.2\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
            f"Message-ID: {message_id}\r\n\r\n--b--\r\n").encode()


class Written(crash.Case):
    QUEUE = 'bulk_senders = ["ann@a.test"]\n'

    def tool(self, *words, **more):
        return gk.run("gk-queue", *words, "--root", self.near.root, **more)

    def command(self, words, stdin, *options):
        """Runs a program of gk under strace with OPTIONS; (exit code, strace's log)."""
        with tempfile.TemporaryDirectory(prefix="gk-strace-") as folder:
            done = subprocess.run(["strace", "-f", "-o", f"{folder}/log", *options, f"{gk.BIN}/{words[0]}", *words[1:]], input=stdin,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False, env={**os.environ, "GK_ROOT": self.near.root})
            with open(f"{folder}/log", encoding="utf-8", errors="replace") as file:
                return done.returncode, file.read().splitlines()

    def sweep_command(self, what, words, stdin, judge):
        """Kills the command WORDS() at each of its calls; JUDGE(input, done) sees what each run did."""
        hits = collections.Counter()
        text = stdin()
        code, log = self.command(words(), text, "-e", f"trace={crash.CALLS}")
        self.assertEqual(code, 0)
        judge(text, True)
        counted = crash.Tracer([])
        counted.log = log
        for call, number in counted.points():
            text = stdin()
            code, log = self.command(words(), text, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
            hits[call] += code != 0
            judge(text, code == 0)
        self.assertGreater(hits.total(), 20, what)
        return hits

    def sweep_daemon(self, program, act, at_least=10):
        """Kills PROGRAM at each call that ACT(pid) makes it do, of which AT_LEAST are deaths."""
        hits = collections.Counter()
        pid = self.restart(program, self.ready(program))
        with crash.counter(pid) as tracer:
            act(pid)
        for point in tracer.points():
            with crash.killer(pid, point):
                act(pid)
                hits[point[0]] += not crash.alive(pid)
            pid = self.restart(program, pid)
        act(pid)
        self.assertGreaterEqual(hits.total(), at_least, program)
        return hits

    def settled(self, what, hits):
        lost, duplicated, torn = self.settle()
        crash.note(what, hits.total(), len(self.ledger.sent), len(self.ledger.acknowledged), lost, len(torn), duplicated, hits)
        self.assertEqual((lost, torn), (0, []), what)
        self.assertEqual(os.listdir(f"{self.near.root}/spool/dsn"), [])

    def settle(self):
        """As crash.Case, but reports of ours are no mail that we sent."""
        gk.wait_for("an empty queue", lambda: not self.in_spool(), 60)
        boxes = self.boxes()
        boxes[SENDER] = [path for path in boxes[SENDER] if b"\nReporting-MTA: dns; mx.a.test" not in gk.contents(path)]
        return self.ledger.check(boxes)

    def work(self, pid):
        """Until the queue is empty, or PID is dead."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and crash.alive(pid) and self.in_spool():
            time.sleep(0.01)

    def drop(self, words):
        """A program that drops messages for carl, killed at each call while no daemon runs."""
        self.near.stop()
        try:
            hits = self.sweep_command(words[0], lambda: words, self.maker.message,
                                      lambda text, done: self.ledger.note(text.replace(b"\n", b"\r\n") if b"\r\n" not in text else text, "carl@b.test", done))
        finally:
            self.near.start()
        self.settled(f"{words[0]} without a daemon", hits)

    def test_gk_sendmail_dropping_into_the_spool(self):
        self.drop(["gk-sendmail", "-i", "-f", SENDER, "carl@b.test"])

    def test_gk_queue_send_dropping_into_the_spool(self):
        self.drop(["gk-queue", "send", "--from", SENDER, "--to", "carl@b.test"])

    def test_gk_smtpd_taking_what_gk_sendmail_hands_over(self):
        def act(_):
            text = self.maker.message()
            done = subprocess.run([f"{gk.BIN}/gk-sendmail", "-i", "-f", SENDER, "bob@a.test"], input=text, env={**os.environ, "GK_ROOT": self.near.root},
                                  capture_output=True, timeout=60, check=False)
            self.ledger.note(text, "bob@a.test", done.returncode == 0)
        hits = self.sweep_daemon("gk-smtpd", act)
        self.settled("gk-smtpd, mail of gk-sendmail", hits)

    def test_gk_queue_writing_what_was_sent(self):
        def act(pid):
            self.ledger.deliver(self.near, self.maker.message(), "carl@b.test", "submission", timeout=10)
            self.work(pid)
        hits = self.sweep_daemon("gk-queue", act)
        self.settled("gk-queue, what was sent", hits)
        # A loss costs knowledge, and no more; the file can be read.
        self.tool("bounces")

    def test_gk_queue_told_of_reports(self):
        about, count = self.maker.message(), 0
        self.assertTrue(self.ledger.deliver(self.near, about, "carl@b.test", "submission"))
        gk.wait_for("an empty queue", lambda: not self.in_spool(), 60)

        def act(pid):
            nonlocal count
            count += 1
            told = len(self.near.events("queue.bounce_received"))
            message, taken = report(count, ledger.message_id(about).decode()), False
            with smtplib.SMTP("127.0.0.1", self.near.port("smtp"), timeout=10) as smtp:
                taken = smtp.ehlo("mx.far.test")[0] == smtp.mail("")[0] == smtp.rcpt(SENDER)[0] == smtp.data(message)[0] == 250
            self.ledger.note(message, SENDER, taken)
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline and crash.alive(pid) and len(self.near.events("queue.bounce_received")) == told:
                time.sleep(0.01)
        hits = self.sweep_daemon("gk-queue", act, 4)
        self.settled("gk-queue, reports that come back", hits)

    def test_gk_queue_suppressing_and_bouncing(self):
        """A bulk sender's mail to nobody: one DSN each, whatever was killed between the failure, the list and the DSN."""
        count, accepted = 0, {}

        def act(pid):
            nonlocal count
            count += 1
            recipient = f"nobody{count}@b.test"
            if ledger.Ledger().deliver(self.near, self.maker.message(), recipient, "submission", timeout=10):
                accepted[recipient] = count
            self.work(pid)
        hits = self.sweep_daemon("gk-queue", act)
        gk.wait_for("an empty queue", lambda: not self.in_spool(), 60)
        found = collections.defaultdict(list)
        for path in self.near.files(SENDER):
            text = gk.contents(path)
            for recipient in re.findall(rb"(?m)^Final-Recipient: rfc822; *(\S+)", text):
                found[recipient.decode()].append(ledger.message_id(text))
        lost = [recipient for recipient in accepted if recipient not in found]
        twice = sum(len(names) - len(set(names)) for names in found.values())
        crash.note("gk-queue, a bulk sender's failures", hits.total(), count, len(accepted), len(lost), 0, twice, hits)
        self.assertEqual(lost, [])
        self.assertEqual({recipient: names for recipient, names in found.items() if len(set(names)) > 1}, {})
        self.assertEqual(os.listdir(f"{self.near.root}/spool/dsn"), [])
        listed = self.tool("suppress", "list")
        # The last was killed by nobody.
        self.assertIn(f"nobody{count}@b.test", listed)

    def test_gk_queue_suppress(self):
        done_for, number = [], 0

        def words():
            nonlocal number
            number += 1
            return ["gk-queue", "suppress", "add", f"s{number}@b.test", "--account", SENDER]

        def judge(_, done):
            if done:
                done_for.append(f"s{number}@b.test")
        hits = self.sweep_command("suppress", words, lambda: b"", judge)
        listed = self.tool("suppress", "list")
        lost = [address for address in done_for if f"\t{address}\t" not in listed]
        crash.note("gk-queue suppress", hits.total(), number, len(done_for), len(lost), 0, 0, hits)
        self.assertEqual(lost, [])

    def drained(self):
        rows = [json.loads(line) for line in self.tool("drain", "--json", "--domain", "last.test").splitlines()]
        return rows[0]["drained"]

    def check_drained(self, what, hits, done_for, number):
        drained = self.drained()
        self.tool("drain", "--off")
        lost = [domain for domain in done_for if domain not in drained]
        crash.note(what, hits.total(), number, len(done_for), len(lost), 0, 0, hits)
        self.assertEqual(lost, [])
        self.assertEqual([domain for domain in drained if not re.fullmatch(r"d\d+\.test|last\.test", domain)], [])
        self.assertTrue(self.ledger.deliver(self.near, self.maker.message(), "carl@b.test", "submission"))
        self.settled(f"{what}, mail afterwards", collections.Counter())

    def test_gk_queue_drain_without_a_daemon(self):
        done_for, number = [], 0

        def words():
            nonlocal number
            number += 1
            return ["gk-queue", "drain", "--domain", f"d{number}.test"]

        def judge(_, done):
            if done:
                done_for.append(f"d{number}.test")
        self.near.stop()
        try:
            hits = self.sweep_command("drain", words, lambda: b"", judge)
        finally:
            self.near.start()
        self.check_drained("gk-queue drain, on the files", hits, done_for, number)

    def test_gk_queue_drain_by_the_daemon(self):
        done_for, number = [], 0

        def act(_):
            nonlocal number
            number += 1
            done = subprocess.run([f"{gk.BIN}/gk-queue", "drain", "--domain", f"d{number}.test", "--root", self.near.root], capture_output=True,
                                  timeout=60, check=False)
            if done.returncode == 0:
                done_for.append(f"d{number}.test")
        hits = self.sweep_daemon("gk-queue", act)
        self.check_drained("gk-queue drain, by the daemon", hits, done_for, number)


if __name__ == "__main__":
    crash.main(__file__, at_least=150)
