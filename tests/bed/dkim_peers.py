# SPDX-License-Identifier: MIT
"""Other people's DKIM: OpenDKIM's library, python3-dkim and rspamd, each as verify() and sign()."""
import base64
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time

from bed import gk

HERE = os.path.dirname(os.path.abspath(__file__))


class Unavailable(Exception):
    """The peer is not installed; says what is missing."""


def read_keys(path):
    """The records of a file that gk's --dns-file reads."""
    with open(path, encoding="utf-8") as file:
        return dict((line.split(" ", 2)[0], line.strip().split(" ", 2)[2]) for line in file if " TXT " in line)


class Key:
    """A private key of ours for others to sign with."""

    def __init__(self, domain, selector, algorithm, pem_path):
        self.domain, self.selector, self.algorithm, self.pem_path = domain, selector, algorithm, pem_path
        with open(pem_path, encoding="ascii") as file:
            self.pem = file.read()

    def seed(self):
        """Of an Ed25519 key: the last 32 octets of its PKCS #8 form (RFC 8410, 7)."""
        return base64.b64decode("".join(line for line in self.pem.splitlines() if "-" not in line))[-32:]


class Peer:
    algorithms = ("rsa", "ed25519")

    def __init__(self, folder):
        self.folder = folder

    def canons(self, _algorithm):
        """Those that it signs by soundly."""
        return ("relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple")

    def close(self):
        pass

    def files(self, name, messages):
        """One file a message, in an empty folder."""
        folder = f"{self.folder}/{name}"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        paths = [f"{folder}/{number:05}" for number in range(len(messages))]
        for path, message in zip(paths, messages):
            with open(path, "wb") as file:
                file.write(message)
        return paths


class OpenDkim(Peer):
    name = "opendkim"

    def __init__(self, folder):
        super().__init__(folder)
        if not shutil.which("cc") or not os.path.exists("/usr/include/opendkim/dkim.h"):
            raise Unavailable("libopendkim-dev or a C compiler is not installed")
        self.program = f"{folder}/opendkim_peer"
        subprocess.run(["cc", "-O2", "-o", self.program, f"{HERE}/opendkim_peer.c", "-lopendkim"], check=True)

    def canons(self, algorithm):
        # What 2.11.0-beta2 signs with Ed25519 and a simple header, neither it nor python3-dkim verifies.
        return super().canons(algorithm) if algorithm == "rsa" else ("relaxed/relaxed", "relaxed/simple")

    def verify(self, keys, messages):
        said = subprocess.run([self.program, "verify", keys, *self.files("to-verify", messages)], check=True, capture_output=True, text=True)
        return [[tuple(one.split(" ")) for one in line.split(";") if one] for line in said.stdout.splitlines()]

    def sign(self, key, canon, messages, length=-1, when=0, ttl=0):
        out = f"{self.folder}/signed"
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        paths = self.files("to-sign", messages)
        subprocess.run([self.program, "sign", key.algorithm, *canon.split("/"), key.domain, key.selector, key.pem_path, str(length), str(when),
                        str(ttl), out, *paths], check=True)
        return [gk.contents(f"{out}/{os.path.basename(path)}") for path in paths]


class PythonDkim(Peer):
    name = "python3-dkim"

    def __init__(self, folder):
        super().__init__(folder)
        try:
            import dkim  # pylint: disable=import-outside-toplevel
        except ImportError as missing:
            raise Unavailable("python3-dkim is not installed") from missing
        self.dkim = dkim
        try:
            import nacl  # noqa: F401 pylint: disable=import-outside-toplevel,unused-import
        except ImportError:
            self.algorithms = ("rsa",)

    def verify(self, keys, messages):
        zone = {name.encode() + b".": record.encode() for name, record in read_keys(keys).items()}
        found = []
        for message in messages:
            checked = self.dkim.DKIM(message)
            verdicts = []
            for index, (_, value) in enumerate([field for field in checked.headers if field[0].lower() == b"dkim-signature"]):
                selector = self.dkim.parse_tag_value(value)[b"s"].decode()
                try:
                    good = checked.verify(idx=index, dnsfunc=lambda name, timeout=5: zone.get(name))
                except (self.dkim.DKIMException, ValueError):
                    good = False
                verdicts.append(("pass" if good else "fail", selector))
            found.append(verdicts)
        return found

    def sign(self, key, canon, messages):
        private = key.pem.encode() if key.algorithm == "rsa" else base64.b64encode(key.seed())
        return [self.dkim.sign(message, key.selector.encode(), key.domain.encode(), private, canonicalize=tuple(canon.encode().split(b"/")),
                               signature_algorithm=f"{key.algorithm}-sha256".encode()) + message for message in messages]


RSPAMD = """options {{ filters = "dkim"; pidfile = "{folder}/pid"; url_tld = "{folder}/tld"; check_all_filters = true; tempdir = "{folder}";
  dns {{ nameserver = ["127.0.0.1:1"]; timeout = 1s; retransmits = 1; fake_records = [ {records} ]; }} }}
logging {{ type = "file"; filename = "{folder}/log"; level = "warning"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
dkim {{ check_local = true; check_authed = true; max_sigs = 10; }}
modules {{ path = "/usr/share/rspamd/plugins/dkim_signing.lua"; }}
dkim_signing {{ sign_local = true; allow_hdrfrom_mismatch = true; allow_hdrfrom_mismatch_local = true; allow_hdrfrom_multiple = true;
  allow_username_mismatch = true; use_esld = false; use_domain = "envelope"; use_domain_sign_local = "envelope"; try_fallback = false;
  domain {{ {domains} }} }}
"""


class Rspamd(Peer):
    """One rspamd for one set of records, started anew for another; it signs relaxed/relaxed alone."""
    name = "rspamd"

    def canons(self, _algorithm):
        return ("relaxed/relaxed",)

    def __init__(self, folder):
        super().__init__(f"{folder}/rspamd")
        if not shutil.which("rspamd"):
            raise Unavailable("rspamd is not installed")
        self.running, self.serves, self.port = None, None, 0

    def start(self, records, domains):
        if self.serves == (records, domains):
            return
        self.close()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        # It gives up root and must still write here.
        os.chmod(self.folder, 0o777)
        os.chmod(os.path.dirname(self.folder), 0o755)
        for name, text in (("tld", "test\ncom\norg\nnet\n"),
                           ("rspamd.conf", RSPAMD.format(folder=self.folder, port=self.port, records=records, domains=domains))):
            with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        user = ["-u", "_rspamd", "-g", "_rspamd"] if os.geteuid() == 0 else []
        self.running = subprocess.Popen(["rspamd", "-f", *user, "-c", f"{self.folder}/rspamd.conf"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.serves = (records, domains)
        gk.wait_for("rspamd", self.answers, 90)

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def close(self):
        if self.running:
            self.running.terminate()
            self.running.wait()
        self.running, self.serves = None, None

    def ask(self, message, headers):
        deadline = time.monotonic() + 30
        while True:
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                link.request("POST", "/checkv2", message, headers)
                return json.loads(link.getresponse().read())
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            finally:
                link.close()

    def verify(self, keys, messages):
        records = "".join(f'{{ name = "{name}"; type = "txt"; replies = ["{record}"]; }},' for name, record in sorted(read_keys(keys).items()))
        self.start(records, "")
        found = []
        for message in messages:
            symbols = self.ask(message, {})["symbols"]
            allowed = [option.split(":s=") for option in symbols.get("R_DKIM_ALLOW", {}).get("options", [])]
            others = sum(len(symbols.get(name, {}).get("options", ["?"]) or ["?"]) for name in ("R_DKIM_REJECT", "R_DKIM_PERMFAIL", "R_DKIM_TEMPFAIL")
                         if name in symbols)
            found.append([("pass", selector) for _, selector in allowed] + [("fail", "")] * others)
        return found

    def sign(self, key, canon, messages):
        assert canon == "relaxed/relaxed"
        copy = f"{os.path.dirname(self.folder)}/rspamd-{key.selector}.pem"
        with open(copy, "w", encoding="ascii") as file:
            # It reads Ed25519 keys as their bare seed.
            file.write(key.pem if key.algorithm == "rsa" else base64.b64encode(key.seed()).decode())
        os.chmod(copy, 0o644)
        self.start("", f'{key.domain} {{ path = "{copy}"; selector = "{key.selector}"; }}')
        signed = []
        for message in messages:
            said = self.ask(message, {"From": f"x@{key.domain}", "IP": "127.0.0.1"}).get("dkim-signature")
            signed.append(f"DKIM-Signature: {said}\r\n".encode() + message if said else message)
        return signed


PEERS = (OpenDkim, PythonDkim, Rspamd)
