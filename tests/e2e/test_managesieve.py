# SPDX-License-Identifier: MIT
"""sieve-connect and our own client edit scripts through gk-frontd and gk-sieved."""
import contextlib
import os
import shutil
import subprocess
import tempfile
import unittest

from bed import gk
from bed.managesieve import Client

SCRIPT = 'require "fileinto";\nif header :contains "subject" "lists" { fileinto "Lists"; }\n'


class ManageSieve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gk = gk.Instance("mx.a.test", {"a.test": ["ann", "bob"]}, "[sieve]\nsessions_per_account = 3\n")
        cls.gk.start()

    @classmethod
    def tearDownClass(cls):
        cls.gk.__exit__(None, None, None)

    def client(self, user="ann@a.test"):
        client = Client(self.gk.port("sieve"))
        self.addCleanup(client.close)
        if user:
            self.assertEqual(client.login(user, self.gk.PASSWORD), ['OK "logged in"'])
        return client

    def test_sieve_connect_edits_scripts(self):
        if not shutil.which("sieve-connect"):
            self.skipTest("sieve-connect is not installed")
        with tempfile.TemporaryDirectory() as folder:
            local = f"{folder}/work.sieve"
            with open(local, "w", encoding="utf-8") as file:
                file.write(SCRIPT)

            def connect(*words, code=0):
                done = subprocess.run(["sieve-connect", "--server", "127.0.0.1", "--port", str(self.gk.port("sieve")), "--user", "bob@a.test",
                                       "--notlsverify", "--passwordfd", "0", *words],
                                      input=self.gk.PASSWORD + "\n", capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                return done.stdout + done.stderr
            connect("--upload", "--localsieve", local, "--remotesieve", "work")
            self.assertIn('"work"', connect("--list"))
            connect("--activate", "--remotesieve", "work")
            self.assertIn('"work" ACTIVE', connect("--list"))
            self.assertEqual(os.readlink(f"{self.gk.home('bob@a.test')}/sieve/active"), "work.sieve")
            fetched = f"{folder}/fetched"
            connect("--download", "--remotesieve", "work", "--localsieve", fetched)
            self.assertEqual(gk.contents(fetched).decode(), SCRIPT)
            with open(local, "w", encoding="utf-8") as file:
                file.write("frobnicate;\n")
            done = subprocess.run(["sieve-connect", "--server", "127.0.0.1", "--port", str(self.gk.port("sieve")), "--user", "bob@a.test", "--notlsverify",
                                   "--passwordfd", "0", "--upload", "--localsieve", local, "--remotesieve", "work"],
                                  input=self.gk.PASSWORD + "\n", capture_output=True, text=True, timeout=60, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("frobnicate", done.stdout + done.stderr)
            self.assertEqual(gk.contents(f"{self.gk.home('bob@a.test')}/sieve/work.sieve").decode(), SCRIPT)
            connect("--deactivate")
            connect("--delete", "--remotesieve", "work")
            self.assertNotIn('"work"', connect("--list"))

    def test_a_login_needs_tls_and_capabilities_tell_so(self):
        client = Client(self.gk.port("sieve"), tls=False)
        self.addCleanup(client.close)
        self.assertIn('"STARTTLS"', client.greeting)
        self.assertNotIn("PLAIN", next(line for line in client.greeting if line.startswith('"SASL"')))
        self.assertTrue(client.login("ann@a.test", self.gk.PASSWORD)[-1].startswith("NO (ENCRYPT-NEEDED)"))
        client = self.client(None)
        self.assertNotIn('"STARTTLS"', client.capabilities)
        self.assertIn("SCRAM-SHA-256", client.capabilities[1])
        self.assertEqual(client.login("ann@a.test", "wrong"), ['NO "authentication failed"'])
        self.assertEqual(client.login("ann@a.test", self.gk.PASSWORD), ['OK "logged in"'])
        self.assertIn('"OWNER" "ann@a.test"', client.ask("CAPABILITY"))

    def test_accounts_see_their_own_scripts_alone(self):
        ann, bob = self.client(), self.client("bob@a.test")
        self.assertEqual(ann.put("mine", "keep;"), ["OK"])
        self.assertEqual(bob.ask("LISTSCRIPTS"), ["OK"])
        self.assertTrue(bob.ask('GETSCRIPT "../../ann/sieve/mine"')[-1].startswith("NO (NONEXISTENT)"))
        self.assertEqual(bob.put("../../ann/sieve/mine", "discard;"), ["OK"])
        self.assertEqual(ann.ask('GETSCRIPT "mine"'), ["{5}", "keep;", "OK"])
        self.assertEqual(bob.ask('DELETESCRIPT "../../ann/sieve/mine"'), ["OK"])
        self.assertEqual(ann.ask('DELETESCRIPT "mine"'), ["OK"])

    def test_who_gives_up_the_account_may_log_in_as_another(self):
        client = self.client()
        self.assertEqual(client.ask("UNAUTHENTICATE"), ["OK"])
        self.assertEqual(client.ask("LISTSCRIPTS"), ['NO "log in first"'])
        self.assertEqual(client.login("bob@a.test", self.gk.PASSWORD), ['OK "logged in"'])
        self.assertIn('"OWNER" "bob@a.test"', client.ask("CAPABILITY"))
        client.send("UNAUTHENTICATE\r\nNOOP\r\n")
        self.assertEqual(client.answer(), ["OK"])
        with self.assertRaises(EOFError):
            while True:
                client.answer()

    def test_an_account_has_so_many_sessions_and_no_more(self):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(contextlib.closing(Client(self.gk.port("sieve")))) for _ in range(4)]
            said = [client.login("bob@a.test", self.gk.PASSWORD)[-1] for client in clients]
        self.assertEqual([line[:2] for line in said], ["OK", "OK", "OK", "NO"], said)
        gk.wait_for("the sessions' end", lambda: len(self.gk.pids("gk-sieved")) == 1)

    def test_a_reload_ends_no_session_and_a_stop_says_goodbye(self):
        client = self.client()
        begun = [event for event in self.gk.events("sieve.session.begin") if event["actor"] == "ann@a.test"]
        self.assertIn("Landlock", begun[-1]["confined"])
        parent = min(self.gk.pids("gk-sieved"))
        os.kill(parent, 1)
        gk.wait_for("the reload", lambda: [event for event in self.gk.events("daemon.reloaded") if event.get("program") == "gk-sieved"] or self.gk.events("daemon.reloaded"))
        self.assertEqual(client.ask("NOOP"), ['OK "done"'])
        os.kill(parent, 15)
        self.assertEqual(client.answer(), ['BYE (TRYLATER) "the server is going down"'])
        gk.wait_for("gk-sieved again", lambda: set(self.gk.pids("gk-sieved")) - {parent})


if __name__ == "__main__":
    unittest.main()
