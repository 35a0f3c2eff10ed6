# SPDX-License-Identifier: MIT
"""A Knot DNS server on 127.0.0.1, whose zones a test edits: signed where asked, updated with a TSIG key."""
import os
import re
import shutil
import socket
import subprocess
import tempfile

from bed import gk

KEY = ("hmac-sha256", "gk-test", "bm90IGEgc2VjcmV0LCBvbmx5IGEgdGVzdCBvZiBna3M=")
SIGNED = {"RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY"}


def installed():
    return all(shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin") for program in ("knotd", "knsupdate", "keymgr"))


def free_port():
    """A port that is free for UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
                return tcp.getsockname()[1]
            except OSError:
                continue


def unquoted(data):
    """The strings of a TXT record joined, escapes resolved."""
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', data)
    return "".join(re.sub(r"\\(\d{3}|.)", lambda m: chr(int(m[1])) if m[1].isdigit() else m[1], part) for part in strings)


def quoted(data):
    text = re.sub(r'[^ -~]|["\\]', lambda m: f"\\{ord(m[0]):03}", data)
    parts, part = [], ""
    for token in re.findall(r"\\\d{3}|.", text):
        part += token
        if len(re.sub(r"\\\d{3}", "x", part)) == 255:
            parts, part = parts + [part], ""
    return " ".join(f'"{each}"' for each in (parts + [part] if part or not parts else parts))


class Record:
    """NAME TYPE DATA, as in "a.test MX 10 mx.a.test."; the data of TXT is neither quoted nor split."""

    def __init__(self, name, kind, data):
        self.name, self.type = name.rstrip(".").lower(), kind.upper()
        self.data = data if self.type == "TXT" else " ".join(data.split()).lower() if self.type != "CAA" else data

    @classmethod
    def parse(cls, line):
        name, kind, *data = line.split(None, 2)
        return cls(name, kind, data[0] if data else "")

    @property
    def rdata(self):
        return quoted(self.data) if self.type == "TXT" else self.data

    def key(self):
        return (self.name, self.type, self.data)

    def matches(self, pattern):
        """True where PATTERN is of the same name and type, and has the same data or none."""
        return (self.name, self.type) == (pattern.name, pattern.type) and pattern.data in ("", self.data)


class NameServer:
    """with NameServer({"test": True, "a.test": True, "b.test": False}) as dns: True for signed."""

    def __init__(self, zones, address="127.0.0.1", port=None):
        self.zones, self.address, self.port = zones, address, port or free_port()
        self.folder = tempfile.mkdtemp(prefix="gk-knot-")
        self.process = None

    def __enter__(self):
        shared = f"{self.folder}/knot.conf"
        blocks = ""
        for zone, signed in self.zones.items():
            with open(f"{self.folder}/{zone}.zone", "w", encoding="ascii") as file:
                file.write(f"$ORIGIN {zone}.\n$TTL 60\n@ SOA ns.test. hostmaster.test. 1 3600 600 86400 1\n@ NS ns.test.\n")
                if zone == "test":
                    file.write("ns A 127.0.0.1\n")
                    file.writelines(f"{child.removesuffix('.test')} NS ns\n" for child in self.zones if child.endswith(".test"))
            blocks += f"  - domain: {zone}\n    acl: update\n" + ("    dnssec-signing: on\n    dnssec-policy: test\n" if signed else "")
        with open(shared, "w", encoding="ascii") as file:
            file.write(f"""server:
  listen: {self.address}@{self.port}
  rundir: {self.folder}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
control:
  listen: {self.folder}/knot.sock
database:
  storage: {self.folder}
key:
  - id: {KEY[1]}
    algorithm: {KEY[0]}
    secret: {KEY[2]}
acl:
  - id: update
    key: {KEY[1]}
    action: update
policy:
  - id: test
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: {self.folder}
    file: "%s.zone"
    zonefile-sync: -1
zone:
{blocks}""")
        with open(f"{self.folder}/knot.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(["/usr/sbin/knotd", "-c", shared], stdout=log, stderr=log)
        gk.wait_for("the name server", lambda: all(" SOA " in self.knotc("zone-read", zone, code=None) for zone in self.zones))
        # The key in the form that gk-dns-check --key reads.
        with open(f"{self.folder}/update.key", "w", encoding="ascii") as file:
            file.write(":".join(KEY) + "\n")
        for zone, signed in self.zones.items():
            if signed and zone != "test" and zone.endswith(".test"):
                self.edit(add=[Record(zone, "DS", self.ds(zone))])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def knotc(self, *words, code=0):
        done = subprocess.run(["knotc", "-s", f"{self.folder}/knot.sock", *words], capture_output=True, text=True, check=False, timeout=30,
                              env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin"})
        if code is not None and done.returncode != code:
            raise gk.Failed(f"knotc {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def ds(self, zone):
        """The DS record (SHA-256) of a signed zone."""
        said = subprocess.run(["/usr/sbin/keymgr", "-c", f"{self.folder}/knot.conf", zone, "ds"], capture_output=True, text=True, check=True).stdout
        return next(" ".join(line.split()[2:]) for line in said.splitlines() if line.split()[4] == "2")

    def zone_of(self, record):
        name = record.name
        if record.type == "DS":
            name = name.split(".", 1)[1]
        while name not in self.zones:
            name = name.split(".", 1)[1]
        return name

    def read(self, zone):
        """What a zone holds, the parts that signing made left out."""
        records = []
        for line in self.knotc("zone-read", zone).splitlines():
            _, name, _, kind, *data = line.split(None, 4)
            if kind not in SIGNED | {"SOA"}:
                records.append(Record(name, kind, unquoted(data[0]) if kind == "TXT" else data[0]))
        return records

    def read_all(self):
        return [record for zone in self.zones for record in self.read(zone)]

    def edit(self, remove=(), add=()):
        """Dynamic updates: first what goes, then what comes, since a CNAME is only added where nothing else is."""
        for verb, records in (("delete", remove), ("add", add)):
            script = {}
            for record in records:
                ttl = "60 " if verb == "add" else ""
                script.setdefault(self.zone_of(record), []).append(f"update {verb} {record.name}. {ttl}IN {record.type} {record.rdata}")
            for zone, lines in script.items():
                text = "\n".join([f"server {self.address} {self.port}", f"zone {zone}.", f"key {KEY[0]}:{KEY[1]} {KEY[2]}", *lines, "send", "quit", ""])
                done = subprocess.run(["knsupdate"], input=text, capture_output=True, text=True, check=False, timeout=30)
                if done.returncode or "ERROR" in done.stdout + done.stderr:
                    raise gk.Failed(f"knsupdate: {done.stdout}{done.stderr}\n{text}")

    def restore(self, wanted):
        """Brings all zones to what they held when read_all gave WANTED."""
        now, then = {record.key(): record for record in self.read_all()}, {record.key(): record for record in wanted}
        self.edit([record for key, record in now.items() if key not in then], [record for key, record in then.items() if key not in now])
