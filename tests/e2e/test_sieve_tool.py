# SPDX-License-Identifier: MIT
"""gk-sieve by its command line: verbs, exit codes, JSON, test files, and scripts that would cost too much."""
import json
import os
import subprocess
import tempfile
import time
import unittest

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sieve_testsuite")
GK = os.path.join(os.environ.get("GK_BIN_DIR", "build/bin"), "gk-sieve")
MESSAGE = "From: bob@example.com\nTo: ann@example.org\nSubject: [Lists] news\n\nBody\n"


def gk(*arguments, text=""):
    done = subprocess.run([GK, *arguments], input=text, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Tool(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.script = f"{HERE}/filter.sieve"

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        return file.name

    def test_check_tells_file_line_and_column(self):
        wrong = f"{HERE}/wrong.sieve"
        self.assertEqual(gk("check", self.script), (0, "", ""))
        code, said, errors = gk("check", self.script, wrong)
        self.assertEqual((code, said), (65, ""))
        self.assertEqual(errors.splitlines(), [f"{wrong}:2:5: unknown command 'frob'", f"{wrong}:4:1: expected ';' or '{{'"])
        _, said, _ = gk("check", "-j", wrong)
        self.assertEqual(json.loads(said.splitlines()[0]), {"script": wrong, "line": 2, "column": 5, "problem": "unknown command 'frob'"})
        self.assertEqual(gk("check", f"{self.folder}/none")[0], 66)

    def test_actions_steps_and_reasons(self):
        code, said, errors = gk("test", "-j", self.script, text=MESSAGE)
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual([json.loads(line)["action"] for line in said.splitlines()], ["fileinto", "redirect", "keep"])
        _, said, _ = gk("explain", self.script, text=MESSAGE)
        self.assertIn('"[Lists] news": true', said)
        _, said, _ = gk("explain", self.script, text="Subject: other\n\n")
        self.assertNotIn("false", said)
        _, said, _ = gk("trace", self.script, text="Subject: other\n\n")
        self.assertIn('"other": false', said)
        self.assertIn("=> keep (implicit)", said)
        code, said, _ = gk("compile", "-j", self.script)
        self.assertEqual([json.loads(line)["node"].split()[0] for line in said.splitlines()], ["if", "header", "fileinto", "addheader", "redirect", "keep"])

    def test_the_message_as_it_was_left(self):
        out = f"{self.folder}/out"
        self.assertEqual(gk("test", "-o", out, self.script, text=MESSAGE)[0], 0)
        with open(out, encoding="utf-8") as file:
            self.assertEqual(file.read(), "X-Filtered: yes\n" + MESSAGE)

    def test_an_error_at_run_time_keeps_the_message(self):
        script = self.write("s", 'require "variables";\nset "x" "nobody";\nredirect "${x}";\n')
        code, said, errors = gk("test", script, text=MESSAGE)
        self.assertEqual(code, 1)
        self.assertIn("keep (implicit)", said)
        self.assertEqual(errors, "gk-sieve: line 3, column 1: 'nobody' is no address\n")

    def test_scripts_before_and_included_ones(self):
        before = self.write("before", 'require ["fileinto", "copy"]; fileinto :copy "Archive";\n')
        self.write("part.sieve", 'require "fileinto"; fileinto "Part";\n')
        script = self.write("s", 'require "include"; include "part";\n')
        self.assertEqual([json.loads(line)["what"] for line in gk("test", "-j", "--before", before, script, text=MESSAGE)[1].splitlines()],
                         ['fileinto "Archive"', 'fileinto "Part"'])
        stops = self.write("stops", "discard;\n")
        self.assertEqual([json.loads(line)["what"] for line in gk("test", "-j", "--before", stops, script, text=MESSAGE)[1].splitlines()], ["discard"])

    def test_extensions_and_those_that_are_not_offered(self):
        named = gk("extensions")[1].split()
        self.assertIn("fileinto", named)
        self.assertNotIn("vnd.dovecot.testsuite", named)
        code, _, errors = gk("-x", "copy", "check", self.script)
        self.assertEqual(code, 65)
        self.assertIn("the extension 'copy' is not offered here", errors)
        self.assertEqual(gk("-x", "nonsense", "check", self.script)[0], 64)

    def test_files_of_tests(self):
        code, said, errors = gk("testsuite", "-j", f"{HERE}/actions.svtest")
        results = [json.loads(line) for line in said.splitlines()]
        self.assertEqual([each for each in results if each["result"] != "passed"], [], errors)
        self.assertEqual((code, len(results)), (0, 5))
        code, said, _ = gk("testsuite", "-j", f"{HERE}/fails.svtest")
        self.assertEqual(code, 1)
        self.assertEqual([json.loads(line)["result"] for line in said.splitlines()], ["passed", "failed", "passed"])
        self.assertIn("on purpose", said)

    def test_the_tests_of_a_testsuite_are_no_commands_elsewhere(self):
        self.assertEqual(gk("check", f"{HERE}/actions.svtest")[0], 65)

    def test_hostile_scripts_end_soon_with_a_place(self):
        hostile = {
            "million actions": ('require "fileinto";\n' + "".join(f'fileinto "m{n}";' for n in range(50_000)), "line 2, column"),
            "a string of 2 MB": ('redirect "' + "a" * (2 << 20) + '@example.com";\n', "larger than"),
            "deep blocks": ("if true {\n" * 100_000, ":33:9: blocks are nested more than 32 deep"),
            "deep tests": ("if " + "not " * 200_000 + "true { keep; }", ":1:132: tests are nested more than 32 deep"),
            "open comment": ("keep; /*" + "*" * 900_000, ":1:7: a comment that begins here has no end"),
            "many errors": ("frob;\n" * 100_000, ":20:1: unknown command 'frob'"),
            "a long expression": ('require "regex";\nif header :regex "subject" "' + "(a|b)*" * 60_000 + '" { keep; }', ":2:4: the regular expression"),
            "wildcards": ('require "variables";\nset "a" "' + "a" * 60_000 + '";\nif string :matches "${a}" "*' + "a" * 20_000 + 'b" { discard; }',
                          "line 3, column 4: the script takes more than 1000000 steps"),
        }
        for name, (text, expected) in hostile.items():
            with self.subTest(name):
                script = self.write("hostile.sieve", text)
                began = time.monotonic()
                code, _, errors = gk("test", script, text=MESSAGE)
                self.assertLess(time.monotonic() - began, 10)
                self.assertIn(code, (1, 65))
                self.assertIn(expected, errors)


if __name__ == "__main__":
    unittest.main()
