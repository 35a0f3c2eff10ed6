# SPDX-License-Identifier: MIT
# timeout: 400
"""A full disk and failing calls: a 4yz reply (IMAP: NO), nothing lost, nothing torn, and all well when the disk is."""
import contextlib
import imaplib
import os
import smtplib
import socket
import subprocess
import tempfile

from bed import case, crash, gk, ledger

FLUSHES = "fsync,fdatasync,syncfs"
RENAMES = "rename,renameat,renameat2,link,linkat"
WRITES = "write,writev,pwrite64,pwritev"
# What the kernel may answer, to which calls of a thread: each kind of call is counted for itself.
FAULTS = (f"{FLUSHES}:error=EIO", f"{FLUSHES}:error=EIO:when=1+2", f"{WRITES}:error=ENOSPC", f"{WRITES}:error=ENOSPC:when=1+3", f"{WRITES}:error=ENOSPC:when=2+3",
          "pwrite64:error=ENOSPC", "openat:error=EDQUOT", "openat:error=ENOSPC:when=1+2", f"{RENAMES}:error=EIO", f"{RENAMES}:error=ENOSPC:when=1+2",
          "close:error=EIO:when=1+2")
# Those that may hit only what is no part of the promise (index rows, the uidlist's line, the log), so that 250 is right.
HARMLESS = ("pwrite64:error=ENOSPC", f"{WRITES}:error=ENOSPC:when=2+3")


def smtp_reply(instance, message, recipient="ann@a.test", port="smtp"):
    """The code of the reply to the end of DATA, or to whatever refused before; 0 if the connection ended."""
    try:
        with smtplib.SMTP("127.0.0.1", instance.port(port), timeout=30) as smtp:
            if port == "submission":
                smtp.starttls(context=case.TLS)
                smtp.login("ann@a.test", instance.PASSWORD)
            smtp.ehlo()
            for code, _ in (smtp.mail("ann@a.test"), smtp.rcpt(recipient)):
                if code != 250:
                    return code
            return smtp.data(message)[0]
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except smtplib.SMTPServerDisconnected:
        return 0


class Lmtp:
    """A session with gk-deliver itself, where no queue stands between a failure and its reply."""

    def __init__(self, instance):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(f"{instance.root}/run/lmtp.sock")
        self.file = self.socket.makefile("rwb")
        self.reply()
        self.command("LHLO test")

    def reply(self):
        while (line := self.file.readline())[3:4] == b"-":
            pass
        return int(line[:3] or 0)

    def command(self, line):
        self.file.write(line.encode() + b"\r\n")
        self.file.flush()
        return self.reply()

    def send(self, message, recipient):
        for command in ("RSET", "MAIL FROM:<x@outside.test>", f"RCPT TO:<{recipient}>"):
            if (code := self.command(command)) != 250:
                return code
        self.file.write(f"BDAT {len(message)} LAST\r\n".encode() + message)
        self.file.flush()
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()


class Disk(crash.Case):
    def temporary_files(self):
        return [name for address in ("ann@a.test", "bob@a.test") for name in os.listdir(self.near.maildir(address) + "/tmp")] + os.listdir(f"{self.near.root}/spool/tmp")

    def refused(self, what, codes, must_refuse=True):
        print(f"    {what}: {codes}", flush=True)
        if must_refuse:
            self.assertTrue(any(400 <= code < 500 for code in codes), f"{what}: {codes}")
        self.assertTrue(all(code == 250 or 400 <= code < 500 for code in codes), f"{what}: {codes}")

    def all_is_well(self, what, faults):
        lost, duplicated, torn = self.settle()
        crash.note(what + ", failing calls", faults, len(self.ledger.sent), len(self.ledger.acknowledged), lost, len(torn), duplicated)
        self.assertEqual((lost, torn), (0, []), what)
        self.assertEqual(self.temporary_files(), [], what)
        for address in ("ann@a.test", "bob@a.test"):
            gk.run("gk-mailbox", "repair", "--account", address, "--root", self.near.root, code=None)
            gk.run("gk-mailbox", "check", "--account", address, "--root", self.near.root)
        return duplicated

    # ---- gk-deliver

    def test_gk_deliver_answers_4yz_to_every_failure_and_leaves_nothing_behind(self):
        for fault in FAULTS:
            with self.subTest(fault):
                pid = self.ready("gk-deliver")
                lmtp = Lmtp(self.near)
                self.addCleanup(lmtp.close)
                codes = []
                with crash.failing(pid, fault):
                    for message in self.maker.messages(6):
                        codes.append(lmtp.send(message, "bob@a.test"))
                        self.ledger.note(message, "bob@a.test", codes[-1] == 250)
                self.refused(f"gk-deliver, {fault}", codes, must_refuse=fault not in HARMLESS)
                message = self.maker.message()
                self.assertEqual(lmtp.send(message, "bob@a.test"), 250, f"after {fault}")
                self.ledger.note(message, "bob@a.test", True)
                if not fault.startswith("close"):  # a close that "fails" by strace is not made: the test must not count on it
                    self.assertEqual(self.temporary_files(), [], fault)
        # Refused is refused: the sender will come again, so nothing of it may be here.
        self.assertEqual(self.all_is_well("gk-deliver", len(FAULTS)), 0)
        self.assertEqual(len(self.near.files("bob@a.test")), len(self.ledger.acknowledged))

    def test_mail_that_gk_deliver_cannot_take_waits_in_the_spool(self):
        for fault in FAULTS:
            with self.subTest(fault):
                codes = []
                with crash.failing(self.ready("gk-deliver"), fault):
                    for message in self.maker.messages(4):
                        codes.append(smtp_reply(self.near, message))
                        self.ledger.note(message, "ann@a.test", codes[-1] == 250)
                self.refused(f"gk-deliver behind gk-smtpd, {fault}", codes, must_refuse=False)
        self.assertEqual(self.all_is_well("gk-deliver behind gk-smtpd", len(FAULTS)), 0)

    def test_a_4yz_when_neither_mailbox_nor_spool_takes_it(self):
        for fault in (f"{FLUSHES}:error=EIO", f"{WRITES}:error=ENOSPC", "openat:error=EDQUOT", f"{RENAMES}:error=EIO"):
            with self.subTest(fault):
                codes = []
                with crash.Tracer([self.ready("gk-deliver"), self.ready("gk-smtpd")], "-e", f"trace={fault.split(':')[0]}", "-e", f"inject={fault}"):
                    for message in self.maker.messages(3):
                        codes.append(smtp_reply(self.near, message))
                        self.ledger.note(message, "ann@a.test", codes[-1] == 250)
                self.refused(f"gk-deliver and gk-smtpd, {fault}", codes)
                self.assertNotIn(250, codes)
                gk.wait_for("a delivery afterwards", lambda: self.ledger.deliver(self.near, self.maker.message()), 10)
        self.assertEqual(self.all_is_well("gk-deliver and gk-smtpd", 4), 0)

    # ---- the spool

    def test_a_submission_is_answered_4yz_when_the_spool_fails(self):
        for fault in FAULTS:
            if "write" in fault:  # TLS writes too, and would end; test_a_4yz_when_neither_… has the spool's writes fail
                continue
            with self.subTest(fault):
                codes = []
                with crash.failing(self.ready("gk-smtpd"), fault):
                    for message in self.maker.messages(4):
                        codes.append(smtp_reply(self.near, message, "carl@b.test", "submission"))
                        self.ledger.note(message, "carl@b.test", codes[-1] == 250)
                self.refused(f"gk-smtpd, {fault}", codes)
        self.assertEqual(self.all_is_well("gk-smtpd", sum("write" not in fault for fault in FAULTS)), 0)

    def test_what_gk_queue_cannot_write_it_does_again(self):
        for fault in (*FAULTS, "unlink,unlinkat:error=EIO:when=1+2", "pread64,read:error=EIO:when=2+5"):
            with self.subTest(fault):
                with crash.failing(self.ready("gk-queue"), fault):
                    for message in self.maker.messages(2):
                        self.assertTrue(self.ledger.deliver(self.near, message, "carl@b.test", "submission"))
                    with contextlib.suppress(gk.Failed):
                        gk.wait_for("an attempt", lambda: not self.in_spool(), 1)
        self.all_is_well("gk-queue", len(FAULTS) + 2)  # sent before its outcome could be written: a duplicate, not a loss

    # ---- IMAP

    def test_imap_commands_are_answered_no_and_change_nothing_by_halves(self):
        self.sent_before = 0
        for fault in FAULTS:
            with self.subTest(fault):
                self.imap_with(fault)
        lost, duplicated, torn = self.ledger.check({box: self.near.files("ann@a.test", box) for box in ("Archive", "Drafts", "Sent")})
        crash.note("gk-imapd session, failing calls", len(FAULTS), len(self.ledger.sent), len(self.ledger.acknowledged), lost, len(torn), duplicated)
        self.assertEqual((lost, torn), (0, []))

    def imap_with(self, fault):
        for _ in range(2):
            message = self.maker.message()
            self.assertTrue(crash.append(self.near, message, mailbox="Archive"))
            self.ledger.note(message, "Archive", True)
        before = set(self.near.pids("gk-imapd"))
        imap = crash.log_in(self.near)
        said = {}
        try:
            self.assertEqual(imap.select("Archive")[0], "OK")
            pid = gk.wait_for("a session", lambda: next(iter(set(self.near.pids("gk-imapd")) - before), None), 10)
            last = imap.uid("SEARCH", "ALL")[1][0].split()[-1].decode()
            new = self.maker.message()
            with crash.failing(pid, fault), contextlib.suppress(imaplib.IMAP4.abort, OSError):
                for name, command in (("APPEND", ("append", "Archive", "", None, new)), ("COPY", ("uid", "COPY", last, "Drafts")),
                                      ("STORE", ("uid", "STORE", last, "+FLAGS", "(\\Flagged)")), ("MOVE", ("uid", "MOVE", last, "Sent"))):
                    said[name] = "ended"
                    said[name] = getattr(imap, command[0])(*command[1:])[0]
        finally:
            imap.shutdown()
        print(f"    gk-imapd session, {fault}: {said}", flush=True)
        self.ledger.note(new, "Archive", said.get("APPEND") == "OK")
        # A session whose replies cannot be written ends; all others say so.
        if not fault.startswith("write"):
            self.assertEqual(len(said), 4)
            self.assertLessEqual(set(said.values()), {"OK", "NO"}, fault)
            self.assertIn("NO", said.values(), fault)
        with crash.log_in(self.near) as imap:
            imap.select("Archive", readonly=True)
            _, rows = imap.uid("FETCH", last, "(FLAGS)")
            here = any(row and f"UID {last} ".encode() in (row if isinstance(row, bytes) else row[0]) for row in rows)
            imap.select("Sent", readonly=True)
            there = len(imap.uid("SEARCH", "ALL")[1][0].split())
        moved = said.get("MOVE") == "OK"
        self.assertTrue(here or there > self.sent_before, f"{fault}: the message is nowhere")
        if moved:
            self.assertFalse(here, fault)
            self.assertGreater(there, self.sent_before)
        if not here:  # it went to Sent: no longer owed to Archive
            self.forget_moved()
        self.sent_before = there

    def forget_moved(self):
        for path in self.near.files("ann@a.test", "Sent"):
            with open(path, "rb") as file:
                self.ledger.acknowledged.pop(ledger.message_id(file.read()), None)


class FullDisk(crash.unittest.TestCase):
    def test_a_full_disk_is_a_4yz_and_loses_nothing(self):
        folder = tempfile.mkdtemp(prefix="gk-full-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=True)
        self.addCleanup(lambda: (subprocess.run(["umount", "-l", folder], check=False), os.rmdir(folder)))
        instance = gk.Instance("mx.a.test", {"a.test": ["ann"]}, '[queue]\nretry_first = "1s"\nretry_most = "1s"\n', root=f"{folder}/gk")
        self.addCleanup(instance.stop)
        instance.start()
        known, codes = ledger.Ledger(), []
        filler = (b"0123456789" * 7 + b"\r\n") * 10_000

        def send(number, body=filler):
            message = b"Subject: big\r\nMessage-ID: <%d@full.test>\r\n\r\n%d\r\n" % (number, number) + body
            codes.append(smtp_reply(instance, message))
            known.note(message, "ann@a.test", codes[-1] == 250)
        for number in range(60):
            send(number)
            if len(codes) >= 3 and 250 not in codes[-3:]:
                break
        self.assertIn(250, codes)
        self.assertTrue(400 <= codes[-1] < 500, codes)
        self.assertTrue(all(code == 250 or 400 <= code < 500 for code in codes), codes)
        # IMAP, on the same disk: NO, and the session goes on.
        with crash.log_in(instance) as imap:
            typ, said = imap.append("INBOX", "", None, b"Subject: big\r\n\r\n" + filler * 3)
            self.assertEqual(typ, "NO", said)
            self.assertEqual(imap.select("INBOX")[0], "OK")
        self.assertEqual(os.listdir(instance.maildir("ann@a.test") + "/tmp"), [])
        # An administrator frees some: mail flows, and what was accepted into the spool arrives.
        for path in sorted(instance.files("ann@a.test"))[:5]:
            with open(path, "rb") as file:
                known.acknowledged.pop(ledger.message_id(file.read()))
            os.remove(path)
        gk.wait_for("a delivery after there is room", lambda: smtp_reply(instance, b"Subject: small\r\nMessage-ID: <small@full.test>\r\n\r\nhello\r\n") == 250, 20)
        known.note(b"Subject: small\r\nMessage-ID: <small@full.test>\r\n\r\nhello\r\n", "ann@a.test", True)
        gk.wait_for("an empty queue", lambda: not gk.run("gk-queue", "list", "--root", instance.root, code=None).strip(), 30)
        lost, duplicated, torn = known.check({"ann@a.test": instance.files("ann@a.test")})
        crash.note(f"a full disk, {codes.count(250)} accepted, then {codes[-1]}", 1, len(known.sent), len(known.acknowledged), lost, len(torn), duplicated)
        self.assertEqual((lost, torn), (0, []))


if __name__ == "__main__":
    crash.main(__file__)
