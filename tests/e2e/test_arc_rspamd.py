#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# labels: slow
# timeout: 900
"""The chains of test_arc.py as gk-arc and rspamd see them. The first start of rspamd compiles for a minute and more."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request

from bed import gk
from bed.nameserver import NameServer
import test_arc

CONFIG = """
options {{
  pidfile = "{folder}/pid";
  tempdir = "{folder}";
  hs_cache_dir = "{folder}";
  filters = "dkim";
  url_tld = "/usr/share/rspamd/effective_tld_names.dat";
  dns {{ nameserver = ["127.0.0.1:{dns}:1"]; timeout = 2s; retransmits = 2; }}
}}
logging {{ type = "console"; level = "warning"; }}
dkim {{ check_local = true; check_authed = true; }}
arc {{ check_local = true; check_authed = true; }}
actions {{ reject = 1000; }}
modules {{ path = "/usr/share/rspamd/plugins/arc.lua"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
"""
# A chain that it cannot even begin to read gets none of these.
WORDS = {"ARC_ALLOW": "pass", "ARC_NA": "none", "ARC_REJECT": "fail", "ARC_INVALID": "fail"}


def is_let_through(what):
    """Where rspamd judges otherwise than RFC 8617, 5.2 (step 3 A) and python3-dkim: it does not count the results."""
    return what.startswith("ARC-Authentication-Results") and what.endswith("twice")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Rspamd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        test_arc.Arc.setUpClass.__func__(cls)
        cls.dns = NameServer("".join(f'{name} TXT "{value.decode()}"\n' for name, value in cls.records.items()))
        cls.dns.__enter__()
        cls.rspamd_folder = tempfile.mkdtemp(prefix="gk-rspamd-")
        os.chmod(cls.rspamd_folder, 0o777)
        cls.port = free_port()
        with open(f"{cls.rspamd_folder}/rspamd.conf", "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=cls.rspamd_folder, dns=cls.dns.port, port=cls.port))
        with open(f"{cls.rspamd_folder}/log", "w", encoding="ascii") as log:
            cls.process = subprocess.Popen(
                ["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", f"{cls.rspamd_folder}/rspamd.conf",
                 *(f"--var={name}={cls.rspamd_folder}" for name in ("DBDIR", "RUNDIR", "LOGDIR"))], stdout=log, stderr=log)
        gk.wait_for("rspamd", cls.answers, 400)

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        cls.process.wait(30)
        cls.dns.__exit__()
        for folder in (cls.folder, cls.rspamd_folder):
            shutil.rmtree(folder, ignore_errors=True)
        print(f"{cls.compared} chains compared", file=sys.stderr)
        if cls.compared < 100:
            raise gk.Failed(f"only {cls.compared} chains were compared")

    @classmethod
    def symbols(cls, message):
        request = urllib.request.Request(f"http://127.0.0.1:{cls.port}/checkv2", data=message.encode(), headers={"IP": "203.0.113.9"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return set(json.load(answer)["symbols"])

    @classmethod
    def answers(cls):
        if cls.process.poll() is not None:
            raise gk.Failed(gk.contents(f"{cls.rspamd_folder}/log").decode())
        try:
            return any(name in WORDS for name in cls.symbols("From: a@b.test\r\n\r\nhello\r\n"))
        except OSError:
            return False

    ours, seal, chain = test_arc.Arc.ours, test_arc.Arc.seal, test_arc.Arc.chain

    def agree(self, message, expected, what):
        type(self).compared += 1
        seen = self.symbols(message)
        theirs = next((WORDS[name] for name in WORDS if name in seen), "fail")
        ours = self.ours(message)
        self.assertEqual(ours[0], expected, f"{what}: gk-arc says {ours}, rspamd {theirs}")
        # Of half a set rspamd says that there is no chain.
        if not is_let_through(what):
            self.assertEqual(theirs == "pass", expected == "pass", f"{what}: gk-arc says {ours}, rspamd {theirs}")

    def test_sound_chains_pass_for_both(self):
        for n in range(12):
            self.agree(self.chain(1 + n % 6, n, lambda i, n=n: ("gk", "dkim")[(i + n) % 2]), "pass", f"{1 + n % 6} sets")

    def test_broken_chains_fail_for_both(self):
        for sets in (1, 2, 4):
            sound = self.chain(sets, sets, lambda i: ("dkim", "gk")[i % 2])
            for what, change in test_arc.breakages(sets):
                with self.subTest(sets=sets, what=what):
                    self.agree(change(sound), "fail", what)


if __name__ == "__main__":
    if shutil.which("rspamd") is None:
        print("rspamd is not installed")
        sys.exit(77)
    unittest.main()
