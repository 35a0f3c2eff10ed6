# SPDX-License-Identifier: MIT
"""The filters of bench/spam. Each begins empty, learns files and scores files; higher is more like spam. cpu() is what scoring took so far."""
import glob
import http.client
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tree_cpu(pid):
    """Of a process and its children, in seconds."""
    total = 0
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        words = text.rsplit(")", 1)[1].split()
        if int(path.split("/")[2]) == pid or int(words[1]) == pid:
            total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


class Filter:
    def __init__(self, place):
        self.place, self.scoring = place, 0.0
        os.makedirs(place)

    def run(self, words, text=None, codes=(0,)):
        done = subprocess.run(words, input=text, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode not in codes:
            raise SystemExit(f"{' '.join(words[:6])}: exit {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout

    def cpu(self):
        return self.scoring

    def stop(self):
        shutil.rmtree(self.place, ignore_errors=True)


class Gk(Filter):
    name, tool = "gk-spam", f"{ROOT}/build/bin/gk-spam"

    def learn(self, files):
        for path, spam in files:
            folder = f"{self.place}/mail/{'spam' if spam else 'ham'}"
            os.makedirs(folder, exist_ok=True)
            os.symlink(path, f"{folder}/{os.path.basename(path)}")
        self.run([self.tool, "train", "--home", f"{self.place}/model", f"{self.place}/mail"])

    def score(self, paths):
        folder = f"{self.place}/judged"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for i, path in enumerate(paths):
            os.symlink(path, f"{folder}/{i:06}")
        before = children_cpu()
        lines = self.run([self.tool, "classify", "--home", f"{self.place}/model", folder], codes=(0, 1, 2)).splitlines()
        self.scoring += children_cpu() - before
        return [float(line.split("\t")[2]) for line in lines]


class Bogofilter(Filter):
    name = "bogofilter"

    def learn(self, files):
        for flag, wanted in (("-s", True), ("-n", False)):
            names = "".join(path + "\n" for path, spam in files if spam == wanted)
            self.run(["bogofilter", "-C", "-d", self.place, flag, "-b"], names)

    def score(self, paths):
        before = children_cpu()
        lines = self.run(["bogofilter", "-C", "-d", self.place, "-TT", "-b"], "".join(path + "\n" for path in paths), codes=(0, 1, 2)).splitlines()
        self.scoring += children_cpu() - before
        return [float(line.split()[-1]) for line in lines]


class SpamAssassin(Filter):
    name, tool = "SpamAssassin's Bayes", f"{ROOT}/bench/spam_assassin.pl"

    def learn(self, files):
        self.run(["perl", self.tool, self.place], "".join(f"{'spam' if spam else 'ham'} {path}\n" for path, spam in files))

    def score(self, paths):
        before = children_cpu()
        lines = self.run(["perl", self.tool, self.place], "".join(f"score {path}\n" for path in paths)).splitlines()
        self.scoring += children_cpu() - before
        return [float(line) for line in lines]


RSPAMD = """
options {{ pidfile = "{place}/pid"; tempdir = "{place}"; hs_cache_dir = "{place}"; filters = ""; disable_hyperscan = true;
  classify_headers = ["User-Agent", "X-Mailer", "Content-Type", "X-MimeOLE"];
  url_tld = "/usr/share/rspamd/effective_tld_names.dat"; dns {{ nameserver = ["127.0.0.1:1:1"]; timeout = 0.01s; retransmits = 1; }} }}
logging {{ type = "console"; level = "error"; }}
actions {{ reject = 1e15; }}
classifier "bayes" {{
  tokenizer {{ name = "osb"; }}
  cache {{ type = "sqlite3"; path = "{place}/learned.sqlite"; }}
  backend = "sqlite3"; min_tokens = 1; min_learns = 1; autolearn = false;
  statfile {{ symbol = "BAYES_HAM"; path = "{place}/ham.sqlite"; spam = false; }}
  statfile {{ symbol = "BAYES_SPAM"; path = "{place}/spam.sqlite"; spam = true; }}
}}
group "statistics" {{ symbols {{ "BAYES_SPAM" {{ weight = 1000000000; }} "BAYES_HAM" {{ weight = -1000000000; }} }} }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
worker "controller" {{ bind_socket = "127.0.0.1:{control}"; count = 1; secure_ip = "127.0.0.1"; }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Rspamd(Filter):
    """An instance that does nothing but Bayes."""
    name = "rspamd's Bayes"

    def __init__(self, place):
        super().__init__(place)
        os.chmod(place, 0o777)
        self.port, self.control = free_port(), free_port()
        with open(f"{place}/rspamd.conf", "w", encoding="ascii") as file:
            file.write(RSPAMD.format(place=place, port=self.port, control=self.control))
        with open(f"{place}/log", "w", encoding="ascii") as log:
            self.process = subprocess.Popen(["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", f"{place}/rspamd.conf",
                                             *(f"--var={name}={place}" for name in ("DBDIR", "RUNDIR", "LOGDIR"))], stdout=log, stderr=log)
        for port in (self.port, self.control):
            self.wait_for(port)

    def wait_for(self, port):
        for _ in range(1200):
            if self.process.poll() is not None:
                with open(f"{self.place}/log", encoding="utf-8", errors="replace") as log:
                    raise SystemExit("rspamd: " + log.read()[-2000:])
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("rspamd does not come up")

    @staticmethod
    def ask(connection, verb, path):
        with open(path, "rb") as file:
            connection.request("POST", verb, file.read())
        answer = connection.getresponse()
        return answer.status, answer.read()

    def learn(self, files):
        for path, spam in files:
            connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=60)
            status, text = self.ask(connection, "/learnspam" if spam else "/learnham", path)
            if status not in (200, 204, 208) and b"already learned" not in text:
                raise SystemExit(f"rspamd: {status} {text!r}")
            connection.close()

    def score(self, paths):
        before = tree_cpu(self.process.pid)
        scores = []
        for path in paths:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            _, text = self.ask(connection, "/checkv2", path)
            connection.close()
            symbols = json.loads(text).get("symbols", {})
            scores.append(sum(each["score"] for name, each in symbols.items() if re.match("BAYES", name)))
        self.scoring += tree_cpu(self.process.pid) - before
        return scores

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        super().stop()


ALL = {"gk": Gk, "bogofilter": Bogofilter, "spamassassin": SpamAssassin, "rspamd": Rspamd}
