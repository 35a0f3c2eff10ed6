# SPDX-License-Identifier: MIT
# timeout: 400
"""Real peers beside Postfix (test_peer_postfix.py): Exim and OpenSMTPD by SMTP in both directions, Dovecot by LMTP."""
import contextlib
import os
import shutil
import sys
import unittest

from bed import aside, case, dovecot, gk, hostile_peer, mail

DOVECOT_LMTP = """protocols = imap lmtp
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@d.test
}}
"""


class Peers(case.Case):
    UP_OPTIONS = ("--only", "smtpd,deliver,authd,queue")

    @classmethod
    def setUpClass(cls):
        with contextlib.ExitStack() as stack:
            with hostile_peer.Peer() as free:
                cls.lmtp_port = free.port
            cls.folder_of_boxes = f"{gk.tempfile.mkdtemp(prefix='gk-boxes-')}"
            stack.callback(shutil.rmtree, cls.folder_of_boxes, True)
            os.chmod(cls.folder_of_boxes, 0o755)
            cls.boxes = {f"{name}@d.test": f"{cls.folder_of_boxes}/{name}/Maildir" for name in ("dora", "dick")}
            for box in cls.boxes.values():
                os.makedirs(box)
            cls.dovecot = stack.enter_context(dovecot.Dovecot(cls.boxes, DOVECOT_LMTP.format(port=cls.lmtp_port)))
            # gk's port is not known before gk has it, and gk has to know the peers'.
            base = gk.free_port_base()
            cls.peers = {}
            for kind, domain in ((aside.Exim, "e.test"), (aside.OpenSmtpd, "o.test")):
                if kind.missing() is None:
                    cls.peers[kind] = stack.enter_context(kind(domain, base + gk.PORTS["smtp"]))
            routes = "".join(f'"{peer.domain}" = "127.0.0.1:{peer.port}"\n' for peer in cls.peers.values())
            cls.SETTINGS = f"""[queue]
retry_first = "1s"
retry_most = "2s"
[queue.routes]
"d.test" = "lmtp:127.0.0.1:{cls.lmtp_port}"
{routes}
[smtp]
check_from = false
authentication = "off"
[dkim]
sign = false
"""
            cls.folder = gk.tempfile.mkdtemp(prefix="gk-e2e-")
            cls.gk = gk.Instance(cls.HOSTNAME, cls.DOMAINS, cls.SETTINGS, up_options=cls.UP_OPTIONS, port_base=base)
            cls.gk.start()
            cls.addClassCleanup(stack.pop_all().close)

    def peer(self, kind):
        if kind not in self.peers:
            self.skipTest(kind.missing())
        return self.peers[kind]

    def submit(self, message, *recipients):
        with self.smtp("submission") as smtp:
            smtp.starttls(context=case.TLS)
            smtp.login("ann@a.test", self.gk.PASSWORD)
            smtp.sendmail("ann@a.test", list(recipients), message)

    def arrived(self, files, messages):
        digests = {case.digest(gk.contents(path)) for path in files}
        return all(case.digest(message) in digests for message in messages)

    def wait_for_all(self, files, messages, log):
        try:
            self.wait("all messages", lambda: self.arrived(files(), messages), 60)
        except gk.Failed:
            print(log()[-3000:], file=sys.stderr)
            raise

    def dsn(self, address):
        for path in self.gk.files("ann@a.test"):
            text = gk.contents(path)
            if b"multipart/report" in text and address.encode() in text:
                return text.decode("utf-8", "replace")
        return None

    def to_peer(self, kind, versions):
        peer = self.peer(kind)
        messages = mail.Maker(f"to {peer.domain}", "ann@a.test", f"carl@{peer.domain}").messages(25)
        for message in messages:
            self.submit(message, f"carl@{peer.domain}")
        self.wait_for_all(peer.files, messages, peer.log)
        delivered = [event for event in self.gk.events("queue.delivered") if event["recipient"] == f"carl@{peer.domain}"]
        self.assertLessEqual({event.get("tls", "")[:7] for event in delivered}, versions)
        self.assertGreaterEqual(len(delivered), len(messages))

    def from_peer(self, kind):
        peer = self.peer(kind)
        messages = mail.Maker(f"from {peer.domain}", f"carl@{peer.domain}", "bob@a.test").messages(15)
        for message in messages:
            peer.send(f"carl@{peer.domain}", "bob@a.test", message)
        self.wait_for_all(lambda: self.gk.files("bob@a.test"), messages, peer.log)

    def refused_by_peer(self, kind, word):
        peer = self.peer(kind)
        message = mail.Maker(f"no {peer.domain}", "ann@a.test").message()
        self.submit(message, f"nobody@{peer.domain}", f"carl@{peer.domain}")
        text = self.wait("the DSN", lambda: self.dsn(f"nobody@{peer.domain}"), 60)
        text = text[:3000]
        self.assertIn(f"Final-Recipient: rfc822; nobody@{peer.domain}", text)
        self.assertIn("Action: failed", text)
        self.assertIn(word, text)
        self.wait_for_all(peer.files, [message], peer.log)

    def test_exim_takes_our_mail_with_tls(self):
        self.to_peer(aside.Exim, {"TLSv1.3"})

    def test_exim_sends_us_mail(self):
        self.from_peer(aside.Exim)

    def test_one_recipient_that_exim_refuses_comes_back(self):
        self.refused_by_peer(aside.Exim, "no such person")

    def test_exim_reports_its_failures_to_us(self):
        # Exim takes what it can and bounces the rest itself, with a null reverse-path.
        peer = self.peer(aside.Exim)
        peer.send("ann@a.test", "nobody-there@a.test", b"From: ann@a.test\r\nSubject: lost\r\n\r\nhello\r\n")
        text = self.wait("Exim's bounce", lambda: self.dsn("nobody-there@a.test"), 60)
        self.assertIn("Return-Path: <>", text)

    def test_opensmtpd_takes_our_mail(self):
        # Debian's 6.8 offers TLS, and then fails in the handshake ("internal error"): RFC 7435's way out, met in the wild.
        self.to_peer(aside.OpenSmtpd, {"TLSv1.3", ""})

    def test_opensmtpd_sends_us_mail(self):
        self.from_peer(aside.OpenSmtpd)

    def test_one_recipient_that_opensmtpd_refuses_comes_back(self):
        self.refused_by_peer(aside.OpenSmtpd, "524 5.2.4")

    def box(self, address):
        return [f"{self.boxes[address]}/{part}/{name}" for part in ("new", "cur") for name in os.listdir(f"{self.boxes[address]}/{part}")
                ] if os.path.isdir(f"{self.boxes[address]}/new") else []

    def test_dovecot_takes_our_mail_by_lmtp(self):
        messages = mail.Maker("dovecot", "ann@a.test", "dora@d.test").messages(25)
        for message in messages:
            self.submit(message, "dora@d.test", "dick@d.test")
        for address in self.boxes:
            self.wait_for_all(lambda a=address: self.box(a), messages, self.dovecot.log)

    def test_one_recipient_that_dovecot_does_not_know_comes_back(self):
        message = mail.Maker("dovecot too", "ann@a.test").message()
        self.submit(message, "dora@d.test", "nobody@d.test", "dick@d.test")
        text = self.wait("the DSN", lambda: self.dsn("nobody@d.test"), 60)
        self.assertIn("550 5.1.1", text[:3000])
        self.assertNotIn("dora@d.test", text[:text.index("multipart/report")])
        for address in self.boxes:
            self.wait_for_all(lambda a=address: self.box(a), [message], self.dovecot.log)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root for mount namespaces")
        sys.exit(77)
    unittest.main()
