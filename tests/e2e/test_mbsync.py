# SPDX-License-Identifier: MIT
# timeout: 900
"""mbsync in both directions with 10,000 messages: equal byte for byte, then changes on each side, then an index deleted."""
import hashlib
import os
import threading
import unittest

from bed import case, gk, mail

COUNT = int(os.environ.get("GK_MBSYNC_COUNT", "10000"))


class TwoWaySync(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        messages = mail.some(COUNT, seed=41)

        def send(part):
            with cls.smtp(cls) as smtp:
                for message in part:
                    smtp.sendmail("sender@outside.test", ["ann@a.test"], message)

        threads = [threading.Thread(target=send, args=(messages[k::8],)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cls.local = f"{cls.folder}/local"
        os.makedirs(cls.local)
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
        return self.call("mbsync", "-V", "-c", self.config, "-a", timeout=600).decode(errors="replace")

    def near(self, box="INBOX"):
        """(hash, flags) of every local message."""
        found = []
        for part in ("new", "cur"):
            for name in os.listdir(f"{self.local}/{box}/{part}"):
                with open(f"{self.local}/{box}/{part}/{name}", "rb") as file:
                    flags = name.split(":2,")[1] if ":2," in name else ""
                    found.append((hashlib.sha256(file.read()).hexdigest(), "".join(sorted(flags))))
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
                    found.append((hashlib.sha256(row[1].replace(b"\r\n", b"\n")).hexdigest(), flags))
        return sorted(found)

    def test_1_everything_comes_over_byte_for_byte(self):
        self.sync()
        self.assertEqual(len(self.near()), COUNT)
        self.assertEqual(self.near(), self.far())

    def test_2_changes_on_both_sides_meet(self):
        with self.imap() as imap:
            imap.select("INBOX")
            imap.store("1:50", "+FLAGS", "(\\Seen)")
            imap.store("60:70", "+FLAGS", "(\\Deleted)")
            imap.expunge()
            imap.append("INBOX", "(\\Flagged)", None, mail.Maker(42).message())
            imap.copy("100:110", "Archive")
        folder = f"{self.local}/INBOX"
        names = sorted(os.listdir(f"{folder}/cur")) or sorted(os.listdir(f"{folder}/new"))
        part = "cur" if os.listdir(f"{folder}/cur") else "new"
        for name in names[200:230]:
            base, _, flags = name.partition(":2,")
            os.rename(f"{folder}/{part}/{name}", f"{folder}/cur/{base}:2,{''.join(sorted(set(flags + 'RS')))}")
        for name in names[300:310]:
            os.remove(f"{folder}/{part}/{name}")
        with open(f"{folder}/new/1700000000.made.here", "wb") as file:
            file.write(mail.Maker(43).message().replace(b"\r\n", b"\n"))
        self.sync()
        self.assertEqual(len(self.near()), COUNT - 11 - 10 + 2)
        self.assertEqual(self.near(), self.far())
        self.assertEqual(self.near("Archive"), self.far("Archive"))

    def test_3_nothing_is_left_to_do(self):
        before = self.near()
        self.sync()
        self.assertEqual(self.near(), before)
        self.assertEqual(self.near(), self.far())

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
        self.assertEqual(self.near(), before)
        self.assertEqual(sorted((name, gk.contents(f"{self.local}/{name}")) for name in os.listdir(self.local) if name.startswith("state-")), state, said[-2000:])


if __name__ == "__main__":
    unittest.main()
