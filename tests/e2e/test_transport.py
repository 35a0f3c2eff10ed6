# SPDX-License-Identifier: MIT
"""What a message becomes for servers that take less than it asks, read back by Python's email."""
import email
import email.message
import email.policy
import unittest

from bed import case
from bed.peer import Peer

ONLY = ("--only", "smtpd,deliver,authd,queue,dkim")


def sample():
    """A message of 8 bits with parts of all kinds, one within a message within it; and its contents."""
    inner = email.message.EmailMessage(policy=email.policy.SMTP.clone(cte_type="8bit"))
    inner["Subject"] = "inner"
    inner.set_content("Grüße von innen\n", cte="8bit")
    message = email.message.EmailMessage(policy=email.policy.SMTP.clone(cte_type="8bit"))
    message["From"], message["To"], message["Subject"], message["Message-ID"] = "ann@a.test", "x@old.test", "parts", "<parts@a.test>"
    message.set_content("Äpfel und Öl\n" * 200, cte="8bit")
    message.add_alternative("<p>" + "ж" * 400 + "</p>\n", subtype="html", cte="8bit")
    message.add_attachment(bytes(range(256)), maintype="application", subtype="octet-stream")
    message.add_attachment(inner, cte="8bit")
    return message.as_bytes()


def contents(raw):
    """The decoded contents of all parts."""
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    return [(part.get_content_type(), part.get_payload(decode=True)) for part in message.walk() if not part.is_multipart()]


class Transport(case.Case):
    UP_OPTIONS = ONLY

    @classmethod
    def setUpClass(cls):
        cls.peers = {"old": Peer(), "eight": Peer(["8BITMIME", "SIZE 100000", "DSN"]), "chunks": Peer(["8BITMIME", "CHUNKING", "PIPELINING"]),
                     "binary": Peer(["8BITMIME", "CHUNKING", "BINARYMIME"]), "few": Peer(["8BITMIME", "PIPELINING", "LIMITS RCPTMAX=3 MAILMAX=2"])}
        routes = "\n".join(f'"{name}.test" = "127.0.0.1:{peer.port}"' for name, peer in cls.peers.items())
        cls.SETTINGS = f"""[smtp]
relay_networks = ["127.0.0.0/8"]
[queue]
tls = "never"
retry_first = "1h"
[queue.routes]
{routes}
"""
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for peer in cls.peers.values():
            peer.close()

    def send(self, raw, *recipients, body="8BITMIME"):
        with self.smtp() as smtp:
            smtp.ehlo("client.test")
            self.assertEqual(smtp.mail("ann@a.test", [f"BODY={body}"])[0], 250)
            for recipient in recipients:
                self.assertEqual(smtp.rcpt(recipient)[0], 250)
            if body == "BINARYMIME":
                smtp.send(f"BDAT {len(raw)} LAST\r\n".encode() + raw)
                self.assertEqual(smtp.getreply()[0], 250)
            else:
                self.assertEqual(smtp.data(raw)[0], 250)

    def got(self, name, mark):
        return self.wait(f"the message at {name}", lambda: self.peers[name].found(lambda t: mark in t["data"]), 20)[0]

    def failed(self, recipient):
        return self.wait("the failure", lambda: [e for e in self.gk.events("queue.failed") if e["recipient"] == recipient])[0]

    def test_an_old_server_gets_seven_bits_with_the_same_content(self):
        raw = sample()
        self.send(raw, "x@old.test", "x@eight.test", "x@chunks.test")
        old = self.got("old", b"<parts@a.test>")
        self.assertTrue(old["data"].isascii())
        self.assertNotIn("BODY=", old["mail"])
        self.assertTrue(all(len(line) <= 998 for line in old["data"].split(b"\r\n")))
        self.assertEqual(contents(old["data"]), contents(raw))
        for name in ("eight", "chunks"):
            got = self.got(name, b"<parts@a.test>")
            self.assertTrue(got["data"].endswith(raw))
            self.assertIn("BODY=8BITMIME", got["mail"])

    def test_a_signed_message_is_returned_rather_than_broken(self):
        self.send("Content-Type: multipart/signed; boundary=b; micalg=pgp-sha256; protocol=\"application/pgp-signature\"\r\n\r\n"
                  "--b\r\n\r\nGrüße\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n".encode(), "signed@old.test")
        self.assertEqual(self.failed("signed@old.test")["status"], "5.6.3")

    def test_binary_goes_as_it_is_or_as_base64(self):
        content = bytes(range(256)) * 3 + b"\r\n--x\n.\r"
        raw = b"Message-ID: <bin@a.test>\r\nMIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n" + content
        self.send(raw, "x@binary.test", "x@chunks.test", "x@old.test", body="BINARYMIME")
        binary = self.got("binary", b"<bin@a.test>")
        self.assertTrue(binary["data"].endswith(raw))
        self.assertIn("BODY=BINARYMIME", binary["mail"])
        for name in ("chunks", "old"):
            got = self.got(name, b"<bin@a.test>")
            self.assertEqual(contents(got["data"]), [("image/png", content)])
            self.assertNotIn("BINARYMIME", got["mail"])

    def test_what_is_larger_than_the_peer_takes_fails_at_once(self):
        self.send(b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 1500, "large@eight.test")
        self.assertEqual(self.failed("large@eight.test")["status"], "5.3.4")
        self.assertEqual(self.peers["eight"].found(lambda t: "large@" in str(t["rcpt"])), [])

    def test_a_server_with_limits_is_asked_for_no_more(self):
        self.send(b"Message-ID: <few@a.test>\r\n\r\nx\r\n", *[f"u{number}@few.test" for number in range(10)])
        def all_of_them():
            got = self.peers["few"].found(lambda t: b"<few@" in t["data"])
            return got if sum(len(t["rcpt"]) for t in got) == 10 else None
        got = self.wait("all of them", all_of_them, 20)
        self.assertLessEqual(max(len(t["rcpt"]) for t in got), 3)

    def test_utf8_in_a_header_is_never_sent_where_it_is_not_known(self):
        with self.smtp() as smtp:
            smtp.command_encoding = "utf-8"
            smtp.ehlo("client.test")
            self.assertEqual(smtp.mail("ann@a.test", ["SMTPUTF8", "BODY=8BITMIME"])[0], 250)
            for recipient in ("header@eight.test", "jörg@eight.test"):
                self.assertEqual(smtp.rcpt(recipient)[0], 250)
            self.assertEqual(smtp.data("Subject: Grüße\r\n\r\nx\r\n".encode())[0], 250)
        self.assertEqual(self.failed("header@eight.test")["status"], "5.6.9")
        self.assertIn(self.failed("jörg@eight.test")["status"], ("5.6.7", "5.6.9"))


if __name__ == "__main__":
    unittest.main()
