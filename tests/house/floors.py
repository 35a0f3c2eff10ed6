#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The floors of common/: who may include whom.

common/CMakeLists.txt is the plan: "# N name" opens a floor, gk_module(NAME LIB...) puts a module on it and names
the modules it may include. A module may name modules of its own floor or of lower ones, never in a circle, and
its files may include only what it names. SQL stays in the modules that own a database.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SQL_ROOMS = {"db", "store", "directory", "queue", "search", "auth"}


def plan():
    floors, allowed, floor = {}, {}, None
    text = open(f"{ROOT}/common/CMakeLists.txt").read()
    for line in text.splitlines():
        if match := re.match(r"# (\d) ", line):
            floor = int(match[1])
        elif match := re.match(r"gk_module\((\w+)([^)]*)\)", line):
            floors[match[1]] = floor
            allowed[match[1]] = [word for word in match[2].split() if re.fullmatch(r"[a-z_]+", word)]
    return floors, allowed


def circle(allowed):
    done, path = set(), []

    def visit(module):
        if module in path:
            return path[path.index(module):] + [module]
        if module in done:
            return None
        path.append(module)
        for other in allowed.get(module, []):
            if found := visit(other):
                return found
        path.pop()
        done.add(module)
        return None

    for module in allowed:
        if found := visit(module):
            return found
    return None


def main():
    floors, allowed = plan()
    wrong = []
    for module, others in allowed.items():
        for other in others:
            if other not in floors:
                wrong.append(f"common/CMakeLists.txt: {module} names {other}, which is no module")
            elif floors[other] > floors[module]:
                wrong.append(f"common/CMakeLists.txt: {module} (floor {floors[module]}) names {other} (floor {floors[other]})")
    if found := circle(allowed):
        wrong.append("common/CMakeLists.txt: a circle: " + " -> ".join(found))
    for folder, _, files in os.walk(f"{ROOT}/common"):
        for name in files:
            if not name.endswith((".cpp", ".hpp")):
                continue
            path = os.path.join(folder, name)
            shown = os.path.relpath(path, ROOT)
            module = shown.split("/")[1]
            if module not in floors:
                wrong.append(f"{shown}: common/{module} stands in no gk_module line")
                continue
            for number, line in enumerate(open(path, encoding="utf-8"), 1):
                if match := re.match(r'#include "common/(\w+)/', line):
                    if match[1] != module and match[1] not in allowed[module]:
                        wrong.append(f"{shown}:{number}: {module} includes {match[1]}, which its gk_module line does not name")
                elif re.match(r'#include "(?!common/)', line):
                    wrong.append(f"{shown}:{number}: includes are written from the root of the repository")
                if re.match(r"#include <(sqlite3|db)", line) and module not in SQL_ROOMS:
                    wrong.append(f"{shown}:{number}: SQLite stays in {', '.join(sorted(SQL_ROOMS))}")
    for folder, _, files in os.walk(f"{ROOT}/common"):
        for name in files:
            if name.endswith((".cpp", ".hpp")):
                path = os.path.join(folder, name)
                if "SPDX-License-Identifier: MIT" not in open(path, encoding="utf-8").read(400) and name != "pch.hpp":
                    wrong.append(f"{os.path.relpath(path, ROOT)}: the SPDX line is missing")
    print("\n".join(wrong) if wrong else f"{len(floors)} modules, every include allowed")
    return 1 if wrong else 0


sys.exit(main())
