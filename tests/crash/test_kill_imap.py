# SPDX-License-Identifier: MIT
# timeout: 900
# slow: GK_CRASH_POINTS=1000
"""kill -9 of an IMAP session at each system call of APPEND, REPLACE, STORE, COPY, MOVE and EXPUNGE, and of gk-imapd's parent and gk-frontd.

What got its OK is there, whole and with its flags; what did not is there whole or not at all; no UID ever names another message.
"""
import collections
import contextlib
import imaplib
import os
import re
import shutil
import signal
import unittest

from bed import crash, gk, ledger, mail


class Killed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gk = gk.Instance("mx.a.test", {"a.test": ["ann"]}, up_options=["--restart-delay-most", "0"])
        cls.addClassCleanup(cls.clean)
        cls.gk.start()

    @classmethod
    def clean(cls):
        cls.gk.stop()
        if not cls.gk.keep:
            shutil.rmtree(cls.gk.root, ignore_errors=True)

    def setUp(self):
        self.ledger = ledger.Ledger()
        self.maker = mail.Maker(self.id())
        self.forgotten = 0
        self.hits = collections.Counter()
        self.names = {}  # {(mailbox, uidvalidity, uid): Message-ID}: what a UID has ever named

    # ---- the client

    def said_ok(self, imap, *command):
        """True if the tagged OK came; False for NO, or if the connection ended."""
        try:
            if isinstance(command[0], bytes):  # with literals that imaplib cannot say
                tag = imap._new_tag()
                imap.send(tag + b" " + command[0] + b"\r\n")
                return imap._command_complete("APPEND", tag)[0] == "OK"
            return getattr(imap, command[0])(*command[1:])[0] == "OK"
        except (imaplib.IMAP4.error, OSError):
            return False

    def look(self, mailbox):
        """{uid: (Message-ID, flags)} as a new session sees it; what a UID named before it names still."""
        with crash.log_in(self.gk) as imap:
            self.assertEqual(imap.select(f'"{mailbox}"', readonly=True)[0], "OK")
            validity = imap.response("UIDVALIDITY")[1][0]
            _, rows = imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        found = {}
        for row in rows:
            if not isinstance(row, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", row[0])[1])
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", row[0])[1].split()) - {b"\\Recent"}
            found[uid] = (ledger.message_id(row[1]), flags)
            self.assertEqual(self.names.setdefault((mailbox, validity, uid), found[uid][0]), found[uid][0], f"UID {uid} of {mailbox}")
        return found

    def ids(self, mailbox):
        return collections.Counter(name for name, _ in self.look(mailbox).values())

    def fill(self, mailbox, count):
        """COUNT new messages; their Message-IDs."""
        made = self.maker.messages(count)
        with crash.log_in(self.gk) as imap:
            for message in made:
                self.assertEqual(imap.append(mailbox, "", None, message)[0], "OK")
                self.ledger.note(message, mailbox, True)
        return [ledger.message_id(message) for message in made]

    def forget(self, names):
        """Messages that were checked one by one, and are owed no more."""
        for name in names:
            del self.ledger.acknowledged[name]
            self.forgotten += 1

    def empty(self, *mailboxes):
        with crash.log_in(self.gk) as imap:
            for mailbox in mailboxes:
                if imap.select(mailbox)[0] != "OK":
                    imap.create(mailbox)
                    continue
                imap.uid("STORE", "1:*", "+FLAGS", "(\\Deleted)")
                imap.expunge()

    # ---- the kill

    def session_pid(self, before):
        return gk.wait_for("a session", lambda: next(iter(set(self.gk.pids("gk-imapd")) - before), None), 10)

    def run_and_die(self, mailbox, commands, tracer_of):
        """Logs in, selects, and gives COMMANDS while strace holds the session's process: (said OK to all, died, tracer)."""
        before = set(self.gk.pids("gk-imapd"))
        imap = crash.log_in(self.gk)
        try:
            self.assertEqual(imap.select(mailbox)[0], "OK")
            pid = self.session_pid(before)
            with tracer_of(pid) as tracer:
                agreed = all([self.said_ok(imap, *command) for command in commands])
                with contextlib.suppress(gk.Failed):  # what it still does behind the reply
                    gk.wait_for("the end", lambda: not crash.alive(pid), 0.05)
                died = not crash.alive(pid)
        finally:
            imap.shutdown()
        return agreed, died, tracer

    def sweep(self, mailbox, prepare, verify, more=()):
        """For each system call of the commands that prepare() returns: they run, the session dies there, verify(agreed) looks."""
        commands = prepare()
        agreed, _, tracer = self.run_and_die(mailbox, commands, lambda pid: crash.counter(pid, *more))
        self.assertTrue(agreed)
        verify(agreed)
        for point in tracer.points():
            commands = prepare()
            agreed, died, _ = self.run_and_die(mailbox, commands, lambda pid, at=point: crash.killer(pid, at, *more))
            verify(agreed)
            self.hits[point[0]] += died

    def settle_and_check(self, what, boxes):
        """Every file is a whole message, and every mailbox has what its OKs promised."""
        lost, duplicated, torn = self.ledger.check({box: self.gk.files("ann@a.test", box) for box in boxes})
        crash.note(what, self.hits.total(), len(self.ledger.sent), len(self.ledger.acknowledged) + self.forgotten, lost, len(torn), duplicated, self.hits)
        self.assertEqual((lost, torn), (0, []), what)
        gk.run("gk-mailbox", "repair", "--account", "ann@a.test", "--root", self.gk.root, code=None)
        gk.run("gk-mailbox", "check", "--account", "ann@a.test", "--root", self.gk.root)

    # ---- the commands

    def test_a_session_killed_at_each_call_of_append(self):
        self.empty("Archive")

        def prepare():
            self.message = self.maker.message()
            return [("append", "Archive", "(\\Flagged)", None, self.message)]

        def verify(agreed):
            self.ledger.note(self.message, "Archive", agreed)
            found = [flags for name, flags in self.look("Archive").values() if name == ledger.message_id(self.message)]
            self.assertEqual(found, [{b"\\Flagged"}] * len(found))
            self.assertGreaterEqual(len(found), agreed)
        self.sweep("INBOX", prepare, verify)
        self.settle_and_check("gk-imapd session, APPEND", ["Archive"])
        self.assertGreater(self.hits.total(), 15)

    def literal(self, message):
        message = re.sub(rb"\r?\n", b"\r\n", message)
        return b"{%d+}\r\n%s" % (len(message), message)

    def test_a_session_killed_at_each_call_of_an_append_of_several(self):
        self.empty("Archive")

        def prepare():
            self.made = self.maker.messages(3)
            return [(b"APPEND Archive" + b"".join(b" (\\Flagged) " + self.literal(message) for message in self.made),)]

        def verify(agreed):
            for message in self.made:
                self.ledger.note(message, "Archive", agreed)
            found = self.ids("Archive")
            counts = {found[ledger.message_id(message)] for message in self.made}
            self.assertIn(counts, [{1}] if agreed else [{0}, {1}], "all or none")
        self.sweep("INBOX", prepare, verify)
        self.settle_and_check("gk-imapd session, APPEND of 3 together", ["Archive"])
        self.assertGreater(self.hits.total(), 15)

    def replace(self, target):
        def prepare():
            self.empty("Archive", "Trash")
            self.old = self.fill("Archive", 1)[0]
            self.forget([self.old])
            message = self.maker.message()
            self.ledger.note(message, target, False)
            self.new = ledger.message_id(message)
            return [(b"REPLACE 1 " + target.encode() + b" " + self.literal(message),)]

        def verify(agreed):
            new, old = self.ids(target)[self.new], self.ids("Archive")[self.old]
            self.assertIn((new, old), [(1, 0)] if agreed else [(0, 1), (1, 0)], "replaced or not")
        self.sweep("Archive", prepare, verify)
        self.settle_and_check(f"gk-imapd session, REPLACE into {target}", ["Archive", "Trash"])
        self.assertGreater(self.hits.total(), 15)

    def test_a_session_killed_at_each_call_of_replace(self):
        self.replace("Archive")

    def test_a_session_killed_at_each_call_of_replace_into_another_mailbox(self):
        self.replace("Trash")

    def test_a_session_killed_at_each_call_of_store(self):
        self.empty("Archive")
        self.fill("Archive", 4)
        self.on = False

        def prepare():
            self.on = not self.on
            with crash.log_in(self.gk) as imap:  # all alike, so that each is renamed
                imap.select("Archive")
                self.assertEqual(imap.uid("STORE", "1:*", "-FLAGS" if self.on else "+FLAGS", "(\\Seen \\Flagged Errand)")[0], "OK")
            self.before = {uid: flags for uid, (_, flags) in self.look("Archive").items()}
            return [("store", "1:*", "+FLAGS" if self.on else "-FLAGS", "(\\Seen \\Flagged Errand)")]

        def verify(agreed):
            wanted = {b"\\Seen", b"\\Flagged", b"Errand"}
            for uid, (_, flags) in self.look("Archive").items():
                new = self.before[uid] | wanted if self.on else self.before[uid] - wanted
                self.assertIn(flags, [new] if agreed else [new, self.before[uid]], f"UID {uid}")
            self.assertEqual(len(self.look("Archive")), 4)
        self.sweep("Archive", prepare, verify)
        self.settle_and_check("gk-imapd session, STORE of 4", ["Archive"])
        self.assertGreater(self.hits.total(), 15)

    def copy(self, what, more=()):
        self.empty("Archive", "Trash")
        ids = self.fill("Archive", 3)

        def prepare():
            self.before = self.ids("Trash")
            return [("copy", "1:*", "Trash")]

        def verify(agreed):
            self.assertEqual(self.ids("Archive"), collections.Counter(ids))
            for name in ids:
                self.assertIn(self.ids("Trash")[name] - self.before[name], [1] if agreed else [0, 1])
            boxes = {box: self.gk.files("ann@a.test", box) for box in ("Archive", "Trash")}
            self.assertEqual(self.ledger.check(boxes)[2], [], "a copy in part")
            self.empty("Trash")
        self.sweep("Archive", prepare, verify, more)
        self.settle_and_check(what, ["Archive", "Trash"])
        self.assertGreater(self.hits.total(), 15)

    def test_a_session_killed_at_each_call_of_copy(self):
        self.copy("gk-imapd session, COPY of 3")

    def test_a_session_killed_at_each_call_of_copy_where_files_cannot_be_linked(self):
        self.copy("gk-imapd session, COPY of 3 without links", ["-e", "inject=link,linkat:error=EMLINK"])

    def test_a_session_killed_at_each_call_of_move(self):
        self.empty("Archive", "Trash")

        def prepare():
            self.empty("Archive", "Trash")
            self.moving = self.fill("Archive", 3)
            return [("uid", "MOVE", "1:*", "Trash")]

        def verify(agreed):
            source, target = self.ids("Archive"), self.ids("Trash")
            for name in self.moving:
                self.assertEqual((source[name], target[name]) if agreed else source[name] + target[name], (0, 1) if agreed else 1, "moved once")
            self.forget(self.moving)  # the next point begins with empty mailboxes
        self.sweep("Archive", prepare, verify)
        self.settle_and_check("gk-imapd session, MOVE of 3", ["Archive", "Trash"])
        self.assertGreater(self.hits.total(), 15)

    def mailboxes(self, pattern):
        with crash.log_in(self.gk) as imap:
            rows = imap.list('""', pattern)[1]
        return sorted(row.rsplit(b'"', 2)[1].decode() for row in rows if row and b"Noselect" not in row)

    def test_a_session_killed_at_each_call_of_create_and_rename_and_delete(self):
        leaves = ["a", "b", "c"]
        with crash.log_in(self.gk) as imap:
            for leaf in leaves:
                self.assertEqual(imap.create(f"Tree/{leaf}")[0], "OK")
        kept = {leaf: self.fill(f"Tree/{leaf}", 1) for leaf in leaves}

        def prepare():
            with crash.log_in(self.gk) as imap:  # what an earlier kill left in part
                for name in self.mailboxes("Wood*"):
                    self.assertEqual(imap.rename(name, name.replace("Wood", "Tree"))[0], "OK")
                for name in self.mailboxes("Tree/new*"):
                    self.assertEqual(imap.delete(name)[0], "OK")
            self.assertEqual(self.mailboxes("Tree*"), [f"Tree/{leaf}" for leaf in leaves])
            return [("create", "Tree/new"), ("rename", "Tree", "Wood"), ("delete", "Wood/new")]

        def verify(agreed):
            there = [name for name in self.mailboxes("Tree*") + self.mailboxes("Wood*") if not name.endswith("/new")]
            self.assertEqual(sorted(name[5:] for name in there), leaves, "each is there once")
            if agreed:
                self.assertEqual(self.mailboxes("Wood*") + self.mailboxes("Tree*"), [f"Wood/{leaf}" for leaf in leaves])
            for name in there:
                self.assertEqual(self.ids(name), collections.Counter(kept[name[5:]]))
        self.sweep("INBOX", prepare, verify)
        for name in self.mailboxes("Wood*"):
            with crash.log_in(self.gk) as imap:
                imap.rename(name, name.replace("Wood", "Tree"))
        self.settle_and_check("gk-imapd session, CREATE, RENAME and DELETE", [f"Tree/{leaf}" for leaf in leaves])
        self.assertGreater(self.hits.total(), 15)

    def annotation(self, mailbox):
        with crash.log_in(self.gk) as imap:
            self.assertEqual(imap.xatom("GETMETADATA", mailbox, "/private/comment")[0], "OK")
            return imap.response("METADATA")[1][0]

    def test_a_session_killed_at_each_call_of_setmetadata(self):
        self.empty("Archive")
        self.value = 0

        def prepare():
            self.before = self.annotation("Archive")
            self.value += 1
            return [("xatom", "SETMETADATA", "Archive", f'(/private/comment "value {self.value}")')]

        def verify(agreed):
            new = f'"Archive" ("/private/comment" "value {self.value}")'.encode()
            self.assertIn(self.annotation("Archive"), [new] if agreed else [new, self.before])
        self.sweep("INBOX", prepare, verify)
        self.settle_and_check("gk-imapd session, SETMETADATA", ["Archive"])
        self.assertGreater(self.hits.total(), 5)

    def test_a_session_killed_at_each_call_of_expunge(self):
        self.empty("Archive")
        kept = self.fill("Archive", 2)
        self.going = []

        def prepare():
            self.going = self.fill("Archive", 2)
            with crash.log_in(self.gk) as imap:
                imap.select("Archive")
                self.assertEqual(imap.store("3:*", "+FLAGS", "(\\Deleted)")[0], "OK")
            return [("expunge",)]

        def verify(agreed):
            found = self.ids("Archive")
            self.assertEqual([found[name] for name in kept], [1, 1])
            for name in self.going:
                self.assertIn(found[name], [0] if agreed else [0, 1])
            self.forget(self.going)
        self.sweep("Archive", prepare, verify)
        self.settle_and_check("gk-imapd session, EXPUNGE of 2", ["Archive"])
        self.assertGreater(self.hits.total(), 10)

    # ---- those around the session

    def around(self, program):
        """gk-frontd or gk-imapd's parent dies at each of its calls of a login with an APPEND."""
        self.empty("Archive")

        def ready(but=()):
            def serving():
                return next((row["pid"] for row in self.gk.status() if row.get("name") == program and row.get("state") == "ready" and row["pid"] not in but), None)
            return gk.wait_for(program, serving, 20)

        def act():
            message = self.maker.message()
            self.ledger.note(message, "Archive", crash.append(self.gk, message, mailbox="Archive"))

        def restart(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return ready(but=[pid])

        pid = restart(ready())
        with crash.counter(pid, follow=False) as tracer:
            act()
        for point in tracer.points():
            with crash.killer(pid, point, follow=False):
                act()
                died = not crash.alive(pid)
            self.hits[point[0]] += died
            pid = restart(pid)
        act()
        self.assertTrue(self.ledger.acknowledged)
        self.settle_and_check(f"{program}, login and APPEND", ["Archive"])
        self.assertGreater(self.hits.total(), 3)

    def test_the_parent_of_sessions_killed_at_each_call_of_a_login(self):
        self.around("gk-imapd")

    def test_gk_frontd_killed_at_each_call_of_a_login_and_append(self):
        self.around("gk-frontd")


if __name__ == "__main__":
    crash.main(__file__, at_least=120)
