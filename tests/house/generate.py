#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What is rendered from the programs' own option tables, kept in step with the files in the repository.

usage: generate.py man|completions|check BIN
man and completions write; check writes nothing and fails where a file is missing or differs.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHELLS = {"bash": "{}", "zsh": "_{}", "fish": "{}.fish"}
BEGIN, END = '.\\" begin generated\n', '.\\" end generated\n'


def programs(binaries):
    names = sorted(name for name in os.listdir(f"{ROOT}/cmd") if os.path.isfile(f"{ROOT}/cmd/{name}/main.cpp"))
    return [name for name in names if os.path.exists(f"{binaries}/{name}")], names


def said_by(binaries, program, *words):
    return subprocess.run([f"{binaries}/{program}", *words], capture_output=True, text=True, check=True).stdout


def page_of(program):
    pages = glob.glob(f"{ROOT}/man/{program}.[18]")
    return pages[0] if len(pages) == 1 else None


def with_generated(page, generated):
    text = open(page, encoding="utf-8").read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{page}: one 'begin generated' and one 'end generated' line are needed")
    head, rest = text.split(BEGIN)
    return head + BEGIN + generated + END + rest.split(END)[1]


def write_if_changed(path, text):
    if os.path.exists(path) and open(path, encoding="utf-8").read() == text:
        return False
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def wanted_files(binaries, kinds):
    """(path, text) of everything that is rendered."""
    built, _ = programs(binaries)
    for program in built:
        if "completions" in kinds:
            for shell, pattern in SHELLS.items():
                yield f"{ROOT}/completions/{shell}/{pattern.format(program)}", said_by(binaries, program, "__complete", shell)
        if "man" in kinds and page_of(program):
            yield page_of(program), with_generated(page_of(program), said_by(binaries, program, "__mdoc"))
    settings = f"{ROOT}/man/gk.toml.5"
    if "man" in kinds and os.path.exists(settings) and "gk-config" in built:
        yield settings, with_generated(settings, said_by(binaries, "gk-config", "__settings_mdoc"))


def check(binaries):
    wrong = []
    built, all_programs = programs(binaries)
    changelog = open(f"{ROOT}/CHANGELOG.md", encoding="utf-8").read()
    for program in all_programs:
        if program not in built:
            wrong.append(f"{program} is not built in {binaries}")
        if not page_of(program):
            wrong.append(f"{program} has no page in man/")
        if not re.search(rf"\b{program}\b", changelog):
            wrong.append(f"{program} has no line in CHANGELOG.md")
    for path, text in wanted_files(binaries, {"man", "completions"}):
        shown = os.path.relpath(path, ROOT)
        if not os.path.exists(path):
            wrong.append(f"{shown} is missing: just completions")
        elif open(path, encoding="utf-8").read() != text:
            wrong.append(f"{shown} differs from what the program says: just man completions")
    for page in sorted(glob.glob(f"{ROOT}/man/*.[1-8]")):
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False)
        if lint.stdout.strip():
            wrong.append(f"mandoc finds fault with {os.path.relpath(page, ROOT)}:\n{lint.stdout}")
    for shell in SHELLS:
        if not shutil.which(shell):
            wrong.append(f"{shell} is not installed, so that its completions cannot be read")
            continue
        for path in sorted(glob.glob(f"{ROOT}/completions/{shell}/*")):
            read = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False)
            if read.returncode:
                wrong.append(f"{shell} cannot read {os.path.relpath(path, ROOT)}: {read.stderr}")
    for line in wrong:
        print(line)
    print(f"{len(built)} programs, {len(wrong)} complaints")
    return 1 if wrong or not built else 0


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("man", "completions", "check"):
        print(__doc__, file=sys.stderr)
        return 64
    if sys.argv[1] == "check":
        return check(sys.argv[2])
    for path, text in wanted_files(sys.argv[2], {sys.argv[1]}):
        if write_if_changed(path, text):
            print(os.path.relpath(path, ROOT))
    return 0


sys.exit(main())
