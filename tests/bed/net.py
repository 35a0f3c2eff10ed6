# SPDX-License-Identifier: MIT
"""A network of mail hosts in namespaces of this machine: a name server and hosts on one bridge. Needs root."""
import os
import shutil
import subprocess
import tempfile
import time

from bed import gk


def sh(*words, check=True):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise gk.Failed(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Network:
    """with Network({"a.test": "mx-a", "b.test": "mx-b"}) as net: each domain's MX is mx.DOMAIN, on the host named.

    Names of namespaces carry our pid, so several networks can live beside each other.
    """

    def __init__(self, domains, more_hosts=()):
        self.domains = domains
        self.prefix = f"gk{os.getpid()}"
        self.folder = tempfile.mkdtemp(prefix="gk-net-")
        hosts = ["dns"] + sorted({*domains.values(), *more_hosts})
        self.hosts = {host: f"10.53.0.{53 + number}" for number, host in enumerate(hosts)}
        self.running = []

    def namespace(self, host):
        return f"{self.prefix}-{host}"

    def inside(self, host):
        """The words that put a command into a host."""
        return ["ip", "netns", "exec", self.namespace(host)]

    def start(self, host, *words, **options):
        """A process in a host, ended with the network; options as for Popen."""
        process = subprocess.Popen([*self.inside(host), *words], **options)
        self.running.append(process)
        return process

    def add_address(self, host, last):
        """One more address of a host, 10.53.0.LAST."""
        sh("ip", "-n", self.namespace(host), "addr", "add", f"10.53.0.{last}/24", "dev", "eth0")
        return f"10.53.0.{last}"

    def link(self, host, up):
        """Pulls a host's cable, or plugs it in."""
        sh("ip", "-n", self.namespace("sw"), "link", "set", f"v-{host}", "up" if up else "down")

    def __enter__(self):
        switch = self.namespace("sw")
        sh("ip", "netns", "add", switch)
        sh("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        sh("ip", "-n", switch, "link", "set", "br0", "up")
        for host, address in self.hosts.items():
            name = self.namespace(host)
            sh("ip", "netns", "add", name)
            sh("ip", "-n", switch, "link", "add", f"v-{host}", "type", "veth", "peer", "name", "eth0", "netns", name)
            sh("ip", "-n", switch, "link", "set", f"v-{host}", "master", "br0", "up")
            sh("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            sh("ip", "-n", name, "link", "set", "eth0", "up")
            sh("ip", "-n", name, "link", "set", "lo", "up")
            os.makedirs(f"/etc/netns/{name}", exist_ok=True)
            with open(f"/etc/netns/{name}/resolv.conf", "w", encoding="ascii") as file:
                file.write(f"nameserver {self.hosts['dns']}\n")
        self._name_server()
        return self

    def _name_server(self):
        """Knot, authoritative for the root and all below it: enough for hosts that ask it directly."""
        zones = f"{self.folder}/zones"
        os.makedirs(zones)
        lines = ["$ORIGIN .", "$TTL 5", "@ SOA ns.test. hostmaster.test. 1 60 60 3600 2", "@ NS ns.test.", f"ns.test. A {self.hosts['dns']}"]
        for domain, host in self.domains.items():
            address = self.hosts[host]
            last = address.rsplit(".", 1)[1]
            lines += [f"{domain}. MX 10 mx.{domain}.", f"mx.{domain}. A {address}", f"{last}.0.53.10.in-addr.arpa. PTR mx.{domain}."]
        with open(f"{zones}/root", "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        with open(f"{self.folder}/knot.conf", "w", encoding="ascii") as file:
            file.write(f"""server:
  listen: {self.hosts['dns']}@53
  rundir: {self.folder}
database:
  storage: {self.folder}
zone:
  - domain: .
    storage: {zones}
    file: root
""")
        self.start("dns", "/usr/sbin/knotd", "-c", f"{self.folder}/knot.conf", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        domain = next(iter(self.domains))
        gk.wait_for("the name server", lambda: "10.53." in sh(*self.inside("dns"), "kdig", "+short", "+timeout=1", f"@{self.hosts['dns']}", f"mx.{domain}", "A", check=False))

    def __exit__(self, *_):
        for process in self.running:
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for host in [*self.hosts, "sw"]:
            name = self.namespace(host)
            for pid in sh("ip", "netns", "pids", name, check=False).split():
                try:
                    os.kill(int(pid), 9)
                except ProcessLookupError:
                    pass
            for _ in range(50):
                if not sh("ip", "netns", "pids", name, check=False).strip():
                    break
                time.sleep(0.02)
            sh("ip", "netns", "del", name, check=False)
            shutil.rmtree(f"/etc/netns/{name}", ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
