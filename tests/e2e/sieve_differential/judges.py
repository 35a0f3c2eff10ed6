# SPDX-License-Identifier: MIT
"""What gk-sieve and sieve-test say to a script and a message, in one notation: a list of lines."""
import json
import os
import re
import shutil
import subprocess

UNPRIVILEGED = 65534  # Pigeonhole's tools refuse to run as root


def flags(names):
    return " ".join(sorted(name.lower() for name in names if name))


def gk(binary, script, message, sender, recipient):
    done = subprocess.run([binary, "test", "-j", "-f", sender or "<>", "-r", recipient, script, message], capture_output=True, text=True, check=False)
    if done.returncode == 65:
        return ["does not compile"]
    lines = []
    for row in map(json.loads, done.stdout.splitlines()):
        what = row["what"]
        named = re.search(r':flags \[(.*?)\]$', what)
        shown = f" [{flags(each.strip(chr(34)) for each in named[1].split(', '))}]" if named and named[1] else ""
        quoted = re.search(r'"((?:[^"]|"(?! :|$))*)"', what)
        if row["action"] == "keep":
            lines.append("store INBOX" + shown)
        elif row["action"] == "fileinto":
            lines.append(f"store {quoted[1]}{shown}")
        elif row["action"] == "redirect":
            lines.append(f"redirect {quoted[1]}")
        elif row["action"] in ("reject", "ereject"):
            lines.append("reject")
        elif row["action"] == "vacation":
            lines.append("vacation " + re.search(r":seconds (\d+)", what)[1])
        elif row["action"] == "notify":
            lines.append("notify")
    lines = sorted(lines)
    if done.returncode == 1:
        lines.append("fails")
    return lines or ["nothing"]


class Pigeonhole:
    """sieve-test, in a home of its own below FOLDER."""

    def __init__(self, folder):
        self.folder = f"{folder}/pigeonhole"
        os.makedirs(f"{self.folder}/home")
        with open(f"{self.folder}/dovecot.conf", "w", encoding="utf-8") as file:
            file.write(f"mail_uid={UNPRIVILEGED}\nmail_gid={UNPRIVILEGED}\nfirst_valid_uid=1\nssl=no\nlog_path=/dev/stderr\nprotocols=\n"
                       f"mail_location=maildir:{self.folder}/home/Maildir\nmail_home={self.folder}/home\nbase_dir={self.folder}/run\n"
                       "plugin {\n sieve_extensions = +editheader +mboxmetadata +servermetadata +vacation-seconds +spamtest +spamtestplus"
                       " +virustest +special-use\n}\n")
        os.makedirs(f"{self.folder}/run")
        if os.geteuid() == 0:
            for path, folders, _ in os.walk(self.folder):
                os.chown(path, UNPRIVILEGED, UNPRIVILEGED)
        self.prefix = ["setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups"] if os.geteuid() == 0 else []

    @staticmethod
    def is_there():
        return shutil.which("sieve-test") is not None

    def ask(self, script, message, sender, recipient):
        command = self.prefix + ["sieve-test", "-C", "-c", f"{self.folder}/dovecot.conf", "-f", sender, "-r", recipient, "-a", recipient, script, message]
        done = subprocess.run(command, capture_output=True, check=False, env={"PATH": os.environ["PATH"], "HOME": f"{self.folder}/home", "USER": "nobody", "TZ": "UTC"})
        said = done.stdout.decode("utf-8", "replace")
        errors = done.stderr.decode("utf-8", "replace")
        if "resolved with successful implicit keep" in errors and "Performed actions" not in said:
            return ["store INBOX", "fails"]
        if done.returncode and "Performed actions" not in said:
            return ["does not compile"] if "error" in errors.lower() else [f"exit {done.returncode}: {' '.join(errors.split())[-200:]}"]
        lines = []
        for line in said.splitlines():
            if match := re.match(r" \* store message in folder: (.*)$", line):
                lines.append(f"store {match[1]}")
            elif match := re.match(r"\s+\+ add IMAP flags:(.*)$", line):
                if match[1].split():
                    lines[-1] += f" [{flags(match[1].split())}]"
            elif match := re.match(r" \* redirect message to: <?([^>]*)>?$", line):
                lines.append(f"redirect {match[1]}")
            elif line.startswith(" * reject message"):
                lines.append("reject")
            elif line.startswith(" * send vacation message"):
                lines.append("vacation")
            elif match := re.match(r"\s+=> seconds : (\d+)", line):
                lines[-1] += f" {match[1]}"
            elif line.startswith(" * send notification"):
                lines.append("notify")
        failed = "failed" in errors or "failure" in errors or "error:" in errors.lower()
        lines = sorted(lines)
        if failed:
            lines.append("fails")
        return lines or ["nothing"]
