#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Where mail goes: other names of domains, patterns, rules, lists and changes of them, while the daemons run."""
import json
import smtplib
import subprocess
import unittest

from bed import gk
from bed.case import Case


class Addresses(Case):
    def alias(self, *words, code=0, stdin=None):
        return gk.run("gk-alias", *words, "--root", self.gk.root, code=code, stdin=stdin)

    def setUp(self):
        self.before = {name: set(self.gk.files(f"{name}@a.test")) for name in ("ann", "bob")}

    def send(self, to, sender="s@outside.test", extra=""):
        with smtplib.SMTP("127.0.0.1", self.gk.port("smtp"), timeout=30) as smtp:
            smtp.sendmail(sender, [to], f"{extra}From: {sender}\r\nTo: {to}\r\nSubject: x\r\n\r\ntext\r\n".encode())

    def refusal(self, to, sender="s@outside.test", **words):
        with self.assertRaises((smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)) as caught:
            self.send(to, sender, **words)
        error = caught.exception
        return next(iter(error.recipients.values())) if isinstance(error, smtplib.SMTPRecipientsRefused) else (error.smtp_code, error.smtp_error)

    def arrived(self, name):
        new, = set(self.gk.files(f"{name}@a.test")) - self.before[name]
        return gk.contents(new).decode()

    def test_a_change_is_seen_without_a_restart(self):
        self.assertEqual(self.refusal("sales@a.test")[0], 550)
        self.alias("add", "sales@a.test", "ann@a.test")
        self.send("sales@a.test")
        self.arrived("ann")
        self.alias("add", "--replace", "sales@a.test", "bob@a.test")
        self.send("sales@a.test")
        self.arrived("bob")
        self.alias("remove", "sales@a.test")
        self.assertEqual(self.refusal("sales@a.test")[0], 550)

    def test_a_domain_by_another_name(self):
        self.assertEqual(self.refusal("ann@a.example")[0], 550)
        gk.run("gk-domain", "add-alias", "a.example", "a.test", "--root", self.gk.root)
        self.send("ann@a.example")
        self.assertIn("Delivered-To: ann@a.test\n", self.arrived("ann"))
        shown = json.loads(gk.run("gk-domain", "list-aliases", "--json", "--root", self.gk.root))
        self.assertEqual((shown["name"], shown["domain"]), ("a.example", "a.test"))
        gk.run("gk-domain", "remove-alias", "a.example", "--root", self.gk.root)
        self.assertEqual(self.refusal("ann@a.example")[0], 550)

    def test_patterns_and_sub_address_rules(self):
        self.alias("add", "/(.+)-old/@a.test", "\\1@a.test")
        self.alias("add", "ann+*@a.test", "bob@a.test")
        self.send("ann-old@a.test")
        self.arrived("ann")
        self.send("ann+anything@a.test")
        self.arrived("bob")
        self.assertIn("not a regular expression", self.fails(65, "add", "/(/@a.test", "ann@a.test"))
        for rule in ("/(.+)-old/@a.test", "ann+*@a.test"):
            self.alias("remove", rule)

    def fails(self, code, *words):
        done = subprocess.run([f"{gk.BIN}/gk-alias", *words, "--root", self.gk.root], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def test_a_list(self):
        self.alias("add", "staff@a.test", "ann@a.test", "friend@outside.test", "--owner", "bob@a.test", "--name", "Our staff")
        self.assertIn(b"may not write to this list", self.refusal("staff@a.test")[1])
        self.send("staff@a.test", "friend@outside.test")
        text = self.arrived("ann")
        self.assertIn("Return-Path: <bob@a.test>\n", text)
        self.assertIn("List-Id: Our staff <staff.a.test>\n", text)
        listed = gk.run("gk-queue", "list", "--json", "--recipient", "friend@outside.test", "--root", self.gk.root)
        self.assertEqual(json.loads(listed)["sender"], "bob@a.test")
        self.assertEqual(self.refusal("staff@a.test", "friend@outside.test", extra="List-Id: <staff.a.test>\r\n")[0], 554)
        self.assertEqual(self.refusal("staff@a.test", "")[0], 550)
        self.alias("change", "staff@a.test", "--post", "anyone")
        self.before = {name: set(self.gk.files(f"{name}@a.test")) for name in ("ann", "bob")}
        self.send("staff@a.test")
        self.arrived("ann")
        self.alias("remove", "staff@a.test")

    def test_the_whole_expansion_is_shown(self):
        self.alias("add", "team@a.test", "ann@a.test", "x@far.test")
        self.alias("add", "all@a.test", "team@a.test", "bob@a.test")
        self.assertEqual(self.alias("test", "all@a.test"), """\
all@a.test  (alias)
├─ team@a.test  (alias)
│  ├─ ann@a.test  (account)
│  └─ x@far.test  (external)
└─ bob@a.test  (account)
""")
        rows = [json.loads(line) for line in self.alias("test", "--json", "all@a.test").splitlines()]
        self.assertEqual([(row["leads_to"], row["path"]) for row in rows],
                         [("ann@a.test", "all@a.test → team@a.test → ann@a.test"), ("x@far.test", "all@a.test → team@a.test → x@far.test"),
                          ("bob@a.test", "all@a.test → bob@a.test")])
        self.assertIn("team@a.test → all@a.test → team@a.test", self.fails(65, "add", "team@a.test", "all@a.test"))
        for name in ("all", "team"):
            self.alias("remove", f"{name}@a.test")

    def test_export_and_apply_agree(self):
        self.alias("apply", stdin="# plain lines\none@a.test: ann@a.test bob@a.test\n@a.test ann@a.test\n")
        self.alias("add", "list@a.test", "ann@a.test", "--owner", "bob@a.test", "--post", "owner")
        self.alias("add", "/x(.*)/@a.test", "\\1@b.test")
        text = self.alias("export")
        self.assertEqual(self.alias("apply", "--prune", stdin=text), "")
        self.assertEqual(self.alias("apply", "--prune", "--dry-run", stdin=text.splitlines()[0] + "\n").count("remove"), 3)
        self.assertEqual(self.alias("export"), text)
        self.alias("apply", stdin="two@a.test ann@a.test\nthree@a.test nobody@nowhere@a.test\n", code=65)
        self.assertEqual(self.alias("export"), text)
        self.alias("apply", "--prune", stdin="last@a.test ann@a.test\n")
        self.assertEqual(self.alias("export"), '{"alias":"last@a.test","targets":["ann@a.test"]}\n')
        self.alias("remove", "last@a.test")

    def test_hostile_patterns_cost_no_time(self):
        self.alias("add", "/(a+)+(a+)+(a+)+b/@a.test", "ann@a.test")
        for number in range(20):
            self.assertEqual(self.refusal("a" * 60 + f"{number}@a.test")[0], 550)
        self.alias("remove", "/(a+)+(a+)+(a+)+b/@a.test")


if __name__ == "__main__":
    unittest.main()
