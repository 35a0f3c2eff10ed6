# SPDX-License-Identifier: MIT
"""Real clients submit: swaks, curl, msmtp and Python's smtplib, on every port and with every mechanism they speak."""
import smtplib
import unittest

from bed import case, gk, mail


class Submission(case.Case):
    def setUp(self):
        self.maker = mail.Maker(self.id(), sender="ann@a.test", recipient="bob@a.test")
        self.message = self.maker.message()

    def arrived(self):
        """The message is in bob's INBOX, its body unchanged."""
        wanted = case.digest(self.message)
        self.wait("bob's message", lambda: wanted in [case.digest(gk.contents(f)) for f in self.gk.files("bob@a.test")])

    def swaks(self, *words, code=0):
        path = f"{self.folder}/swaks.eml"
        with open(path, "wb") as file:
            # With all its "fixups" swaks would add a line; without them the dots are ours to double, and to end with.
            file.write(self.message.replace(b"\r\n.", b"\r\n..") + b".")
        return self.call("swaks", "--server", "127.0.0.1", "--from", "ann@a.test", "--to", "bob@a.test", "--data", f"@{path}",
                         "--no-data-fixup", "--suppress-data", "--timeout", "20", *words, code=code).decode(errors="replace")

    def login(self, mechanism):
        return ("--auth", mechanism, "--auth-user", "ann@a.test", "--auth-password", self.gk.PASSWORD)

    def test_swaks_delivers_on_25(self):
        self.swaks("--port", str(self.gk.port("smtp")), "--from", "x@outside.test")
        self.arrived()

    def test_swaks_pipelines_on_25(self):
        self.swaks("--port", str(self.gk.port("smtp")), "--from", "x@outside.test", "--pipeline")
        self.arrived()

    def test_swaks_submits_with_starttls_and_plain(self):
        said = self.swaks("--port", str(self.gk.port("submission")), "-tls", *self.login("PLAIN"))
        self.assertIn("TLS started", said)
        self.arrived()

    def test_swaks_submits_with_starttls_and_login(self):
        self.swaks("--port", str(self.gk.port("submission")), "-tls", *self.login("LOGIN"))
        self.arrived()

    def test_swaks_submits_with_implicit_tls(self):
        self.swaks("--port", str(self.gk.port("submissions")), "-tlsc", *self.login("PLAIN"))
        self.arrived()

    def test_swaks_is_refused_with_a_wrong_password(self):
        said = self.swaks("--port", str(self.gk.port("submission")), "-tls", "--auth", "PLAIN", "--auth-user", "ann@a.test",
                          "--auth-password", "wrong", code=28)
        self.assertIn("535 5.7.8", said)

    def test_submission_wants_tls_before_auth_and_auth_before_mail(self):
        with self.smtp("submission") as smtp:
            smtp.ehlo()
            self.assertTrue(smtp.has_extn("starttls"))
            self.assertNotIn("PLAIN", smtp.esmtp_features.get("auth", ""))
            self.assertEqual(smtp.docmd("MAIL FROM:<ann@a.test>")[0], 530)
            smtp.starttls(context=case.TLS)
            smtp.ehlo()
            self.assertIn("PLAIN", smtp.esmtp_features["auth"])
            self.assertEqual(smtp.docmd("MAIL FROM:<ann@a.test>")[0], 530)

    def test_a_sender_that_is_not_ones_own_is_refused(self):
        with self.smtp("submission") as smtp:
            smtp.starttls(context=case.TLS)
            smtp.login("ann@a.test", self.gk.PASSWORD)
            smtp.ehlo()
            for stranger in ("bob@a.test", "ann@other.test", "root"):
                code, text = smtp.mail(stranger)
                if code == 250:
                    code, text = smtp.rcpt("bob@a.test")
                self.assertIn(code, (550, 553, 501), (stranger, text))
                smtp.rset()
            self.assertEqual(smtp.mail("ann+lists@a.test")[0], 250)

    def test_smtplib_submits_on_both_ports(self):
        with self.smtp("submission") as smtp:
            smtp.starttls(context=case.TLS)
            smtp.login("ann@a.test", self.gk.PASSWORD)
            smtp.sendmail("ann@a.test", ["bob@a.test"], self.message)
        self.arrived()
        self.message = self.maker.message()
        with smtplib.SMTP_SSL("127.0.0.1", self.gk.port("submissions"), context=case.TLS, timeout=30) as smtp:
            smtp.login("ann@a.test", self.gk.PASSWORD)
            smtp.sendmail("ann@a.test", ["bob@a.test"], self.message)
        self.arrived()

    def test_curl_submits_with_starttls(self):
        path = f"{self.folder}/curl.eml"
        with open(path, "wb") as file:
            file.write(self.message)
        self.call("curl", "-sS", "-k", "--ssl-reqd", "--url", f"smtp://127.0.0.1:{self.gk.port('submission')}", "--user", f"ann@a.test:{self.gk.PASSWORD}",
                  "--mail-from", "ann@a.test", "--mail-rcpt", "bob@a.test", "-T", path)
        self.arrived()

    def msmtp(self, auth, tls_lines):
        config = self.write("msmtprc", f"""account gk
host 127.0.0.1
port {self.gk.port('submission')}
from ann@a.test
user ann@a.test
passwordeval cat {self.write('password', self.gk.PASSWORD)}
auth {auth}
{tls_lines}
tls_certcheck off
account default : gk
""")
        self.call("msmtp", "-C", config, "bob@a.test", stdin=self.message)
        self.arrived()

    def test_msmtp_submits_with_plain(self):
        self.msmtp("plain", "tls on\ntls_starttls on")

    def test_msmtp_submits_with_scram(self):
        self.msmtp("scram-sha-256", "tls on\ntls_starttls on")

    def test_msmtp_submits_with_channel_binding(self):
        if "SCRAM-SHA-256-PLUS" not in self.call("msmtp", "--version").decode().upper():
            self.msmtp("scram-sha-256", "tls on\ntls_starttls on")
        else:
            self.msmtp("scram-sha-256-plus", "tls on\ntls_starttls on")


if __name__ == "__main__":
    unittest.main()
