#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every header compiles alone: usage: headers.py COMPILER [FLAG...]"""
import concurrent.futures
import glob
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def compile_alone(header, command):
    done = subprocess.run(command + ["-std=c++20", "-fsyntax-only", "-I", ROOT, "-x", "c++", "-Wall", "-Wextra", "-"],
                          input=f'#include "{header}"\n', capture_output=True, text=True, check=False)
    return header, done.returncode, done.stderr


def main():
    headers = sorted(os.path.relpath(path, ROOT) for path in glob.glob(f"{ROOT}/common/**/*.hpp", recursive=True))
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, code, said in pool.map(lambda h: compile_alone(h, sys.argv[1:]), headers):
            if code or said:
                bad += 1
                print(f"{header} does not compile alone:\n{said[:2000]}")
    print(f"{len(headers)} headers, {bad} that need others before them")
    return 1 if bad or not headers else 0


sys.exit(main())
