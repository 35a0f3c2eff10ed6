# SPDX-License-Identifier: MIT
"""The other side of the wire: what was sent, what was acknowledged, and what became of it."""
import smtplib
import threading

from bed import case, gk


class Ledger:
    """Remembers every message sent and whether its 250 came; thread-safe."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent, self.acknowledged, self.refused = {}, {}, 0

    def note(self, message, recipient, acknowledged):
        with self.lock:
            self.sent[case.digest(message)] = message
            if acknowledged:
                self.acknowledged[case.digest(message)] = recipient
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
        """Compares with what lies in mailboxes: {recipient: [paths]}; (lost, duplicated, torn)."""
        lost, duplicated, torn = 0, 0, []
        counts = {}
        for recipient, paths in boxes.items():
            for path in paths:
                digest = case.digest(open(path, "rb").read())
                if digest not in self.sent:
                    torn.append(path)
                counts[(recipient, digest)] = counts.get((recipient, digest), 0) + 1
        for digest, recipient in self.acknowledged.items():
            found = counts.get((recipient, digest), 0)
            lost += found == 0
            duplicated += max(0, found - 1)
        return lost, duplicated, torn


def wait_until_serving(instance, seconds=15.0):
    """Until every daemon of an instance is ready again."""
    gk.wait_for("daemons to be back", lambda: all(row.get("state") == "ready" for row in instance.status() if "program" in row or "name" in row) and instance.status(), seconds)
