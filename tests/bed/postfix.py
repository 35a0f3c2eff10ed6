# SPDX-License-Identifier: MIT
"""A private Postfix: own configuration, queue, log and Maildirs; nothing of the system's instance is touched. Needs root."""
import os
import pwd
import shutil
import subprocess
import tempfile

from bed import gk

_KEEP = {"postlog", "cleanup", "qmgr", "tlsmgr", "rewrite", "bounce", "defer", "trace", "verify", "flush", "proxymap", "proxywrite", "smtp",
         "relay", "error", "retry", "discard", "local", "virtual", "lmtp", "anvil", "scache", "pickup"}


class Postfix:
    """with Postfix("mx.b.test", "b.test", ["25"], prefix=net.inside("mx-b")) as peer: all of b.test lands in one Maildir.

    LISTEN: addresses, or (address, "setting=value", …) for a listener with settings of its own. DOMAIN: one or more, blanks between.
    """

    def __init__(self, hostname, domain, listen=("25",), settings="", prefix=(), certificate=None):
        self.folder = tempfile.mkdtemp(prefix="gk-postfix-")
        self.hostname, self.domain, self.prefix = hostname, domain, list(prefix)
        self.config = f"{self.folder}/etc"
        self.maildir = f"{self.folder}/mail/inbox"
        self.running = False
        for part in ("etc/dynamicmaps.cf.d", "etc/postfix-files.d", "queue", "data", "mail"):
            os.makedirs(f"{self.folder}/{part}")
        os.chmod(self.folder, 0o755)
        postfix, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        os.chown(f"{self.folder}/data", postfix.pw_uid, postfix.pw_gid)
        os.chown(f"{self.folder}/mail", nobody.pw_uid, nobody.pw_gid)
        for name in ("postfix-files",):
            if os.path.exists(f"/etc/postfix/{name}"):
                shutil.copy(f"/etc/postfix/{name}", f"{self.config}/{name}")
        open(f"{self.config}/dynamicmaps.cf", "w", encoding="ascii").close()
        self._master(listen)
        if certificate is None:
            certificate = (f"{self.folder}/tls.crt", f"{self.folder}/tls.key")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={hostname}",
                            "-keyout", certificate[1], "-out", certificate[0]], check=True, capture_output=True)
        with open(f"{self.config}/main.cf", "w", encoding="ascii") as file:
            file.write(f"""compatibility_level = 3.6
queue_directory = {self.folder}/queue
data_directory = {self.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {hostname}
mydestination =
inet_interfaces = all
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = {self.folder}/log
maillog_file_prefixes = {self.folder}
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {self.folder}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
smtpd_tls_cert_file = {certificate[0]}
smtpd_tls_key_file = {certificate[1]}
smtpd_tls_security_level = may
smtp_tls_security_level = may
smtp_tls_loglevel = 1
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
minimal_backoff_time = 5s
maximal_backoff_time = 5s
queue_run_delay = 2s
{settings}
""")

    def _master(self, listen):
        """Debian's master.cf without chroot, without services of the system, listening where we say."""
        source = next(path for path in ("/etc/postfix/master.cf", "/usr/share/postfix/master.cf.dist") if os.path.exists(path))
        lines, keeping = [], False
        for line in gk.contents(source).decode("utf-8").splitlines(keepends=True):
            if line.startswith(("#", "\n")):
                continue
            if line[0].isspace():
                if keeping:
                    lines.append(line)
                continue
            words = line.split()
            is_listener = words[0] == "smtp" and words[1] == "inet"
            keeping = words[0] in _KEEP and not is_listener and words[1] != "pass"
            if keeping:
                words[4] = "n"
                if words[0] == "postlog":
                    words[1] = "unix-dgram"
                lines.append(" ".join(words) + "\n")
        for entry in listen:
            address, *options = (entry,) if isinstance(entry, str) else entry
            lines.append(f"{address} inet n - n - - smtpd\n")
            lines += [f"  -o {option}\n" for option in options]
        with open(f"{self.config}/master.cf", "w", encoding="ascii") as file:
            file.writelines(lines)

    def command(self, *words):
        return subprocess.run([*self.prefix, *words], capture_output=True, text=True, check=False)

    def start(self):
        if self.running:
            return self
        done = self.command("/usr/sbin/postfix", "-c", self.config, "start")
        if done.returncode:
            raise gk.Failed(f"postfix: {done.stdout}{done.stderr}{self.log()}")
        self.running = True
        return self

    def stop(self):
        if self.running:
            self.command("/usr/sbin/postfix", "-c", self.config, "stop")
            self.running = False

    def send(self, sender, recipient, message):
        """By the sendmail program, as cron would."""
        done = subprocess.run([*self.prefix, "/usr/sbin/sendmail", "-C", self.config, "-f", sender, recipient], input=message.replace(b"\r\n", b"\n"),
                              capture_output=True, check=False)
        if done.returncode:
            raise gk.Failed(f"sendmail: {done.stderr.decode()}")

    def flush(self):
        self.command("/usr/sbin/postqueue", "-c", self.config, "-f")

    def files(self):
        folder = f"{self.maildir}/new"
        return [f"{folder}/{name}" for name in os.listdir(folder)] if os.path.isdir(folder) else []

    def log(self):
        return gk.contents(f"{self.folder}/log").decode("utf-8", "replace") if os.path.exists(f"{self.folder}/log") else ""

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
