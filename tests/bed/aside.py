# SPDX-License-Identifier: MIT
"""Peers that Debian would not install beside Postfix: unpacked by `./bootstrap test` into build/peers/NAME, and run in a mount
namespace of their own, where the users and directories are that their packages would have made. Needs root.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

from bed import case, gk, hostile_peer

PEERS = os.environ.get("GK_PEERS", f"{gk.ROOT}/build/peers")


def certificate(folder, hostname):
    """A self-signed pair of files (chain, key)."""
    pair = f"{folder}/tls.crt", f"{folder}/tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", f"/CN={hostname}", "-keyout", pair[1], "-out", pair[0]],
                   check=True, capture_output=True)
    return pair


class Aside:
    """A daemon for DOMAIN on 127.0.0.1:self.port, whose Maildir is self.files(); mail for other domains it hands to gk at GK_PORT."""

    NAME = ""        # of its directory below build/peers
    USERS = ()       # (name, uid), each with a group of its name
    SETUP = ""       # shell commands before it starts, $1 being its folder and $2 where it was unpacked

    def __init__(self, domain, gk_port):
        self.unpacked = f"{PEERS}/{self.NAME}"
        self.folder = tempfile.mkdtemp(prefix=f"gk-{self.NAME}-")
        self.domain, self.gk_port, self.process = domain, gk_port, None
        os.chmod(self.folder, 0o755)
        with hostile_peer.Peer() as free:
            self.port = free.port
        self.certificate = certificate(self.folder, f"mx.{domain}")
        os.makedirs(f"{self.folder}/mail")
        os.chmod(f"{self.folder}/mail", 0o777)
        for file, line in (("passwd", "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin\n"), ("group", "{0}:x:{1}:\n")):
            with open(f"{self.folder}/{file}", "w", encoding="utf-8") as out:
                out.write(gk.contents(f"/etc/{file}").decode() + "".join(line.format(*user) for user in self.USERS))
        self.configure()

    @classmethod
    def missing(cls):
        """Why it cannot be run, in words; None when it can."""
        return None if os.path.isdir(f"{PEERS}/{cls.NAME}") else f"{cls.NAME} is not in {PEERS}: ./bootstrap test unpacks it there"

    def configure(self):
        raise NotImplementedError

    def words(self, *command):
        """COMMAND as its package would run it. A tmpfs covers what the package would own; the machine's files stay as they are."""
        script = ("set -e; mount --bind $1/passwd /etc/passwd; mount --bind $1/group /etc/group; "
                  f"mount --bind $1/state /var/lib; {self.SETUP} shift 2; exec \"$@\"")
        return ["unshare", "-m", "sh", "-c", script, "aside", self.folder, self.unpacked, *command]

    def write(self, name, text):
        os.makedirs(os.path.dirname(f"{self.folder}/{name}"), exist_ok=True)
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *command, stdin=b""):
        done = subprocess.run(self.words(*command), input=stdin, capture_output=True, check=False, timeout=60)
        if done.returncode:
            raise gk.Failed(f"{command}: {done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}{self.log()}")
        return done.stdout

    def start(self, *command):
        with open(f"{self.folder}/said", "ab") as said:
            self.process = subprocess.Popen(self.words(*command), stdout=said, stderr=said)
        gk.wait_for(self.NAME, self._answers, 30)

    def _answers(self):
        if self.process.poll() is not None:
            raise gk.Failed(f"{self.NAME} ended with {self.process.returncode}: {self.log()}")
        with contextlib.suppress(OSError):
            smtp = case.smtplib.SMTP("127.0.0.1", self.port, timeout=5)
            smtp.close()
            return True
        return False

    def files(self):
        found = []
        for folder, _, names in os.walk(f"{self.folder}/mail"):
            if os.path.basename(folder) in ("new", "cur"):
                found += [f"{folder}/{name}" for name in names]
        return found

    def log(self):
        return "".join(gk.contents(path).decode("utf-8", "replace") for path in (f"{self.folder}/said", f"{self.folder}/log/main") if os.path.exists(path))

    def __enter__(self):
        self.begin()
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Exim(Aside):
    NAME = "exim"
    USERS = (("Debian-exim", 64098),)

    def configure(self):
        for part in ("spool", "log"):
            os.makedirs(f"{self.folder}/{part}")
            os.chown(f"{self.folder}/{part}", 64098, 64098)
        os.chown(self.certificate[1], 64098, 64098)
        # Where Debian's exim looks for its configuration: no -C, which would cost it its rights.
        self.write("state/exim4/config.autogenerated", f"""primary_hostname = mx.{self.domain}
exim_path = {self.unpacked}/usr/sbin/exim4
spool_directory = {self.folder}/spool
keep_environment =
log_file_path = {self.folder}/log/%s
pid_file_path = {self.folder}/spool/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.port}
tls_advertise_hosts = *
tls_certificate = {self.certificate[0]}
tls_privatekey = {self.certificate[1]}
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept
never_users =
dsn_advertise_hosts = *
begin acl
check_rcpt:
  deny local_parts = nobody
       message = no such person
  accept
begin routers
here:
  driver = accept
  domains = {self.domain}
  transport = maildir
there:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = smtp
begin transports
maildir:
  driver = appendfile
  directory = {self.folder}/mail
  maildir_format
  user = nobody
  group = nogroup
  delivery_date_add
  envelope_to_add
  return_path_add
smtp:
  driver = smtp
  port = {self.gk_port}
begin retry
* * F,1h,2s
""")

    def begin(self):
        self.start(f"{self.unpacked}/usr/sbin/exim4", "-bdf", "-q5s")

    def send(self, sender, recipient, message):
        self.run(f"{self.unpacked}/usr/sbin/exim4", "-oi", "-f", sender, recipient, stdin=message.replace(b"\r\n", b"\n"))


class OpenSmtpd(Aside):
    NAME = "opensmtpd"
    USERS = (("opensmtpd", 64096), ("opensmtpq", 64097))
    SETUP = ("mount --bind $1/var-spool /var/spool; mount --bind $1/run /run; mkdir -p $1/libexec; mount --bind $2/usr/libexec /usr/libexec; ")

    def configure(self):
        for part in ("state/opensmtpd/empty", "var-spool/smtpd", "run"):
            os.makedirs(f"{self.folder}/{part}")
        os.chmod(f"{self.folder}/var-spool/smtpd", 0o711)
        os.chmod(self.certificate[1], 0o600)
        self.write("smtpd.conf", f"""pki "mx.{self.domain}" cert "{self.certificate[0]}"
pki "mx.{self.domain}" key "{self.certificate[1]}"
listen on 127.0.0.1 port {self.port} tls pki "mx.{self.domain}" hostname mx.{self.domain} received-auth
table people {{ "carl" = "nobody" }}
action "here" maildir "{self.folder}/mail" virtual <people>
action "there" relay host smtp://127.0.0.1:{self.gk_port} helo mx.{self.domain}
match from any for domain "{self.domain}" action "here"
match from any for any action "there"
""")

    def begin(self):
        self.start(f"{self.unpacked}/usr/sbin/smtpd", "-d", "-f", f"{self.folder}/smtpd.conf")

    def send(self, sender, recipient, message):
        """Through its port: its sendmail is a program that Debian makes setgid."""
        with case.smtplib.SMTP("127.0.0.1", self.port, timeout=30) as smtp:
            smtp.sendmail(sender, [recipient], message)
