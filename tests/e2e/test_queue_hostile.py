# SPDX-License-Identifier: MIT
"""Peers that drop, stall, lie and babble at each state of SMTP and LMTP: what becomes of the mail, and that the history which
`gk-queue show` tells is true. A row a behaviour; all rows run at once.
"""
import collections
import contextlib
import json
import re
import shutil
import tempfile
import threading
import time
import unittest

from bed import aside, case, gk, hostile_peer

KB = 1000


def say(text):
    """Replies TEXT instead."""
    def misdeed(dialogue, _):
        dialogue.say(text)
        return False
    return misdeed


def turns(*misdeeds):
    """One after the other, the last one for ever after."""
    return lambda dialogue, state: misdeeds[min(dialogue.peer.seen[state], len(misdeeds)) - 1](dialogue, state)


def say_and(text, then):
    """Replies TEXT, then does THEN."""
    def misdeed(dialogue, _):
        dialogue.say(text)
        getattr(dialogue, then)()
    return misdeed


def go_on(text):
    """Replies TEXT, and goes on as if it were the usual."""
    def misdeed(dialogue, _):
        dialogue.say(text)
        return True
    return misdeed


def go_on_and_say_later(text, late):
    """Replies TEXT, and LATE unasked when a moment has passed; then `later` was seen."""
    def misdeed(dialogue, _):
        def speak():
            with contextlib.suppress(OSError):
                dialogue.say(late)
            dialogue.peer.seen["later"] += 1
        dialogue.say(text)
        threading.Timer(0.5, speak).start()
        return True
    return misdeed


def drip(text):
    """A byte a second."""
    return lambda dialogue, _: dialogue.drip(text)


def flood(piece):
    return lambda dialogue, _: dialogue.flood(piece)


def drop(dialogue, _):
    dialogue.drop()


def reset(dialogue, _):
    dialogue.reset()


def stall(dialogue, _):
    dialogue.stall()


# What is expected. DEFERRED: an attempt with that text (a regular expression) and status is in the history, the peer mends its
# ways, and the message arrives. BOUNCED: a DSN with both. DELIVERED: it arrives once; TEXT is then of the session's TLS.
DELIVERED, DEFERRED, BOUNCED = "delivered", "deferred", "bounced"
Row = collections.namedtuple("Row", "name misdeeds outcome text status more", defaults=("", "", {}))
CUT = r"ended the connection|[Cc]onnection reset|Broken pipe"
SLOW = r"in time|silent too long|does not read|took too long"
OK = "250 2.0.0 ok"
NO_REPLY = "not an SMTP reply"

ROWS = [
    # The connection ends at each state.
    *(Row(f"{act.__name__}-{state}", {state: act}, DEFERRED, CUT, r"4\.4\.[12]") for act in (drop, reset) for state in ("connect", "ehlo", "mail", "rcpt", "data", "end")),
    Row("reset-message", {"message": reset}, DEFERRED, CUT, r"4\.4\.2", {"size": 4000 * KB}),
    Row("drop-message", {"message": drop}, DEFERRED, CUT, r"4\.4\.2", {"size": 4000 * KB}),
    # It stays, and nothing comes.
    *(Row(f"stall-{state}", {state: stall}, DEFERRED, SLOW, r"4\.4\.[12]") for state in ("connect", "ehlo", "mail", "rcpt", "data", "end")),
    Row("stall-message", {"message": stall}, DEFERRED, SLOW + "|" + CUT, r"4\.4\.[12]", {"size": 8000 * KB}),
    Row("tarpit-connect", {"connect": drip("220 " + "slow " * 50 + "\r\n")}, DEFERRED, SLOW, r"4\.4\.1"),
    Row("tarpit-rcpt", {"rcpt": drip("250 " + "slow " * 50 + "\r\n")}, DEFERRED, SLOW, r"4\.4\.1"),
    # RFC 5321, 3.8: 421 anywhere is a goodbye for now.
    *(Row(f"421-{state}", {state: say_and("421 4.3.2 going down", "drop")}, DEFERRED, "421 4.3.2 going down", r"4\.3\.2")
      for state in ("connect", "ehlo", "mail", "rcpt", "data", "end")),
    *(Row(f"451-{state}", {state: say("451 4.7.1 come back")}, DEFERRED, "451 4.7.1 come back", r"4\.7\.1") for state in ("connect", "ehlo", "mail", "rcpt", "data", "end")),
    *(Row(f"550-{state}", {state: say("550-5.7.1 we do\n550 5.7.1 not want it")}, BOUNCED, "550 5.7.1 we do not want it", "5.7.1") for state in ("mail", "rcpt", "data", "end")),
    Row("554-connect", {"connect": say("554 5.3.2 no mail here")}, BOUNCED, "554 5.3.2 no mail here", "5.3.2"),
    Row("552-message", {"message": say_and("552 5.3.4 too big", "drop")}, BOUNCED, "552 5.3.4 too big", "5.3.4", {"size": 4000 * KB}),
    Row("552-plain-rcpt", {"rcpt": say("552 too many recipients")}, DEFERRED, "552 too many recipients", r"4\.|5\."),
    # RFC 5321, 3.2: from before extensions.
    Row("500-ehlo", {"ehlo": say("500 what")}, DELIVERED),
    Row("size", {}, BOUNCED, "larger than", "5.3.4", {"capabilities": ("SIZE 100",), "size": 20 * KB}),
    # Replies that are none.
    Row("garbage-connect", {"connect": say("HTTP/1.1 400 Bad Request")}, DEFERRED, NO_REPLY, r"4\."),
    Row("tls-connect", {"connect": say(b"\x16\x03\x01\x02\x00\x01\x00\n" * 4)}, DEFERRED, NO_REPLY, r"4\."),
    Row("endless-reply", {"ehlo": flood(b"250-AND SO ON\r\n")}, DEFERRED, "too many lines", r"4\."),
    Row("endless-line", {"mail": say(b"250 " + b"a" * 100 * KB + b"\r\n")}, DEFERRED, "endless line", r"4\."),
    Row("endless-zeros", {"rcpt": flood(b"\0" * KB)}, DEFERRED, NO_REPLY, r"4\."),
    Row("code-changes", {"mail": say(b"250-a\r\n550 b\r\n")}, DEFERRED, "code changes", r"4\."),
    Row("code-199", {"rcpt": say("199 hm")}, DEFERRED, NO_REPLY, r"4\."),
    Row("code-650", {"rcpt": say("650 hm")}, DEFERRED, NO_REPLY, r"4\."),
    Row("code-354-rcpt", {"rcpt": say("354 go on")}, DEFERRED, "intermediate", r"4\."),
    Row("code-250-data", {"data": say("250 fine")}, DEFERRED, "250 fine", r"[24]\."),
    Row("code-354-end", {"end": say("354 more")}, DEFERRED, "354 more", r"[34]\."),
    Row("strange-bytes", {"rcpt": say(b"550 5.1.1 n\0o s\xffu\x1b[31mch\r\n")}, BOUNCED, "550 5.1.1 n.*o s.*u.*ch", "5.1.1"),
    Row("wrong-class", {"rcpt": say("550 4.2.2 mailbox full")}, BOUNCED, "550 4.2.2 mailbox full", "5.0.0"),
    Row("wrong-class-451", {"rcpt": say("451 5.1.1 not now")}, DEFERRED, "451 5.1.1 not now", r"4\.0\.0"),
    Row("story", {"rcpt": say("\n".join(["550-5.7.1 " + "once upon a time " * 20] * 60 + ["550 5.7.1 end"]))}, BOUNCED, "550 5.7.1 once upon", "5.7.1"),
    Row("bare-lf", {"rcpt": go_on(b"250 2.1.5 ok\n")}, DELIVERED),
    Row("no-text", {"mail": go_on(b"250\r\n"), "rcpt": go_on(b"250\r\n"), "end": go_on(b"250\r\n")}, DELIVERED),
    # Taken, whatever comes then.
    Row("taken-then-reset", {"end": say_and("250 2.0.0 taken", "reset")}, DELIVERED),
    Row("taken-then-drop", {"end": say_and("250 2.0.0 taken", "drop")}, DELIVERED),
    Row("taken-then-babble", {"end": say_and("250 2.0.0 taken\n250 taken again\n550 or not", "stall")}, DELIVERED),
    Row("out-of-step", {"end": go_on("250 2.0.0 taken\n250 2.0.0 once more")}, DELIVERED, "", "", {"has_own_test": True}),
    Row("out-of-step-late", {"end": go_on_and_say_later("250 2.0.0 taken", "250 2.0.0 once more")}, DELIVERED, "", "", {"has_own_test": True}),
    Row("stall-quit", {"quit": stall}, DELIVERED),
    # STARTTLS that fails: plain text where the domain's policy leaves it at that (RFC 7435), else never.
    Row("tls", {}, DELIVERED, "TLSv1"),
    Row("tls-refused", {"starttls": say("454 4.7.0 not now")}, DELIVERED, "^$"),
    Row("tls-garbage", {"starttls": say_and(b"220 go on\r\nthis is no handshake\r\n", "stall")}, DELIVERED, "^$"),
    Row("tls-late-garbage", {"starttls": say_and(b"220 go on\r\n", "drop")}, DELIVERED, "^$"),
    Row("tls-stalls", {"starttls": say_and("220 go on", "stall")}, DELIVERED, "^$"),
    Row("tls-injected", {"starttls": go_on(b"220 go on\r\n250 injected\r\n")}, DELIVERED, "^$"),
    Row("tls-stripped", {}, DELIVERED, "^$", "", {"capabilities": ("PIPELINING",)}),
    Row("must-tls-stripped", {"ehlo": say("250 peer.test")}, DEFERRED, "offers no STARTTLS", r"4\.7\.", {"tls": True}),
    Row("must-tls-refused", {"starttls": say("454 4.7.0 not now")}, DEFERRED, "454 4.7.0 not now", r"4\.7\.", {"tls": True}),
    Row("must-tls-garbage", {"starttls": say_and(b"220 go on\r\nno handshake\r\n", "stall")}, DEFERRED, "plain text after STARTTLS|TLS", r"4\.7\.", {"tls": True}),
    Row("must-tls-stalls", {"starttls": say_and("220 go on", "stall")}, DEFERRED, SLOW + "|TLS", r"4\.7\.", {"tls": True}),
    # One recipient's reply is not another's.
    Row("second-refused", {"rcpt": turns(go_on(OK), say("550 5.1.1 nobody"))}, BOUNCED, "550 5.1.1 nobody", "5.1.1", {"recipients": 2, "bounced": "x1"}),
    Row("second-later", {"rcpt": turns(go_on(OK), say("450 4.2.1 busy"))}, DEFERRED, "450 4.2.1 busy", r"4\.2\.1", {"recipients": 2, "deferred": "x1"}),
    # LMTP: a reply for each recipient (RFC 2033, 4.2), or what a broken server makes of it.
    Row("lmtp", {}, DELIVERED, "", "", {"lmtp": True, "recipients": 3}),
    Row("lmtp-two-of-three", {"end": turns(go_on(OK), go_on(OK), say("550 5.2.2 full"))}, BOUNCED, "550 5.2.2 full", "5.2.2", {"lmtp": True, "recipients": 3, "bounced": "x2"}),
    Row("lmtp-one-reply", {"end": turns(go_on(OK), stall)}, DEFERRED, SLOW, r"4\.4\.1", {"lmtp": True, "recipients": 2, "deferred": "x1"}),
    Row("lmtp-one-then-drop", {"end": turns(go_on(OK), drop)}, DEFERRED, CUT, r"4\.4\.2", {"lmtp": True, "recipients": 2, "deferred": "x1"}),
    Row("lmtp-too-many", {"end": go_on("250 2.0.0 taken\n250 2.0.0 taken")}, DELIVERED, "", "", {"lmtp": True, "recipients": 2}),
]


class Hostile(case.Case):
    UP_OPTIONS = ("--only", "smtpd,deliver,authd,queue")

    @classmethod
    def setUpClass(cls):
        cls.peers, routes = {}, ""
        own = tempfile.mkdtemp(prefix="gk-hostile-")
        cls.addClassCleanup(shutil.rmtree, own, True)
        pair = aside.certificate(own, "peer.test")
        with contextlib.ExitStack() as stack:
            for row in ROWS:
                # A TLS policy is for a host, so that what is under one has another.
                address = "127.0.0.2" if "tls" in row.more else "127.0.0.1"
                is_lmtp = row.more.get("lmtp", False)
                peer = hostile_peer.Peer(row.misdeeds, address=address, lmtp=is_lmtp, certificate=pair,
                                         **({"capabilities": row.more["capabilities"]} if "capabilities" in row.more else {}))
                cls.peers[row.name] = stack.enter_context(peer)
                routes += f'"{row.name}.test" = "{"lmtp:" if is_lmtp else ""}{address}:{peer.port}"\n'
            cls.addClassCleanup(stack.pop_all().close)
        cls.SETTINGS = f"""[queue]
retry_first = "1s"
retry_most = "1s"
command_timeout = "4s"
data_timeout = "4s"
connect_timeout = "4s"
threads = {len(ROWS) + 10}
[queue.routes]
{routes}
[queue.tls_policy]
"127.0.0.2" = "encrypt"
[dkim]
sign = false
"""
        super().setUpClass()
        cls.messages, cls.deadline = {}, time.monotonic() + 45
        with cls.smtp_of(cls) as smtp:
            for row in ROWS:
                cls.submit(smtp, row)

    def smtp_of(self):
        smtp = case.smtplib.SMTP("127.0.0.1", self.gk.port("submission"), timeout=60)
        smtp.starttls(context=case.TLS)
        smtp.login("ann@a.test", self.gk.PASSWORD)
        return smtp

    @classmethod
    def submit(cls, smtp, row):
        filler = b"0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 abcdefghijklmnop\r\n"
        message = (f"From: ann@a.test\r\nSubject: {row.name}\r\nMessage-ID: <{row.name}@a.test>\r\n\r\nhello\r\n.dot\r\n".encode()
                   + filler * (row.more.get("size", 0) // len(filler)))
        cls.messages[row.name] = message
        smtp.sendmail("ann@a.test", [f"x{number}@{row.name}.test" for number in range(row.more.get("recipients", 1))], message)

    def tool(self, *words):
        return [json.loads(line) for line in gk.run("gk-queue", *words, "--json", "--root", self.gk.root, code=None).splitlines()]

    def queued(self, row):
        return self.tool("list", "--recipient", f"@{row.name}.test")

    def history(self, row):
        """All attempts of the row's message, as `gk-queue show` tells them; [] where it is gone."""
        return [attempt for listed in self.queued(row) for shown in self.tool("show", listed["id"]) for attempt in shown["history"]]

    def dsn(self, address):
        for path in self.gk.files("ann@a.test"):
            text = gk.contents(path)
            if f"Final-Recipient: rfc822; {address}".encode() in text:
                return text.decode("utf-8", "replace")
        return None

    def events(self, kind, row):
        return [event for event in self.gk.events(kind) if event["recipient"].endswith(f"@{row.name}.test")]

    def wait(self, what, condition, seconds=10.0):
        """All rows run at once, so that they share the time; at least SECONDS of it are left when another begins."""
        return gk.wait_for(what, condition, max(seconds, self.deadline - time.monotonic()))

    def judge(self, row):
        peer, count = self.peers[row.name], row.more.get("recipients", 1)
        named = row.more.get(row.outcome)
        if row.outcome == DEFERRED:
            def tried():
                return [a for a in self.history(row) if a["outcome"] == "deferred" and re.search(row.text, a.get("text", "")) and (not named or a["recipient"].startswith(f"{named}@"))]
            attempt = self.wait("an attempt that failed in the way it did", tried)[0]
            self.assertRegex(attempt["status"], f"^({row.status})")
            self.assertEqual(attempt["peer"], f"{'lmtp:' if row.more.get('lmtp') else ''}[{peer.address}]:{peer.port}")
            peer.behave()
        if row.outcome == BOUNCED:
            text = self.wait("the DSN", lambda: self.dsn(f"{named or 'x0'}@{row.name}.test"))
            unfolded = re.sub(r"\r?\n[ \t]+", " ", text)
            self.assertRegex(unfolded, r"(?m)^Diagnostic-Code: (smtp; *|x-gk; *|)[^\r\n]*" + row.text + "|" + row.text)
            self.assertRegex(unfolded, rf"(?m)^Status: {re.escape(row.status)}\b")
        self.wait("an empty queue", lambda: not self.queued(row))
        delivered = self.events("queue.delivered", row)
        failed = self.events("queue.failed", row)
        bounced = 0 if row.outcome != BOUNCED else 1
        self.assertEqual((len(delivered), len(failed)), (count - bounced, bounced))
        if row.outcome == DELIVERED:
            self.assertEqual(len(peer.received), 1)
            if row.text:
                self.assertRegex(delivered[0].get("tls", ""), row.text)
        if delivered:
            self.assertEqual(case.digest(peer.received[-1].message), case.digest(self.messages[row.name]))

    def test_replies_out_of_step_are_not_taken_for_the_next_message(self):
        self.judge_second(next(row for row in ROWS if row.name == "out-of-step"))

    def test_nor_are_those_that_come_late(self):
        self.judge_second(next(row for row in ROWS if row.name == "out-of-step-late"))

    def judge_second(self, row):
        """Who had one reply too many gets no second message over that session: each recipient would get another's reply."""
        self.judge(row)
        peer = self.peers[row.name]
        with self.smtp_of() as smtp:
            smtp.sendmail("ann@a.test", [f"x@{row.name}.test"], b"Subject: first\r\n\r\nhello\r\n")
            self.wait("the first message", lambda: len(self.events("queue.delivered", row)) == 2)
            self.wait("the reply too many", lambda: "late" not in row.name or peer.seen["later"] == 2)
            before = peer.connections
            peer.misdeeds["rcpt"] = lambda dialogue, _: dialogue.say("550 5.1.1 nobody")
            smtp.sendmail("ann@a.test", [f"y@{row.name}.test", f"z@{row.name}.test"], b"Subject: second\r\n\r\nhello\r\n")
        self.wait("both verdicts", lambda: len(self.events("queue.failed", row)) == 2)
        self.assertEqual({event["reply"] for event in self.events("queue.failed", row)}, {"550 5.1.1 nobody"})
        self.assertEqual(peer.connections, before + 1)


def _test_of(row):
    def test(self):
        self.judge(row)
    return test


for _row in ROWS:
    if not _row.more.get("has_own_test"):
        setattr(Hostile, f"test_row_{_row.name}", _test_of(_row))


if __name__ == "__main__":
    unittest.main()
