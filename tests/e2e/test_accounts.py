#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tools of the directory as an administrator uses them, and gk-authd asked over its socket meanwhile."""
import base64
import json
import os
import socket
import subprocess
import tempfile
import threading
import unittest

from bed import case, gk


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Authd:
    """One connection to the auth socket."""

    def __init__(self, root):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(f"{root}/run/auth.sock")
        self.file = self.socket.makefile("rw", encoding="ascii", newline="\n")

    def ask(self, line):
        self.file.write(line + "\n")
        self.file.flush()
        verb, *fields = self.file.readline().rstrip("\n").split("\t")
        return verb, dict(field.split("=", 1) for field in fields)

    def plain(self, user, password, service="imap", ip="192.0.2.9"):
        response = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.ask(f"BEGIN\tservice={service}\tmech=PLAIN\tip={ip}\ttls=1\tresp={response}")

    def close(self):
        self.file.close()
        self.socket.close()


class Accounts(case.Case):
    UP_OPTIONS = ("--only", "auth")
    SETTINGS = "[auth]\nbackoff = 0\nlockout_failures = 5\naddress_failures = 0\n"

    def setUp(self):
        self.authd = Authd(self.gk.root)
        self.addCleanup(self.authd.close)

    def tool(self, program, *words, stdin=None, code=0):
        return gk.run(program, *words, "--root", self.gk.root, stdin=stdin, code=code)

    def objects(self, program, *words):
        return [json.loads(line) for line in self.tool(program, *words, "--json").splitlines()]

    def test_what_a_tool_changes_counts_at_the_next_login(self):
        self.tool("gk-user", "add", "eve@a.test", "--password-file", "-", stdin="first\n")
        self.assertEqual(self.authd.plain("Eve@A.test", "first")[1]["user"], "eve@a.test")
        self.tool("gk-user", "passwd", "eve@a.test", "--password-file", "-", stdin="second\n")
        self.assertEqual(self.authd.plain("eve@a.test", "first")[1]["code"], "auth")
        self.assertEqual(self.authd.plain("eve@a.test", "second")[0], "OK")
        self.tool("gk-user", "disable", "eve@a.test")
        self.assertEqual(self.authd.plain("eve@a.test", "second")[1]["code"], "disabled")
        self.tool("gk-user", "enable", "eve@a.test")
        self.assertEqual(self.authd.plain("eve@a.test", "second")[0], "OK")
        self.tool("gk-user", "remove", "eve@a.test", "--delete-mail", "--yes")
        self.assertEqual(self.authd.plain("eve@a.test", "second")[1]["code"], "auth")
        self.assertFalse(os.path.exists(f"{self.gk.root}/mail/a.test/eve"))

    def test_tickets_serve_once(self):
        ticket = self.authd.plain("ann@a.test", self.gk.PASSWORD)[1]["ticket"]
        self.assertEqual(self.authd.ask(f"REDEEM\tticket={ticket}\tservice=imap"), ("OK", {"user": "ann@a.test"}))
        self.assertEqual(self.authd.ask(f"REDEEM\tticket={ticket}\tservice=imap")[0], "FAIL")

    def test_app_passwords_open_what_they_are_for(self):
        made = self.objects("gk-user", "add-app-password", "bob@a.test", "--label", "phone", "--scope", "imap", "--expires", "1d")[0]
        self.assertEqual(self.authd.plain("bob@a.test", made["password"])[0], "OK")
        self.assertEqual(self.authd.plain("bob@a.test", made["password"], service="smtp")[0], "FAIL")
        listed = self.objects("gk-user", "list-app-passwords", "bob@a.test")[0]
        self.assertEqual((listed["label"], listed["scopes"], bool(listed["last_used"])), ("phone", "imap", True))
        self.tool("gk-user", "remove-app-password", "bob@a.test", "--label", "phone")
        self.assertEqual(self.authd.plain("bob@a.test", made["password"])[0], "FAIL")

    def test_guessing_locks_out_and_the_log_tells_no_secret(self):
        self.tool("gk-user", "add", "fred@a.test", "--password-file", "-", stdin="hunter2\n")
        codes = [self.authd.plain("fred@a.test", f"guess-{n}")[1]["code"] for n in range(6)]
        self.assertEqual(codes, ["auth"] * 5 + ["locked"])
        self.assertEqual(self.authd.plain("fred@a.test", "hunter2")[1]["code"], "locked")
        log = text_of(f"{self.gk.root}/log/gk-authd.log")
        self.assertIn('"code":"locked"', log)
        for secret in ("guess-", "hunter2", self.gk.PASSWORD):
            self.assertNotIn(secret, log)

    def test_senders_are_what_leads_to_the_account(self):
        self.tool("gk-alias", "add", "sales@a.test", "ann@a.test", "out@elsewhere.example")
        ask = lambda address: self.authd.ask(f"SENDER\tuser=ann@a.test\taddress={address}")[0]
        self.assertEqual([ask(a) for a in ("ann@a.test", "ann+x@a.test", "sales@a.test", "bob@a.test", "x@elsewhere.example")],
                         ["OK", "OK", "OK", "FAIL", "FAIL"])
        leads = [(o["leads_to"], o["how"]) for o in self.objects("gk-alias", "test", "sales@a.test")]
        self.assertEqual(leads, [("ann@a.test", "alias"), ("out@elsewhere.example", "external")])
        self.tool("gk-alias", "add", "ann@a.test", "bob@a.test", code=73)
        self.tool("gk-alias", "add", "x@a.test", "x@a.test", code=65)
        self.tool("gk-alias", "test", "nobody@a.test", code=1)

    def test_a_hundred_connections_log_in_side_by_side(self):
        answers = []

        def login():
            authd = Authd(self.gk.root)
            answers.append(authd.plain("ann@a.test", self.gk.PASSWORD)[0])
            authd.close()

        threads = [threading.Thread(target=login) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(answers, ["OK"] * 100)

    def test_junk_is_answered_and_ends_nothing(self):
        self.assertEqual(self.authd.ask("HELO there")[1]["code"], "malformed")
        self.assertEqual(self.authd.ask("CONTINUE\tdata=AA==")[1]["code"], "malformed")
        self.assertEqual(self.authd.ask("PING")[0], "OK")
        endless = Authd(self.gk.root)
        with self.assertRaises(OSError):
            for _ in range(64):
                endless.socket.sendall(b"x" * 65536)
        endless.socket.close()
        self.assertEqual(self.authd.ask("PING")[0], "OK")


class Elsewhere(unittest.TestCase):
    """Tools with nothing running."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gk-")
        self.addCleanup(folder.cleanup)
        self.root = f"{folder.name}/root"
        self.tool("gk-config", "init", "--hostname", "mx.a.test")

    def tool(self, program, *words, stdin=None, code=0):
        return gk.run(program, *words, "--root", self.root, stdin=stdin, code=code)

    def test_init_makes_a_whole_gk_once(self):
        for path, mode in (("gk.toml", 0o644), ("gk.db", 0o640), ("auth.db", 0o600), ("keys", 0o700), ("keys/tls/default.key", 0o600),
                           ("spool/new", 0o3770), ("mail", 0o750)):
            self.assertEqual(os.stat(f"{self.root}/{path}").st_mode & 0o7777, mode, path)
        said = subprocess.run(["openssl", "x509", "-in", f"{self.root}/keys/tls/default.crt", "-noout", "-ext", "subjectAltName"],
                              capture_output=True, text=True, check=True).stdout
        self.assertIn("DNS:mx.a.test", said)
        before = text_of(f"{self.root}/gk.toml")
        self.tool("gk-config", "init", "--hostname", "other.test", code=73)
        self.assertEqual(text_of(f"{self.root}/gk.toml"), before)
        self.assertEqual(self.tool("gk-config", "check"), "")

    def test_settings_are_set_in_place_and_checked(self):
        self.tool("gk-config", "set", "smtp.max_size", "20MB")
        self.tool("gk-config", "set", "queue.routes.b.test", "[127.0.0.1]:2525")
        self.assertEqual(self.tool("gk-config", "get", "smtp.max_size"), "20MB\n")
        self.assertEqual(self.tool("gk-config", "get", "queue.routes"), "b.test\t[127.0.0.1]:2525\n")
        self.assertIn('smtp.max_size = "20MB"  # gk.toml:', self.tool("gk-config", "show", "--changed", "--origin"))
        self.tool("gk-config", "set", "smtp.max_size", "huge", code=78)
        with open(f"{self.root}/gk.toml", "a") as file:
            file.write("[smpt]\n")
        self.tool("gk-config", "check", code=78)
        self.tool("gk-user", "add", "ann@a.test", "--no-password", code=78)

    def test_an_export_applied_elsewhere_is_the_same(self):
        self.tool("gk-domain", "add", "a.test")
        self.tool("gk-user", "add", "ann@a.test", "--name", "Ann", "--quota", "1GB", "--admin", "yes", "--password-file", "-", stdin="pw\n")
        self.tool("gk-user", "add-app-password", "ann@a.test", "--label", "phone")
        exported = self.tool("gk-user", "export")
        self.assertEqual(self.tool("gk-user", "apply", stdin=exported), "")
        self.tool("gk-user", "remove", "ann@a.test", "--yes")
        self.assertIn("add ann@a.test", self.tool("gk-user", "apply", "--dry-run", stdin=exported))
        self.assertEqual(self.tool("gk-user", "export"), "")
        self.assertIn("add ann@a.test", self.tool("gk-user", "apply", stdin=exported))
        self.assertEqual(self.tool("gk-user", "export"), exported)
        self.assertEqual(self.tool("gk-user", "apply", "--prune", stdin=exported.replace("ann@", "eve@")).splitlines()[-1], "remove ann@a.test")
        self.tool("gk-user", "apply", stdin="{}\n", code=65)

    def test_domains_in_use_stay(self):
        self.tool("gk-domain", "add", "bücher.test")
        self.assertEqual(self.tool("gk-domain", "list").split("\t")[0], "xn--bcher-kva.test")
        self.tool("gk-user", "add", "ann@BÜCHER.test", "--no-password")
        self.tool("gk-domain", "remove", "xn--bcher-kva.test", code=77)
        self.tool("gk-user", "remove", "ann@bücher.test")
        self.tool("gk-domain", "remove", "bücher.test")
        self.assertEqual(self.tool("gk-domain", "list"), "")


if __name__ == "__main__":
    unittest.main()
