# SPDX-License-Identifier: MIT
"""What people get wrong at first: each mistake gets one line that says what to do, and the exit code that scripts rely on."""
import os
import socket
import subprocess
import tempfile
import unittest

from bed import gk

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


class Mistakes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="gk-mistakes-")
        self.addCleanup(self.folder.cleanup)
        self.root = f"{self.folder.name}/root"

    def init(self):
        gk.run("gk-config", "init", "--root", self.root, "--hostname", "mx.a.test")
        gk.run("gk-domain", "add", "a.test", "--root", self.root)

    def fails(self, code, pattern, *words, stdin="", prefix=()):
        done = subprocess.run([*prefix, f"{gk.BIN}/{words[0]}", *words[1:]], input=stdin, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout}{done.stderr}")
        self.assertRegex(done.stderr, pattern)
        self.assertTrue(done.stderr.startswith(f"{words[0]}: "), done.stderr)
        self.assertLessEqual(done.stderr.count("\n"), 2, done.stderr)  # a usage error points at --help
        self.assertEqual(done.stdout, "")

    def test_a_root_that_is_not_there(self):
        for code, pattern, *words in ((78, "create it with gk-config init", "gk-up"),
                                      (78, "create it with gk-config init", "gk-user", "add", "ann@a.test"),
                                      (66, "gk-config init makes one", "gk-domain", "list"),
                                      (78, "create it with gk-config init", "gk-alias", "list"),
                                      (66, "No such file", "gk-queue", "list"),
                                      (66, "No such file", "gk-log", "trace", "X"),
                                      (66, "No such file", "gk-mailbox", "list", "--all"),
                                      (78, "create it with gk-config init", "gk-config", "check")):
            self.fails(code, pattern, *words, "--root", self.root)
            self.assertFalse(os.path.exists(self.root), words)

    def test_a_port_in_use(self):
        self.init()
        base = gk.free_port_base()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", base + 25))
            taken.listen()
            self.fails(75, rf"cannot listen on 127\.0\.0\.1:{base + 25}: Address already in use", "gk-up", "--root", self.root, "--port-base", str(base))

    def test_a_second_gk_up_in_one_root(self):
        self.init()
        with gk.Instance("mx.a.test", {}, root=self.root):
            self.fails(75, "runs already", "gk-up", "--root", self.root, "--port-base", str(gk.free_port_base()))

    def test_a_broken_gk_toml_is_named_with_its_line(self):
        self.init()
        with open(f"{self.root}/gk.toml", "w", encoding="utf-8") as file:
            file.write("[server]\nhostname = \"mx.a.test\"\n[smtp]\nmax_sise = \"5MB\"\n")
        for words in (("gk-config", "check"), ("gk-up", "--port-base", str(gk.free_port_base()))):
            self.fails(78, r"gk\.toml:4: unknown setting 'smtp\.max_sise'; did you mean 'smtp\.max_size'\?", *words, "--root", self.root)

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user")
    def test_somebody_elses_root(self):
        os.chmod(self.folder.name, 0o755)
        self.init()
        os.chmod(self.root, 0o750)
        for words in (("gk-user", "list"), ("gk-domain", "list"), ("gk-domain", "add", "b.test"), ("gk-queue", "list"), ("gk-mailbox", "list", "--all"),
                      ("gk-log", "trace", "X"), ("gk-config", "check"), ("gk-up",), ("gk-status",)):
            self.fails(77, "Permission denied", *words, "--root", self.root, prefix=NOBODY)

    def test_options_and_operands(self):
        self.init()
        root = ("--root", self.root)
        for code, pattern, *words in ((64, "unknown command 'frobnicate'", "gk-user", "frobnicate"),
                                      (64, "a command is missing: one of add, ", "gk-user"),
                                      (64, "operand ACCOUNT is missing", "gk-user", "add", *root),
                                      (64, "unknown option '--rot'; did you mean '--root'", "gk-user", "list", "--rot", "x"),
                                      (64, "'abc' is no value for --port-base", "gk-up", "--port-base", "abc", *root),
                                      (66, "there is no account 'nobody@a.test'", "gk-user", "show", "nobody@a.test", *root),
                                      (65, "an empty password is refused", "gk-user", "add", "ann@a.test", *root),
                                      (65, "--status is one of new, scheduled, active, deferred, held, bouncing, not 'late'", "gk-queue", "list", "--status", "late", *root),
                                      (66, "it is a directory", "gk-mime", "tree", self.root),
                                      (66, "No such file", "gk-mime", "tree", f"{self.root}/none")):
            self.fails(code, pattern, *words)


if __name__ == "__main__":
    unittest.main()
