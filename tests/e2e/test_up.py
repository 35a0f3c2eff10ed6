#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""gk-up against tiny daemons: sockets, readiness, restart, watchdog, reload, status, clean stop, honest failure."""
# alone: bounds how soon all stops
import json, os, shutil, signal, socket, subprocess, sys, tempfile, time, unittest

BIN = os.environ["GK_BIN_DIR"]
BASE = int(os.environ.get("GK_TEST_PORT", "24500"))
UNITS = {
    "gk-front.service": "[Unit]\nAfter=gk-back.service\n[Service]\nType=notify\nExecStart=/usr/bin/gk-front serve\n"
                        "Sockets=gk-front.socket gk-front-tls.socket\nRestart=on-failure\nWatchdogSec=1\nTimeoutStopSec=2\nTimeoutStartSec=2\n",
    "gk-front.socket": "[Socket]\nListenStream=25\nFileDescriptorName=smtp\n",
    "gk-front-tls.socket": "[Socket]\nListenStream=465\nFileDescriptorName=submissions\nService=gk-front.service\n",
    "gk-back.service": "[Service]\nType=notify\nExecStart=/usr/bin/gk-back serve\nSockets=gk-back.socket gk-back-news.socket\n"
                       "Restart=on-failure\nTimeoutStopSec=2\nTimeoutStartSec=2\n",
    "gk-back.socket": "[Socket]\nListenStream=/run/gk/lmtp.sock\nFileDescriptorName=lmtp\nSocketMode=0660\n",
    "gk-back-news.socket": "[Socket]\nListenDatagram=/run/gk/changes.sock\nFileDescriptorName=changes\nService=gk-back.service\n",
}


def read(path):
    with open(path) as f:
        return f.read()


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain")


class Up(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="gk-up-")
        self.root = self.dir + "/root"
        for name in ("root", "units", "programs"):
            os.mkdir(f"{self.dir}/{name}")
        open(self.root + "/gk.toml", "w").close()
        for name, text in UNITS.items():
            with open(f"{self.dir}/units/{name}", "w") as f:
                f.write(text)
        tiny = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiny_daemon.py")
        for name in ("gk-front", "gk-back"):
            shutil.copy(tiny, f"{self.dir}/programs/{name}")
            os.chmod(f"{self.dir}/programs/{name}", 0o755)
        self.up = None

    def tearDown(self):
        if self.up and self.up.poll() is None:
            self.up.kill()
            self.up.wait()
        if self.up:
            self.up.stdout.close()
            self.up.stderr.close()
        shutil.rmtree(self.dir)

    def start(self, *more, base=BASE):
        self.up = subprocess.Popen([f"{BIN}/gk-up", "--root", self.root, "--units", self.dir + "/units", "--programs", self.dir + "/programs",
                                    "--port-base", str(base), "--json", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def start_ready(self, *more):
        self.start(*more)
        line = self.up.stdout.readline()
        if not line:
            self.fail(self.up.stderr.read())
        return json.loads(line)["addresses"]

    def ask(self, address):
        s = socket.socket(socket.AF_UNIX if address.startswith("unix:") else socket.AF_INET)
        s.settimeout(10)
        s.connect(address[5:] if address.startswith("unix:") else (address.rsplit(":", 1)[0], int(address.rsplit(":", 1)[1])))
        said = b""
        while part := s.recv(65536):
            said += part
        s.close()
        return json.loads(said)

    def status(self):
        out = subprocess.run([f"{BIN}/gk-status", "--root", self.root, "--json"], capture_output=True, text=True)
        daemons = [json.loads(line) for line in out.stdout.splitlines()]
        return {d["name"]: d for d in daemons}

    def mode(self, program, mode):
        with open(f"{self.root}/{program}.mode", "w") as f:
            f.write(mode)

    def stop(self):
        self.up.send_signal(signal.SIGTERM)
        code = self.up.wait(15)
        return code

    def test_hands_over_the_sockets_that_the_units_describe(self):
        addresses = self.start_ready()
        self.assertEqual(addresses["smtp"], f"127.0.0.1:{BASE + 25}")
        self.assertEqual(addresses["submissions"], f"127.0.0.1:{BASE + 465}")
        self.assertEqual(addresses["lmtp"], f"unix:{self.root}/run/lmtp.sock")
        for role, program in (("smtp", "gk-front"), ("submissions", "gk-front"), ("lmtp", "gk-back")):
            said = self.ask(addresses[role])
            self.assertEqual((said["program"], said["role"]), (program, role))
            self.assertEqual(said["args"], ["serve", "--root", self.root])
        self.assertEqual(said["watchdog"], None)
        self.assertEqual(os.stat(self.root + "/run/lmtp.sock").st_mode & 0o777, 0o660)
        self.assertIn("tiny.started", read(self.root + "/log/gk-front.log"))

    def test_status_says_what_runs_and_since_when(self):
        self.start_ready()
        status = self.status()
        self.assertEqual(set(status), {"gk-front", "gk-back"})
        self.assertEqual(status["gk-front"]["state"], "ready")
        self.assertEqual(status["gk-front"]["status"], "hello from gk-front")
        self.assertRegex(status["gk-front"]["since"], r"^\d{4}-\d\d-\d\dT")
        os.kill(status["gk-front"]["pid"], 0)

    def test_restarts_what_was_killed_and_keeps_its_sockets(self):
        addresses = self.start_ready()
        before = self.ask(addresses["smtp"])["pid"]
        os.kill(before, signal.SIGKILL)
        after = self.ask(addresses["smtp"])["pid"]  # waits in the socket's backlog, is not refused
        self.assertNotEqual(before, after)
        status = until(lambda: (s := self.status()) and s["gk-front"]["state"] == "ready" and s)
        self.assertEqual(status["gk-front"]["restarts"], 1)
        self.assertIn("signal 9", status["gk-front"]["last_end"])
        self.assertEqual(status["gk-back"]["restarts"], 0)

    def test_ends_a_daemon_whose_watchdog_is_silent(self):
        self.start_ready()
        self.mode("gk-front", "hang")
        os.kill(self.status()["gk-front"]["pid"], signal.SIGKILL)
        until(lambda: "no answer in time, signal 6" in self.status()["gk-front"]["last_end"], 15)

    def test_stops_cleanly_and_in_order(self):
        self.start_ready()
        self.assertEqual(self.stop(), 0)
        self.assertEqual(read(self.root + "/stopped"), "gk-front\ngk-back\n")
        self.assertEqual([f for f in os.listdir(self.root + "/run") if f.endswith(".sock")], [])
        self.assertEqual(self.status(), {})

    def test_kills_what_does_not_stop_in_time(self):
        self.mode("gk-back", "stubborn")
        self.start_ready()
        self.assertEqual(self.stop(), 0)

    def test_reloads_all_daemons(self):
        addresses = self.start_ready()
        self.up.send_signal(signal.SIGHUP)
        until(lambda: self.ask(addresses["smtp"])["reloads"] == 1 and self.ask(addresses["lmtp"])["reloads"] == 1)

    def test_says_quickly_why_a_daemon_cannot_start(self):
        self.mode("gk-front", "fail")
        began = time.monotonic()
        self.start()
        self.assertEqual(self.up.wait(10), 78)
        self.assertLess(time.monotonic() - began, 5)
        self.assertIn("gk-front did not become ready: gk.toml:3: unknown key 'smpt.max_size'; exit status 78", self.up.stderr.read())
        self.assertEqual(self.up.stdout.read(), "")

    def test_gives_up_on_a_daemon_that_never_gets_ready(self):
        self.mode("gk-back", "mute")
        self.start()
        self.assertEqual(self.up.wait(20), 70)
        self.assertIn("gk-back did not become ready", self.up.stderr.read())

    def test_refuses_a_second_one_in_the_same_root(self):
        self.start_ready()
        second = subprocess.run([f"{BIN}/gk-up", "--root", self.root, "--units", self.dir + "/units", "--programs", self.dir + "/programs"],
                                capture_output=True, text=True, timeout=10)
        self.assertEqual(second.returncode, 75)
        self.assertIn("runs already", second.stderr)

    def test_leaves_nothing_running_when_killed(self):
        addresses = self.start_ready()
        pid = self.ask(addresses["smtp"])["pid"]
        self.up.kill()
        self.up.wait()
        until(lambda: not os.path.exists(f"/proc/{pid}") or read(f"/proc/{pid}/stat").split()[2] == "Z")
        self.up.stdout.close()
        self.up.stderr.close()
        self.start_ready()  # and its sockets are free again

    def test_starts_missing_programs_only_when_told_to_leave_them_out(self):
        os.unlink(self.dir + "/programs/gk-back")
        self.start()
        self.assertEqual(self.up.wait(10), 66)
        self.assertIn("gk-back", self.up.stderr.read())
        self.up.stdout.close()
        self.up.stderr.close()
        self.assertEqual(set(self.start_ready("--only", "front")), {"smtp", "submissions"})

    @unittest.skipUnless(os.getuid() == 0, "needs root")
    def test_changes_user_only_when_told(self):
        for directory in (self.dir, self.root):
            os.chmod(directory, 0o755)
        os.chmod(self.root, 0o777)  # the tiny daemon leaves a note there
        for name in ("gk-front", "gk-back"):
            with open(f"{self.dir}/units/{name}.service", "a") as f:
                f.write("User=nobody\nGroup=nogroup\n")
        addresses = self.start_ready()
        uid = lambda: os.stat(f"/proc/{self.ask(addresses['lmtp'])['pid']}").st_uid
        self.assertEqual(uid(), 0)
        self.assertEqual(self.stop(), 0)
        self.up.stdout.close()
        self.up.stderr.close()
        addresses = self.start_ready("--users")
        self.assertNotEqual(uid(), 0)
        self.assertEqual(self.stop(), 0)

    def test_names_a_socket_path_that_is_too_long(self):
        self.root = self.dir + "/" + "r" * 100
        os.mkdir(self.root)
        open(self.root + "/gk.toml", "w").close()
        self.start()
        self.assertEqual(self.up.wait(10), 65)
        self.assertIn("choose a shorter --root", self.up.stderr.read())


if __name__ == "__main__":
    unittest.main(verbosity=1)
