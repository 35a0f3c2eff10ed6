# SPDX-License-Identifier: MIT
"""What one account may submit is limited, over connections and restarts, and others are not touched."""
import json
import smtplib
import unittest

from bed import case, gk


class SubmissionLimit(case.Case):
    UP_OPTIONS = ("--only", "smtpd,deliver,authd,queue,dkim")
    DOMAINS = {"a.test": ["ann", "bob", "few"]}
    SETTINGS = """[smtp.submission_overrides]
"few@a.test" = "messages_hour=2 recipients_hour=3"
"""

    def submit(self, account):
        with self.smtp("submission") as smtp:
            smtp.starttls(context=case.TLS)
            smtp.login(account, self.gk.PASSWORD)
            smtp.sendmail(account, ["bob@a.test"], b"From: %s\r\nSubject: x\r\n\r\nhello\r\n" % account.encode())

    def test_an_account_cannot_flood(self):
        for _ in range(2):
            self.submit("few@a.test")
        with self.assertRaises(smtplib.SMTPSenderRefused) as refused:
            self.submit("few@a.test")
        self.assertEqual(refused.exception.smtp_code, 450)
        said = refused.exception.smtp_error.decode()
        self.assertRegex(said, r"^4\.7\.1 few@a\.test sent 2 messages in the last hour; the limit is 2; try again after .*\d\d:\d\d$")
        self.gk.stop()
        self.gk.start()
        with self.assertRaises(smtplib.SMTPSenderRefused):
            self.submit("few@a.test")
        self.submit("ann@a.test")
        self.assertEqual(self.gk.events("submission.limited")[0]["actor"], "few@a.test")
        shown = json.loads(gk.run("gk-user", "show", "few@a.test", "--json", "--root", self.gk.root))
        self.assertEqual((shown["messages_last_day"], shown["recipients_last_day"]), (2, 2))


if __name__ == "__main__":
    unittest.main()
