# SPDX-License-Identifier: MIT
"""A private Dovecot over somebody's Maildir: IMAP on 127.0.0.1, one static password, its own directories. Needs root."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from bed import gk


class Dovecot:
    """with Dovecot({"ann": "/path/Maildir"}) as dovecot: IMAP without TLS on 127.0.0.1:dovecot.port, password "pw".

    Dovecot(None) has any account that logs in, with an empty Maildir of its own. SETTINGS go at the end of its configuration.
    """

    def __init__(self, maildirs, settings="", password="pw", within=None):
        self.folder = tempfile.mkdtemp(prefix="gk-dovecot-", dir=within)
        os.chmod(self.folder, 0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        # Dovecot refuses to serve uid 0, so each Maildir belongs to nobody while it runs.
        self.maildirs = maildirs or {}
        users = "".join(f"{user}:{{PLAIN}}{password}:65534:65534::{path}::userdb_mail=maildir:{path}\n" for user, path in self.maildirs.items())
        with open(f"{self.folder}/users", "w", encoding="utf-8") as file:
            file.write(users)
        driver, password_args, user_args = "passwd-file", f"{self.folder}/users", f"{self.folder}/users"
        if maildirs is None:
            os.makedirs(f"{self.folder}/home")
            os.chown(f"{self.folder}/home", 65534, 65534)
            driver, password_args = "static", f"password={password}"
            user_args = f"uid=65534 gid=65534 home={self.folder}/home/%u mail=maildir:~/Maildir"
        with open(f"{self.folder}/dovecot.conf", "w", encoding="utf-8") as file:
            file.write(f"""protocols = imap
base_dir = {self.folder}/run
state_dir = {self.folder}/run
log_path = {self.folder}/log
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
first_valid_gid = 1
default_internal_user = dovecot
default_login_user = dovenull
mail_fsync = always
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
passdb {{
  driver = {driver}
  args = {password_args}
}}
userdb {{
  driver = {driver}
  args = {user_args}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
{settings}""")
        self.process = None

    def __enter__(self):
        self.owners = {}
        for path in self.maildirs.values():
            for folder, _, names in os.walk(path):
                for name in [""] + names:
                    os.chown(os.path.join(folder, name) if name else folder, 65534, 65534)
            above = os.path.dirname(path)
            while above != "/":
                self.owners[above] = os.stat(above).st_mode
                os.chmod(above, os.stat(above).st_mode | 0o011)
                above = os.path.dirname(above)
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", f"{self.folder}/dovecot.conf"])
        gk.wait_for("Dovecot", self._answers, 20)
        return self

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                return probe.recv(10).startswith(b"* OK")
        except OSError:
            return False

    def log(self):
        return gk.contents(f"{self.folder}/log").decode("utf-8", "replace") if os.path.exists(f"{self.folder}/log") else ""

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        for path in self.maildirs.values():
            for folder, _, names in os.walk(path):
                for name in [""] + names:
                    os.chown(os.path.join(folder, name) if name else folder, os.getuid(), os.getgid())
        for above, mode in self.owners.items():
            os.chmod(above, mode)
        shutil.rmtree(self.folder, ignore_errors=True)
