# SPDX-License-Identifier: MIT
"""The servers that are measured: gk and its peers, each as a private instance below one directory.

Every process a server starts is ended by its number. Each has a cgroup of its own where the kernel has cpuacct (v1), so that the
CPU time of all its processes, ended ones too, is counted; else /proc is added up.
"""
import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("GK_BUILD_DIR", f"{os.path.dirname(HERE)}/build")
BIN = os.environ.get("GK_BIN_DIR", f"{BUILD}/bin")
DOMAIN = "example.org"
CGROUPS = "/sys/fs/cgroup/cpuacct"
TICK = os.sysconf("SC_CLK_TCK")


class Unavailable(Exception):
    """A peer that cannot run here, and why."""


def wait_for(what, condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Unavailable(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.02)


def answers(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """One server under measurement. Subclasses fill in start_processes(), and say where messages for a user arrive."""

    name = "server"

    def __init__(self, directory, port, users):
        self.directory, self.port, self.users = f"{directory}/{self.name}", port, users
        self.lmtp = None            # where smtp-source finds its LMTP, if it speaks it
        self.process = None
        os.makedirs(self.directory)
        self.cgroup = f"{CGROUPS}/gk-bench-{os.getpid()}-{self.name}"
        try:
            os.mkdir(self.cgroup)
        except OSError:
            self.cgroup = None

    def spawn(self, words, **options):
        """Starts WORDS inside our cgroup, so that all it starts is counted too."""
        def join():
            if self.cgroup:
                with open(f"{self.cgroup}/cgroup.procs", "w", encoding="ascii") as file:
                    file.write(str(os.getpid()))
        return subprocess.Popen(words, preexec_fn=join, stdin=subprocess.DEVNULL, **options)

    def pids(self):
        if self.cgroup:
            with open(f"{self.cgroup}/cgroup.procs", encoding="ascii") as file:
                return [int(line) for line in file]
        found, parents = [], [self.process.pid] if self.process else []
        while parents:
            found += parents
            children = []
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                        if int(file.read().rsplit(")", 1)[1].split()[1]) in parents:
                            children.append(int(pid))
                except OSError:
                    pass
            parents = children
        return found

    def cpu_seconds(self):
        if self.cgroup:
            with open(f"{self.cgroup}/cpuacct.usage", encoding="ascii") as file:
                return int(file.read()) / 1e9
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    total += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:15]))
            except OSError:
                pass
        return total / TICK

    def maildir(self, user):
        raise NotImplementedError

    def stored(self, user):
        """How many messages are in the user's new/ and cur/."""
        total = 0
        for part in ("new", "cur"):
            try:
                total += len(os.listdir(f"{self.maildir(user)}/{part}"))
            except FileNotFoundError:
                pass
        return total

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if not self.cgroup:
            return
        deadline = time.monotonic() + 20
        while self.pids() and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        while self.pids():
            time.sleep(0.05)
        os.rmdir(self.cgroup)


class Gk(Server):
    """Every daemon of gk, under gk-up, as bootstrap starts them; the events of all are written, as always."""

    name = "gk"

    SETTINGS = "[auth]\nplaintext_without_tls = true\n"    # as the peers are used here

    def start(self):
        self.make()
        self.begin()

    def make(self):
        root = self.directory
        self.command("gk-config", "init", "--root", root, "--hostname", "mx.example.org")
        os.makedirs(f"{root}/gk.toml.d", exist_ok=True)
        with open(f"{root}/gk.toml.d/50-bench.toml", "w", encoding="utf-8") as file:
            file.write(self.SETTINGS)
        self.command("gk-domain", "add", DOMAIN, "--root", root)
        for user in self.users:
            self.command("gk-user", "add", f"{user}@{DOMAIN}", "--root", root, "--password-file", "-", stdin="bench 1 bench\n")

    def begin(self):
        root = self.directory
        self.process = self.spawn([f"{BIN}/gk-up", "--root", root, "--port-base", str(self.port - 25), "--json"],
                                  stdout=subprocess.PIPE, stderr=open(f"{root}/gk-up.err", "w", encoding="utf-8"), text=True)
        if not select.select([self.process.stdout], [], [], 30)[0] or not self.process.stdout.readline().strip():
            with open(f"{root}/gk-up.err", encoding="utf-8") as said:
                raise Unavailable(f"gk-up was not ready: {said.read()[-2000:]}")
        self.lmtp, self.imap = f"unix:{root}/run/lmtp.sock", self.port - 25 + 143

    @staticmethod
    def command(program, *words, stdin=None):
        done = subprocess.run([f"{BIN}/{program}", *words], input=stdin, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"{program} {' '.join(words)}: {done.stderr.strip()}")

    def end(self):
        """Until begin() is called again."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process.stdout.close()

    def maildir(self, user):
        return f"{self.directory}/mail/{DOMAIN}/{user}/Maildir"

    def owner(self):
        return os.geteuid(), os.getegid()

    def certificate(self):
        return f"{self.directory}/keys/tls/default.crt", f"{self.directory}/keys/tls/default.key"


class Postfix(Server):
    """Postfix as Debian configures it, but for chroot: smtpd, cleanup, qmgr, and virtual(8) into Maildirs."""

    name = "postfix"

    def __init__(self, directory, port, users, certificate=None):
        super().__init__(directory, port, users)
        self.certificate = certificate
        self.config = f"{self.directory}/etc"

    def start(self):
        if not os.path.exists("/usr/sbin/postfix"):
            raise Unavailable("postfix is not installed")
        if os.geteuid() != 0:
            raise Unavailable("postfix needs root")
        for name in ("etc", "etc/dynamicmaps.cf.d", "etc/postfix-files.d", "queue", "data", "mail"):
            os.makedirs(f"{self.directory}/{name}")
        shutil.chown(f"{self.directory}/data", "postfix")
        shutil.chown(f"{self.directory}/mail", "nobody", "nogroup")
        nobody = pwd.getpwnam("nobody").pw_uid
        master = "/etc/postfix/master.cf" if os.path.exists("/etc/postfix/master.cf") else "/usr/share/postfix/master.cf.dist"
        lines = []
        with open(master, encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if line[:1].isalpha() and len(words) >= 8:
                    if words[0] == "smtp" and words[1] == "inet":
                        words[0] = f"127.0.0.1:{self.port}"
                    if words[4] == "y":
                        words[4] = "n"   # no chroot
                    if words[0] == "postlog":
                        words[4] = "n"
                    line = " ".join(words) + "\n"
                lines.append(line)
        with open(f"{self.config}/master.cf", "w", encoding="utf-8") as file:
            file.writelines(lines)
        with open(f"{self.config}/users", "w", encoding="utf-8") as file:
            file.writelines(f"{user}@{DOMAIN} {user}/\n" for user in self.users)
        tls = ""
        if self.certificate:
            tls = f"smtpd_tls_cert_file = {self.certificate[0]}\nsmtpd_tls_key_file = {self.certificate[1]}\nsmtpd_tls_security_level = may\n"
        with open(f"{self.config}/main.cf", "w", encoding="utf-8") as file:
            file.write(f"""compatibility_level = 3.6
queue_directory = {self.directory}/queue
data_directory = {self.directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = {self.directory}/log
maillog_file_prefixes = /
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {self.directory}/mail
virtual_mailbox_maps = texthash:{self.config}/users
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:{nobody}
virtual_minimum_uid = 1
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
{tls}""")
        for name in ("dynamicmaps.cf", "postfix-files"):
            if os.path.exists(f"/etc/postfix/{name}"):
                shutil.copy(f"/etc/postfix/{name}", f"{self.config}/{name}")
        with open(f"{self.directory}/start.log", "w", encoding="utf-8") as said:
            self.process = self.spawn(["/usr/sbin/postfix", "-c", self.config, "start"], stdout=said, stderr=said)
            self.process.wait()
        wait_for("postfix", lambda: answers(self.port))

    def maildir(self, user):
        return f"{self.directory}/mail/{user}"

    def stop(self):
        with open(f"{self.directory}/stop.log", "w", encoding="utf-8") as said:
            subprocess.run(["/usr/sbin/postfix", "-c", self.config, "stop"], stdout=said, stderr=said, check=False)
        super().stop()


class Dovecot(Server):
    """Dovecot's LMTP and IMAP servers with their defaults, over Maildirs; FAST_LOGINS: its high-performance mode of login."""

    name = "dovecot"

    def __init__(self, directory, port, users, fast_logins=False):
        if fast_logins:
            self.name = "dovecot-fast"
        super().__init__(directory, port, users)
        self.imap, self.fast_logins = port + 1, fast_logins

    def start(self):
        for program, package in (("lmtp", "dovecot-lmtpd"), ("imap", "dovecot-imapd")):
            if not os.path.exists(f"/usr/lib/dovecot/{program}"):
                raise Unavailable(f"{package} is not installed")
        if os.geteuid() != 0:
            raise Unavailable("dovecot needs root")
        for name in ("mail", "run", "state"):
            os.makedirs(f"{self.directory}/{name}")
        shutil.chown(f"{self.directory}/mail", "nobody", "nogroup")
        fast = "service imap-login {\n  service_count = 0\n  process_min_avail = 2\n}\nservice imap {\n  service_count = 200\n}\n" if self.fast_logins else ""
        with open(f"{self.directory}/dovecot.conf", "w", encoding="utf-8") as file:
            file.write(f"""base_dir = {self.directory}/run
state_dir = {self.directory}/state
log_path = {self.directory}/log
protocols = imap lmtp
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{self.directory}/mail/%n
mail_max_userip_connections = 0
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={self.directory}/mail/%n-home allow_all_users=yes
}}
passdb {{
  driver = static
  args = nopassword=y
}}
service auth {{
  client_limit = 4000
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.port}
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
{fast}""")
        self.process = self.spawn(["/usr/sbin/dovecot", "-c", f"{self.directory}/dovecot.conf", "-F"])
        wait_for("dovecot", lambda: answers(self.port) and answers(self.imap))
        self.lmtp = f"127.0.0.1:{self.port}"

    def maildir(self, user):
        return f"{self.directory}/mail/{user}"

    def owner(self):
        return pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid


def environment():
    """What the numbers were made on."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")
    return json.dumps({"cpus": os.cpu_count(), "model": model, "kernel": os.uname().release})
