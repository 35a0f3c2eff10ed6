# SPDX-License-Identifier: MIT
"""A private Cyrus IMAP of Debian's packages, which `./bootstrap test` unpacked into build/peers/cyrus: they cannot be installed
beside Dovecot's. IMAP on 127.0.0.1, its own directories, any account that asks. Needs root, since master gives its rights away.
"""
import base64
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from bed import gk

UNPACKED = os.environ.get("GK_CYRUS", f"{gk.ROOT}/build/peers/cyrus")


def missing():
    """Why there is no Cyrus to run, in words; None when there is one."""
    if not os.path.exists(f"{UNPACKED}/usr/lib/cyrus/bin/imapd"):
        return f"Cyrus is not in {UNPACKED}: ./bootstrap test unpacks it there"
    if not os.path.exists("/usr/sbin/saslpasswd2"):
        return "saslpasswd2 is missing: the package sasl2-bin has it"
    return None


class Cyrus:
    """with Cyrus() as cyrus: IMAP without TLS on 127.0.0.1:cyrus.port. ADMIN logs in as anybody (cyrus.plain(account)); an account
    is made by its first login. Accounts named in PASSWORDS have the password "pw". WITHIN is where its directory goes.
    """

    ADMIN, PASSWORD = "admin", "pw"

    def __init__(self, passwords=(), settings="", poll_seconds=1, children=100, within=None):
        self.folder = tempfile.mkdtemp(prefix="gk-cyrus-", dir=within)
        self.library = f"{UNPACKED}/usr/lib/x86_64-linux-gnu"
        self.bin = f"{UNPACKED}/usr/lib/cyrus/bin"
        self.environment = {**os.environ, "LD_LIBRARY_PATH": self.library, "CYRUS_USER": "nobody"}
        self.process = None
        os.chmod(self.folder, 0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for name in ("conf", "conf/socket", "conf/proc", "conf/db", "spool", "temp"):
            os.makedirs(f"{self.folder}/{name}")
        with open(f"{self.folder}/imapd.conf", "w", encoding="ascii") as file:
            file.write(f"""configdirectory: {self.folder}/conf
cyrus_user: nobody
cyrus_group: nogroup
defaultpartition: default
partition-default: {self.folder}/spool
temp_path: {self.folder}/temp
proc_path: {self.folder}/conf/proc
mboxname_lockpath: {self.folder}/conf/lock
cyrus_master_ready_file: {self.folder}/conf/ready
admins: {self.ADMIN}
proxyservers: {self.ADMIN}
virtdomains: off
unixhierarchysep: on
altnamespace: on
allowplaintext: yes
sasl_mech_list: PLAIN
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {self.folder}/sasldb
servername: mx.cyrus.test
autocreate_quota: 0
autocreate_inbox_folders: Drafts | Sent | Junk | Trash | Archive
autocreate_subscribe_folders: Drafts | Sent | Junk | Trash | Archive
xlist-drafts: Drafts
xlist-sent: Sent
xlist-junk: Junk
xlist-trash: Trash
xlist-archive: Archive
imapidlepoll: {poll_seconds}
duplicatesuppression: no
munge8bit: no
delete_mode: immediate
expunge_mode: delayed
maxlogins_per_user: 0
syslog_prefix: gk-test
{settings}""")
        with open(f"{self.folder}/cyrus.conf", "w", encoding="ascii") as file:
            file.write(f"""START {{
  recover cmd="{self.bin}/ctl_cyrusdb -C {self.folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{self.bin}/imapd -U 500 -C {self.folder}/imapd.conf" listen="127.0.0.1:{self.port}" prefork=4 maxchild={children}
}}
EVENTS {{
}}
""")
        for account in (self.ADMIN, *passwords):
            subprocess.run(["/usr/sbin/saslpasswd2", "-p", "-c", "-u", "mx.cyrus.test", "-f", f"{self.folder}/sasldb", account], input=self.PASSWORD,
                           text=True, check=True, capture_output=True)
        for folder, _, names in os.walk(self.folder):
            for name in ["", *names]:
                os.chown(os.path.join(folder, name), 65534, 65534)

    def plain(self, account):
        """The initial response of AUTHENTICATE PLAIN that logs in as ACCOUNT."""
        return base64.b64encode(f"{account}\0{self.ADMIN}\0{self.PASSWORD}".encode()).decode()

    def __enter__(self):
        with open(f"{self.folder}/said", "w", encoding="utf-8") as said:
            self.process = subprocess.Popen([f"{self.bin}/master", "-D", "-C", f"{self.folder}/imapd.conf", "-M", f"{self.folder}/cyrus.conf", "-p",
                                             f"{self.folder}/conf/master.pid"], env=self.environment, stdout=said, stderr=said)
        gk.wait_for("Cyrus", self._answers, 20)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise gk.Failed(f"Cyrus ended with {self.process.returncode}: {gk.contents(f'{self.folder}/said')}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as probe:
                return probe.recv(10).startswith(b"* OK")
        except OSError:
            return False

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)  # master passes it on to its children
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
