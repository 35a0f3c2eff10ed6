# SPDX-License-Identifier: MIT
"""The other side of the wire: what was sent, what was acknowledged, and what became of it."""
import re
import smtplib
import threading

from bed import case


def message_id(message):
    """The outermost Message-ID, by which a message is known whatever was put in front of it; None if it has none."""
    found = re.search(rb"(?im)^message-id:\s*(<[^>\r\n]*>)", message)
    return found.group(1) if found else None


class Ledger:
    """Remembers every message sent and whether its 250 (or OK) came; thread-safe."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent, self.acknowledged, self.refused = {}, {}, 0

    def note(self, message, recipient, acknowledged):
        key = message_id(message)
        with self.lock:
            self.sent[key] = message.replace(b"\r\n", b"\n")
            if acknowledged:
                self.acknowledged[key] = recipient
            else:
                self.refused += 1

    def deliver(self, instance, message, recipient="ann@a.test", port="smtp", timeout=15):
        """One message on a connection of its own; True if it was acknowledged."""
        done = False
        try:
            smtp = smtplib.SMTP("127.0.0.1", instance.port(port), timeout=timeout)
            try:
                if port == "submission":
                    smtp.starttls(context=case.TLS)
                    smtp.login("ann@a.test", instance.PASSWORD)
                sender = "ann@a.test" if port == "submission" else "x@outside.test"
                # sendmail() would still raise after the 250 if QUIT failed, so the steps are ours.
                smtp.ehlo_or_helo_if_needed()
                if smtp.mail(sender)[0] == 250 and smtp.rcpt(recipient)[0] == 250:
                    done = smtp.data(message)[0] == 250
            finally:
                smtp.close()
        except (OSError, smtplib.SMTPException):
            pass
        self.note(message, recipient, done)
        return done

    def check(self, boxes):
        """Compares with what lies in mailboxes, {recipient: [paths]}: (lost, duplicated, torn).

        Torn is every file that is not, from its first sent byte to its last, one of the messages sent: servers put header
        fields in front, and nothing else.
        """
        torn, counts = [], {}
        for recipient, paths in boxes.items():
            for path in paths:
                with open(path, "rb") as file:
                    stored = file.read().replace(b"\r\n", b"\n")
                key = message_id(stored)
                if key not in self.sent or not stored.endswith(self.sent[key]):
                    torn.append(path)
                else:
                    counts[(recipient, key)] = counts.get((recipient, key), 0) + 1
        lost = sum((recipient, key) not in counts for key, recipient in self.acknowledged.items())
        return lost, sum(count - 1 for count in counts.values()), torn
