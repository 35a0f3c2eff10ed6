# SPDX-License-Identifier: MIT
"""The power fails at any moment: what was acknowledged is on disk, by the order in which gk flushes and names.

strace writes down every call of all programs; bed/powercut.py replays them on a disk that keeps only what was flushed, and
looks after each call whether every acknowledged message would be there.
"""
import threading

from bed import crash, mail, powercut


class PowerCut(crash.Case):
    def record(self, work):
        """The log of all programs of both instances while WORK runs and until the queue is empty."""
        pids = [pid for instance in (self.near, self.far) for program in ("gk-smtpd", "gk-deliver", "gk-queue", "gk-imapd") for pid in instance.pids(program)]
        with crash.Tracer(pids, *powercut.OPTIONS) as tracer:
            work()
            self.assertEqual(self.settle()[::2], (0, []))
        return tracer.lines()

    def replay(self, lines, messages):
        disk = powercut.Disk()
        faults = disk.replay(lines)
        print(f"    {len(disk.promised)} acknowledged, {disk.placed} names given, {disk.flushes} flushes, {len(lines)} calls, {len(faults)} faults", flush=True)
        self.assertEqual(faults[:3], [])
        self.assertGreaterEqual(len(disk.promised), messages)
        return disk

    def deliver(self, count, recipient, port, maker=None):
        for message in (maker or self.maker).messages(count):
            self.assertTrue(self.ledger.deliver(self.near, message, recipient, port))

    def test_one_message_after_another_into_a_mailbox_and_into_the_queue(self):
        def work():
            self.deliver(4, "ann@a.test", "smtp")
            self.deliver(3, "carl@b.test", "submission")
            self.deliver(2, "bob@a.test", "submission")
        lines = self.record(work)
        self.replay(lines, 9)

        # That the replay can see at all: without the flushes of files, or of directories, it finds each message lost.
        for left_out in ("/tmp/", "/new>", "/spool/new>"):
            without = [line for line in lines if not ("fsync(" in line and left_out in line)]
            self.assertLess(len(without), len(lines))
            self.assertTrue(powercut.Disk().replay(without), f"nothing missed without the flushes of {left_out}")

    def test_many_at_once_share_their_flushes(self):
        def work():
            def send(number):
                # Several for each mailbox: group flushes and shared directories.
                self.deliver(8, ("ann@a.test", "bob@a.test")[number % 2], "smtp", mail.Maker(f"{self.id()}{number}"))
            threads = [threading.Thread(target=send, args=(number,)) for number in range(10)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.replay(self.record(work), 80)

    def test_imap_says_ok_when_the_names_are_on_disk(self):
        def work():
            with crash.log_in(self.near) as imap:
                for message in self.maker.messages(3):
                    self.assertEqual(imap.append("Archive", "(\\Seen)", None, message)[0], "OK")
                self.assertEqual(imap.select("Archive")[0], "OK")
                for command in (("COPY", "1:*", "Trash"), ("STORE", "1:*", "+FLAGS", "(\\Flagged)"), ("MOVE", "1:2", "Drafts")):
                    self.assertEqual(imap.uid(*command)[0], "OK")
        disk = self.replay(self.record(work), 3)
        self.assertGreaterEqual(disk.placed, 3 + 3 + 3 + 2)


if __name__ == "__main__":
    crash.main(__file__)
