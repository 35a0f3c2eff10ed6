# SPDX-License-Identifier: MIT
"""The network of net.py with signed DNS: the root, test. and every domain are zones of their own, vouched for from the root down.

Needs root, Knot and, for resolvers of other programs, unbound.
"""
import os
import subprocess

from bed import gk, net


class SignedNetwork(net.Network):
    """with SignedNetwork({"a.test": "mx-a"}, {"x.test": ["@ MX 10 mx", "mx A 192.0.2.1"]}, wrong_ds={"y.test"}, unsigned={"z.test"}) as net: …

    ZONES are further zones, as lines of a zone file. Those in WRONG_DS are signed by a key that their parent does not know; those in UNSIGNED are
    not signed although their parent says so, as an attacker's answers would be. HOSTS without a domain get a namespace too. `anchor` is the file
    with the root's DS record.
    """

    def __init__(self, domains, zones=None, wrong_ds=(), unsigned=(), hosts=()):
        super().__init__(domains, hosts)
        self.zones = dict(zones or {})
        self.wrong_ds, self.unsigned = set(wrong_ds), set(unsigned)
        self.anchor = f"{self.folder}/root.ds"

    def set_zone(self, zone, lines):
        """Before the network is entered, or after: then the name server reads the zone again, and signs it."""
        self.zones[zone] = lines
        if self.running:
            self._write_zone(zone, lines)
            net.sh("knotc", "-s", f"{self.folder}/knot.sock", "-b", "zone-reload", f"{zone}.")

    def _write_zone(self, zone, lines):
        self.serial = getattr(self, "serial", 0) + 1
        origin = f"{zone}." if zone else "."
        head = [f"$ORIGIN {origin}", "$TTL 1", f"@ SOA ns.test. hostmaster.test. {self.serial} 60 60 3600 1", "@ NS ns.test."]
        with open(f"{self.folder}/zones/{zone or 'root'}", "w", encoding="ascii") as file:
            file.write("\n".join(head + lines) + "\n")

    def _keymgr(self, zone, *words):
        return net.sh("keymgr", "-c", f"{self.folder}/knot.conf", f"{zone}." if zone else ".", *words)

    def _ds(self, zone):
        """What the parent says of ZONE: SHA-256 digests only."""
        if zone in self.unsigned:
            return [f"{zone}. DS 4711 13 2 {'00' * 32}"]
        lines = [line for line in self._keymgr(zone, "ds").splitlines() if line.split()[4] == "2"]
        if zone in self.wrong_ds:
            lines = [line[:-4] + ("dead" if not line.lower().endswith("dead") else "beef") for line in lines]
        return lines

    def _name_server(self):
        os.makedirs(f"{self.folder}/zones")
        address = self.hosts["dns"]
        reverse = []
        for domain, host in self.domains.items():
            ip = self.hosts[host]
            self.zones.setdefault(domain, ["@ MX 10 mx", f"mx A {ip}"])
            reverse.append(f"{ip.rsplit('.', 1)[1]}.0 PTR mx.{domain}.")
        names = [*self.zones, "53.10.in-addr.arpa", "test", ""]
        with open(f"{self.folder}/knot.conf", "w", encoding="ascii") as file:
            file.write(f"""server:
  listen: {address}@53
  rundir: {self.folder}
control:
  listen: {self.folder}/knot.sock
database:
  storage: {self.folder}
policy:
  - id: bed
    algorithm: ecdsap256sha256
    single-type-signing: on
    manual: on
template:
  - id: default
    storage: {self.folder}/zones
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    dnssec-signing: on
    dnssec-policy: bed
zone:
""")
            for zone in names:
                file.write(f"  - domain: {zone}.\n    file: {zone or 'root'}\n")
                if zone in self.unsigned:
                    file.write("    dnssec-signing: off\n")
        for zone in names:
            if zone not in self.unsigned:
                self._keymgr(zone, "generate", "algorithm=ecdsap256sha256", "ksk=yes", "zsk=yes")
        for zone, lines in self.zones.items():
            self._write_zone(zone, lines)
        self._write_zone("53.10.in-addr.arpa", reverse)
        below_test = [line for zone in self.zones for line in (f"{zone}. NS ns.test.", *self._ds(zone))]
        self._write_zone("test", [f"ns A {address}", *below_test])
        below_root = ["test. NS ns.test.", "53.10.in-addr.arpa. NS ns.test.", f"ns.test. A {address}"]
        self._write_zone("", [*below_root, *self._ds("test"), *self._ds("53.10.in-addr.arpa")])
        with open(self.anchor, "w", encoding="ascii") as file:
            file.write("\n".join(self._ds("")) + "\n")
        self.start("dns", "/usr/sbin/knotd", "-c", f"{self.folder}/knot.conf", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        first = next(iter(self.domains))

        def is_signed():
            said = net.sh(*self.inside("dns"), "kdig", "+dnssec", "+short", "+timeout=1", f"@{address}", f"mx.{first}", "A", check=False)
            return "10.53." in said and "A 13 " in said

        gk.wait_for("the signed zones", is_signed, 20)

    def validating_resolver(self, host):
        """An unbound on 127.0.0.1 of HOST, for programs that leave DNSSEC to their resolver (Postfix)."""
        folder = f"{self.folder}/unbound-{host}"
        os.makedirs(folder)
        with open(f"{folder}/unbound.conf", "w", encoding="ascii") as file:
            file.write(f"""server:
  interface: 127.0.0.1
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/pid"
  use-syslog: no
  logfile: "{folder}/log"
  trust-anchor-file: "{self.anchor}"
  module-config: "validator iterator"
  local-zone: "test." nodefault
  local-zone: "10.in-addr.arpa." nodefault
  do-not-query-localhost: no
  cache-max-ttl: 2
  cache-max-negative-ttl: 1
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: {self.hosts['dns']}
""")
        self.start(host, "/usr/sbin/unbound", "-d", "-c", f"{folder}/unbound.conf", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(f"/etc/netns/{self.namespace(host)}/resolv.conf", "w", encoding="ascii") as file:
            file.write("nameserver 127.0.0.1\noptions edns0 trust-ad\n")
        first = next(iter(self.domains))
        gk.wait_for("the validating resolver", lambda: " ad" in net.sh(*self.inside(host), "kdig", "+adflag", "+timeout=1", "@127.0.0.1", f"mx.{first}", "A", check=False), 20)
