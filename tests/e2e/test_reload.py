# SPDX-License-Identifier: MIT
"""gk-config set writes another gk.toml; every daemon, confined as it is, reads it at SIGHUP, and keeps what it has if it is broken."""
import os
import signal
import socket
import unittest

from bed import case, gk

DAEMONS = ("gk-authd", "gk-deliver", "gk-dkim", "gk-frontd", "gk-imapd", "gk-queue", "gk-smtpd")


class Reload(case.Case):
    def counts(self, event):
        return {name: sum(1 for e in self.gk.events(event) if e["program"] == name) for name in DAEMONS}

    def reload(self, event):
        """SIGHUP to gk-up, which passes it on; waits until every daemon has answered with EVENT once more."""
        before = self.counts(event)
        os.kill(self.gk.up.pid, signal.SIGHUP)
        self.wait(f"{event} of every daemon", lambda: all(count > before[name] for name, count in self.counts(event).items()))

    def set(self, key, value):
        gk.run("gk-config", "set", key, value, "--root", self.gk.root)

    def test_every_daemon_reads_a_gk_toml_that_was_replaced(self):
        failed = len(self.gk.events("daemon.reload_failed"))
        pids = {name: self.gk.pids(name) for name in DAEMONS}
        # Held open, so that its inode is not given to the new one.
        with open(f"{self.gk.root}/gk.toml", "rb") as replaced, self.smtp() as old:
            self.assertIn("SIZE 52428800", old.ehlo()[1].decode())
            self.set("smtp.max_size", "7MB")
            self.set("delivery.subaddress_mailbox", "never")
            self.assertNotEqual(os.stat(f"{self.gk.root}/gk.toml").st_ino, os.fstat(replaced.fileno()).st_ino, "gk-config no longer replaces gk.toml: this test proves nothing")
            self.reload("daemon.reloaded")
            self.assertEqual(old.noop()[0], 250)
        with self.smtp() as new:
            self.assertIn("SIZE 7340032", new.ehlo()[1].decode())
        self.assertEqual({name: self.gk.pids(name) for name in DAEMONS}, pids)
        self.assertEqual(self.gk.events("daemon.reload_failed")[failed:], [])

    def test_gk_deliver_works_by_the_new_settings(self):
        with self.imap() as imap:
            imap.create("lists")
        self.set("delivery.subaddress_mailbox", "existing")
        self.reload("daemon.reloaded")
        self.deliver(b"Subject: one\r\n\r\nhello\r\n", ["ann+lists@a.test"])
        self.assertEqual(len(self.gk.files("ann@a.test", "lists")), 1)
        self.set("delivery.subaddress_mailbox", "never")
        self.reload("daemon.reloaded")
        self.deliver(b"Subject: two\r\n\r\nhello\r\n", ["ann+lists@a.test"])
        self.assertEqual(len(self.gk.files("ann@a.test", "lists")), 1)

    def test_gk_queue_works_by_the_new_settings(self):
        with socket.socket() as peer:
            peer.bind(("127.0.0.1", 0))
            peer.listen()
            peer.settimeout(20)
            self.set("queue.routes.far.test", f"127.0.0.1:{peer.getsockname()[1]}")
            self.reload("daemon.reloaded")
            with self.smtp("submission") as smtp:
                smtp.starttls(context=case.TLS)
                smtp.login("ann@a.test", self.gk.PASSWORD)
                smtp.sendmail("ann@a.test", ["carl@far.test"], b"Subject: out\r\n\r\nhello\r\n")
            connection, _ = peer.accept()
            connection.close()

    def test_a_broken_gk_toml_changes_nothing(self):
        path = f"{self.gk.root}/gk.toml"
        sound = gk.contents(path)
        try:
            with open(f"{path}.new", "wb") as file:
                file.write(sound + b"\n[smtp\nmax_size = 1\n")
            os.rename(f"{path}.new", path)
            self.reload("daemon.reload_failed")
            for event in self.gk.events("daemon.reload_failed"):
                self.assertRegex(event["error"], r"gk\.toml:\d+: ", event["program"])
            self.deliver(b"Subject: still\r\n\r\nhello\r\n", ["ann@a.test"])
            with self.imap() as imap:
                self.assertEqual(imap.noop()[0], "OK")
        finally:
            with open(f"{path}.new", "wb") as file:
                file.write(sound)
            os.rename(f"{path}.new", path)
            self.reload("daemon.reloaded")


if __name__ == "__main__":
    unittest.main()
