#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A daemon for testing gk-up: answers each connection on its sockets with what it knows about itself.

Its behaviour is chosen by ROOT/<program>.mode: "" (good), "fail" (exits 78 before it is ready), "mute" (never
ready), "hang" (ready, but its watchdog falls silent), "stubborn" (ignores SIGTERM).
"""
import json, os, select, signal, socket, sys, time

name = os.path.basename(sys.argv[0])
root = sys.argv[sys.argv.index("--root") + 1]
mode_file = f"{root}/{name}.mode"
mode = open(mode_file).read().strip() if os.path.exists(mode_file) else ""


def notify(text):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])


assert int(os.environ["LISTEN_PID"]) == os.getpid(), "LISTEN_PID is another's"
names = os.environ["LISTEN_FDNAMES"].split(":")
count = int(os.environ["LISTEN_FDS"])
assert len(names) == count
print(json.dumps({"event": "tiny.started", "mode": mode}), file=sys.stderr, flush=True)
if mode == "fail":
    print(f"{name}: gk.toml:3: unknown key 'smpt.max_size'", file=sys.stderr, flush=True)
    sys.exit(78)

state = {"reloads": 0}
def on_term(*_):
    with open(f"{root}/stopped", "a") as f:
        f.write(name + "\n")
    notify("STOPPING=1")
    sys.exit(0)
def on_hup(*_):
    state["reloads"] += 1
signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else on_term)
signal.signal(signal.SIGHUP, on_hup)

listeners = {}
for i, role in enumerate(names):
    s = socket.socket(fileno=3 + i)
    if s.type == socket.SOCK_STREAM:
        listeners[s] = role
if mode != "mute":
    notify(f"READY=1\nSTATUS=hello from {name}")
while True:
    if mode != "hang":
        notify("WATCHDOG=1")
    readable, _, _ = select.select(list(listeners), [], [], 0.1)
    for s in readable:
        peer, _ = s.accept()
        peer.sendall(json.dumps({"program": name, "pid": os.getpid(), "role": listeners[s], "args": sys.argv[1:],
                                 "watchdog": os.environ.get("WATCHDOG_USEC"), "fds": sorted(os.listdir("/proc/self/fd")),
                                 "reloads": state["reloads"]}).encode())
        peer.close()
