# SPDX-License-Identifier: MIT
# timeout: 900
"""mbsync in both directions with 10,000 messages: equal byte for byte, then changes on each side, then an index deleted.

Prints what the syncs took."""
import collections
import hashlib
import os
import re
import sys
import threading
import time
import unittest

from bed import case, gk, mail

TUID = re.compile(rb"^X-TUID: [^\n]*\n", re.M)
COUNT = int(os.environ.get("GK_MBSYNC_COUNT", "10000"))


def digest(message):
    """A hash over a message as a Maildir has it, but for the line by which mbsync knows again what it copied."""
    return hashlib.sha256(TUID.sub(b"", message.replace(b"\r\n", b"\n"), 1)).hexdigest()


class TwoWaySync(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Half of them lie there, half here: the first sync takes 5,000 each way.
        messages = mail.some(COUNT, seed=41)
        there, here = messages[:COUNT // 2], messages[COUNT // 2:]

        def send(part):
            with cls.smtp(cls) as smtp:
                for message in part:
                    smtp.sendmail("sender@outside.test", ["ann@a.test"], message)

        threads = [threading.Thread(target=send, args=(there[k::8],)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cls.local = f"{cls.folder}/local"
        for part in ("tmp", "new", "cur"):
            os.makedirs(f"{cls.local}/INBOX/{part}")
        for number, message in enumerate(here):
            name = f"new/1600000000.{number}.here" if number % 3 else f"cur/1600000000.{number}.here:2,FS"
            with open(f"{cls.local}/INBOX/{name}", "wb") as file:
                file.write(message.replace(b"\r\n", b"\n"))
        with open(f"{cls.folder}/password", "w", encoding="utf-8") as file:
            file.write(cls.gk.PASSWORD)
        cls.config = f"{cls.folder}/mbsyncrc"
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write(f"""FSync no

IMAPStore far
Host localhost
Port {cls.gk.port('imaps')}
User ann@a.test
PassCmd "cat {cls.folder}/password"
SSLType IMAPS
CertificateFile {cls.gk.root}/keys/tls/default.crt

MaildirStore near
Path {cls.local}/
Inbox {cls.local}/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState {cls.local}/state-
""")

    def sync(self):
        began = time.monotonic()
        said = self.call("mbsync", "-V", "-c", self.config, "-a", timeout=600).decode(errors="replace")
        print(f"mbsync took {time.monotonic() - began:.1f} s", file=sys.stderr)
        return said

    def near(self, box="INBOX"):
        """(hash, flags) of every local message."""
        found = []
        for part in ("new", "cur"):
            for name in os.listdir(f"{self.local}/{box}/{part}"):
                with open(f"{self.local}/{box}/{part}/{name}", "rb") as file:
                    flags = name.split(":2,")[1] if ":2," in name else ""
                    found.append((digest(file.read()), "".join(sorted(flags))))
        return sorted(found)

    def far(self, box="INBOX"):
        letters = {b"\\Seen": "S", b"\\Answered": "R", b"\\Flagged": "F", b"\\Deleted": "T", b"\\Draft": "D"}
        found = []
        with self.imap() as imap:
            imap.select(box, readonly=True)
            rows = imap.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]
            for row in rows:
                if isinstance(row, tuple):
                    flags = "".join(sorted(letter for name, letter in letters.items() if name in row[0]))
                    found.append((digest(row[1]), flags))
        return sorted(found)

    def same(self, box="INBOX"):
        """Both sides hold the same messages with the same flags. (Of two long lists assertEqual would take minutes to tell.)"""
        near, far = collections.Counter(self.near(box)), collections.Counter(self.far(box))
        self.assertEqual((sorted(near - far)[:5], sorted(far - near)[:5]), ([], []))

    def test_1_everything_comes_over_byte_for_byte(self):
        self.sync()
        self.assertEqual(len(self.near()), COUNT)
        self.same()

    def test_2_changes_on_both_sides_meet(self):
        with self.imap() as imap:
            imap.select("INBOX")
            imap.store("1:50", "+FLAGS", "(\\Seen)")
            imap.store("60:70", "+FLAGS", "(\\Deleted)")
            imap.expunge()
            imap.append("INBOX", "(\\Flagged)", None, mail.Maker(42).message())
            imap.copy("100:110", "Archive")
        folder = f"{self.local}/INBOX"
        paths = sorted(f"{part}/{name}" for part in ("cur", "new") for name in os.listdir(f"{folder}/{part}"))
        for path in paths[200:230]:
            base, _, flags = os.path.basename(path).partition(":2,")
            os.rename(f"{folder}/{path}", f"{folder}/cur/{base}:2,{''.join(sorted(set(flags + 'RS')))}")
        for path in paths[300:310]:
            os.remove(f"{folder}/{path}")
        with open(f"{folder}/new/1700000000.made.here", "wb") as file:
            file.write(mail.Maker(43).message().replace(b"\r\n", b"\n"))
        self.sync()
        self.assertEqual(len(self.near()), COUNT - 11 - 10 + 2)
        self.same()
        self.same("Archive")

    def test_3_nothing_is_left_to_do(self):
        before = self.near()
        self.sync()
        self.assertTrue(self.near() == before)
        self.same()

    def test_4_an_index_rebuilt_gives_mbsync_nothing_to_do(self):
        before = self.near()
        state = sorted((name, gk.contents(f"{self.local}/{name}")) for name in os.listdir(self.local) if name.startswith("state-"))
        self.gk.stop()
        removed = 0
        for name in os.listdir(self.gk.home("ann@a.test")):
            if name.startswith("index.db"):
                os.remove(f"{self.gk.home('ann@a.test')}/{name}")
                removed += 1
        self.assertGreater(removed, 0)
        self.gk.start()
        said = self.sync()
        self.assertTrue(self.near() == before)
        self.assertEqual(sorted((name, gk.contents(f"{self.local}/{name}")) for name in os.listdir(self.local) if name.startswith("state-")), state, said[-2000:])


if __name__ == "__main__":
    unittest.main()
