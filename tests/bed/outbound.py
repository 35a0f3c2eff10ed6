# SPDX-License-Identifier: MIT
"""gk as a sender in a signed network: mail out, what became of it, and what was counted for TLS reports."""
import glob
import json
import subprocess

from bed import gk

_SUBMIT = """import smtplib, ssl, sys
t = ssl.create_default_context(); t.check_hostname = False; t.verify_mode = ssl.CERT_NONE
s = smtplib.SMTP('127.0.0.1', 587, timeout=30); s.starttls(context=t); s.login(sys.argv[1], sys.argv[2])
s.sendmail(sys.argv[1], [sys.argv[3]], sys.stdin.buffer.read(), mail_options=sys.argv[4:]); s.quit()
"""


class Sender:
    """A gk on HOST of the network NET (signed.SignedNetwork), for DOMAIN with one account, ann. CA: the authorities it trusts."""

    def __init__(self, net, host, domain, ca, settings="", more=""):
        self.net, self.host, self.account = net, host, f"ann@{domain}"
        self.gk = gk.Instance(f"mx.{domain}", {domain: ["ann"]}, f"""[dns]
resolver = ["{net.hosts['dns']}"]
trust_anchor_file = "{net.anchor}"
timeout = "5s"
[tls]
ca_file = "{ca}"
[mta_sts]
timeout = "3s"
[smtp]
check_from = false
[queue]
retry_first = "1s"
retry_most = "2s"
connect_timeout = "3s"
ipv6 = false
{settings}
{more}
""", port_base=0, up_options=["--listen", "0.0.0.0"], prefix=net.inside(host))
        self.gk.address = net.hosts[host]

    def submit(self, message, recipient, *options):
        """As a client on this host would."""
        done = subprocess.run([*self.net.inside(self.host), "/usr/bin/python3", "-c", _SUBMIT, self.account, self.gk.PASSWORD, recipient, *options],
                              input=message, capture_output=True, check=False)
        if done.returncode:
            raise gk.Failed(done.stderr.decode())

    def waiting(self, recipient):
        """The last attempt to reach RECIPIENT, from `gk-queue show --json`, once there was one; status and text."""
        def tried():
            for line in gk.run("gk-queue", "list", "--json", "--recipient", recipient, "--root", self.gk.root).splitlines():
                shown = json.loads(gk.run("gk-queue", "show", "--json", json.loads(line)["id"], "--root", self.gk.root))
                deferrals = [each for each in shown["history"] if each["outcome"] == "deferred"]
                if deferrals:
                    return deferrals[-1]
            return None
        return gk.wait_for(f"an attempt to reach {recipient}", tried, 30)

    def observations(self, domain):
        """What was counted for TLS reports about DOMAIN, oldest first."""
        found = []
        for path in sorted(glob.glob(f"{self.gk.root}/spool/reports/tlsrpt-*.jsonl")):
            found += [json.loads(line) for line in gk.contents(path).splitlines()]
        return [each for each in found if each["policy_domain"] == domain]

    def own_tlsa(self):
        """Our TLSA record for port 25, as a line of a zone file."""
        records = [json.loads(line) for line in gk.run("gk-tls-policy", "tlsa", "--json", "--root", self.gk.root).splitlines()]
        record = next(each for each in records if each["name"] == f"_25._tcp.{self.gk.hostname}.")
        return f"{record['name']} TLSA {record['data']}"

    def tool(self, *words, code=0):
        """gk-tls-policy on this host."""
        done = subprocess.run([*self.net.inside(self.host), f"{gk.BIN}/gk-tls-policy", *words, "--root", self.gk.root], capture_output=True, text=True,
                              timeout=60, check=False)
        if code is not None and done.returncode != code:
            raise gk.Failed(f"gk-tls-policy {' '.join(words)}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
        return done.stdout
