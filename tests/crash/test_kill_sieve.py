# SPDX-License-Identifier: MIT
"""kill -9 of a ManageSieve session at each system call of PUTSCRIPT, SETACTIVE and RENAMESCRIPT.

Whatever is killed when: a script is what it was or what it became, whole; what got its OK is there; and there is never no active
script where there was one.
"""
import contextlib
import os
import shutil
import subprocess
import unittest

from bed import crash, gk

ANN = "ann@a.test"
SCRIPTS = {"old": "keep;" + "\n# old" * 2000 + "\n", "new": "stop;" + "\n# new" * 3000 + "\n"}


class KilledSieve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gk = gk.Instance("mx.a.test", {"a.test": ["ann"]}, up_options=("--only", "auth"))
        cls.addClassCleanup(shutil.rmtree, cls.gk.root, ignore_errors=True)
        cls.home = f"{cls.gk.home(ANN)}/sieve"

    def session(self):
        """A session of its own process, as gk-sieved serves it, on a pipe."""
        program = subprocess.Popen([f"{gk.BIN}/gk-sieved", "--stdio", "--account", ANN, "--root", self.gk.root], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        while not program.stdout.readline().startswith(b"OK"):
            self.assertIsNone(program.poll())
        return program

    def ask(self, program, commands):
        """The answers that came before it died, one line each."""
        with contextlib.suppress(BrokenPipeError):
            program.stdin.write(commands.encode())
            program.stdin.close()
        said = program.stdout.read().decode().splitlines()
        program.wait(20)
        program.stdout.close()
        return said

    @staticmethod
    def put(name, script):
        return f'PUTSCRIPT "{name}" {{{len(SCRIPTS[script])}+}}\r\n{SCRIPTS[script]}\r\n'

    def fresh(self):
        shutil.rmtree(self.home, ignore_errors=True)
        said = self.ask(self.session(), self.put("work", "old") + 'SETACTIVE "work"\r\n')
        self.assertEqual(said, ["OK", "OK"])

    def scripts(self):
        return {name[:-6]: gk.contents(f"{self.home}/{name}").decode() for name in os.listdir(self.home) if name.endswith(".sieve")}

    def active(self):
        """The content of the script that delivery would run."""
        return gk.contents(f"{self.home}/{os.readlink(self.home + '/active')}").decode()

    def sweep(self, what, commands, check):
        self.fresh()
        program = self.session()
        with crash.counter(program.pid) as tracer:
            self.ask(program, commands)
        points = tracer.points()
        killed = 0
        for point in points:
            self.fresh()
            program = self.session()
            with crash.killer(program.pid, point):
                said = self.ask(program, commands)
            killed += program.returncode == -9
            with self.subTest(f"{what}, killed at {point[0]} {point[1]}"):
                check([line[:2] for line in said].count("OK"))
                # And the next one goes on from there.
                self.assertEqual(self.ask(self.session(), self.put("after", "new") + 'SETACTIVE "after"\r\n'), ["OK", "OK"])
        print(f"    {what}: {killed} kills at {len(points)} points", flush=True)
        self.assertGreater(killed, 8)

    def test_putscript_over_the_active_one(self):
        def check(answered):
            found = self.scripts()["work"]
            self.assertIn(found, SCRIPTS.values())
            self.assertEqual(self.active(), found)
            if answered:
                self.assertEqual(found, SCRIPTS["new"])
        self.sweep("PUTSCRIPT", self.put("work", "new"), check)

    def test_a_new_script_made_active(self):
        def check(answered):
            self.assertEqual(self.scripts()["work"], SCRIPTS["old"])
            if answered > 0:
                self.assertEqual(self.scripts()["fresh"], SCRIPTS["new"])
            self.assertIn(self.active(), SCRIPTS.values())
            if answered > 1:
                self.assertEqual(self.active(), SCRIPTS["new"])
        self.sweep("PUTSCRIPT and SETACTIVE", self.put("fresh", "new") + 'SETACTIVE "fresh"\r\n', check)

    def test_the_active_one_renamed(self):
        def check(answered):
            self.assertEqual(self.active(), SCRIPTS["old"])
            self.assertIn(sorted(self.scripts()), (["work"], ["other", "work"], ["other"]))
            if answered:
                self.assertEqual(sorted(self.scripts()), ["other"])
        self.sweep("RENAMESCRIPT", 'RENAMESCRIPT "work" "other"\r\n', check)


if __name__ == "__main__":
    unittest.main()
