#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""gk's main job, for real: two instances, mail in, between accounts, and out through the queue; read back over IMAP.

usage: demo.py [--once] [--messages N] [--port-base N]
Stays up until Ctrl-C unless --once is given; exits 0 only if every message was found again, byte for byte.
"""
import argparse
import hashlib
import imaplib
import os
import shutil
import signal
import smtplib
import ssl
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bed import gk, mail  # noqa: E402

TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE  # the certificates of the demo are self-signed


def say(text=""):
    print(text, flush=True)


def step(number, text):
    say(f"\n{number}. {text}")


def body_hash(message):
    """A hash over what no server may change: everything after the header, line ends aside."""
    return hashlib.sha256(message.replace(b"\r\n", b"\n").split(b"\n\n", 1)[-1]).hexdigest()


def imap_messages(instance, user):
    """All messages in a user's INBOX over implicit TLS, with the password login; then marks them read."""
    with imaplib.IMAP4_SSL("127.0.0.1", instance.port("imaps"), ssl_context=TLS, timeout=60) as imap:
        imap.login(user, instance.PASSWORD)
        _, counted = imap.select("INBOX")
        if not int(counted[0]):
            return []
        _, parts = imap.fetch("1:*", "(UID BODY.PEEK[])")
        imap.store("1:*", "+FLAGS", "(\\Seen)")
        return [part[1] for part in parts if isinstance(part, tuple)]


def refused(action):
    """The reply with which ACTION was refused; fails if it was not."""
    try:
        action()
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return f"{code} {text.decode()}"
    except smtplib.SMTPResponseException as error:
        return f"{error.smtp_code} {error.smtp_error.decode()}"
    raise gk.Failed("a message was accepted that must be refused")


def submit(instance, sender, recipients, message):
    """As a mail program does: port 587, STARTTLS, login, one message."""
    with smtplib.SMTP("127.0.0.1", instance.port("submission"), timeout=60) as smtp:
        smtp.starttls(context=TLS)
        smtp.login(sender, instance.PASSWORD)
        smtp.sendmail(sender, recipients, message)


def story(alpha, beta, count):
    corpus = mail.real(count)
    step(1, f"{count} messages arrive on port {alpha.port('smtp')} (MX) for ann@a.test"
         + (": real ones, from the SpamAssassin corpus." if corpus else ": made-up ones, since npm is out of reach."))
    messages = mail.some(count)
    started = time.monotonic()
    with smtplib.SMTP("127.0.0.1", alpha.port("smtp"), timeout=60) as smtp:
        for message in messages:
            smtp.sendmail("sender@outside.test", ["ann@a.test"], message)
    seconds = time.monotonic() - started
    say(f"   accepted, each on disk before its 250: {count} in {seconds:.2f} s, one after the other on one connection")

    step(2, "What must not get in is refused, in one line that says why:")
    with smtplib.SMTP("127.0.0.1", alpha.port("smtp"), timeout=60) as smtp:
        said = refused(lambda: smtp.sendmail("sender@outside.test", ["nobody@a.test"], messages[0]))
        say(f"   to nobody@a.test                 {said}")
    with smtplib.SMTP("127.0.0.1", alpha.port("smtp"), timeout=60) as smtp:
        said = refused(lambda: smtp.sendmail("sender@outside.test", ["carl@b.test"], messages[0]))
        say(f"   to carl@b.test without a login   {said}")
    with smtplib.SMTP("127.0.0.1", alpha.port("submission"), timeout=60) as smtp:
        smtp.starttls(context=TLS)
        said = refused(lambda: smtp.login("ann@a.test", "wrong"))
        say(f"   ann with a wrong password        {said}")

    step(3, f"ann submits on port {alpha.port('submission')} (STARTTLS, login): to bob@a.test here, and to carl@b.test far away.")
    maker = mail.Maker(7, sender="ann@a.test", recipient="bob@a.test")
    to_bob, to_carl = maker.message(), maker.message()
    submit(alpha, "ann@a.test", ["bob@a.test"], to_bob)
    submit(alpha, "ann@a.test", ["carl@b.test"], to_carl)
    say("   accepted; gk-queue hands carl's message to the other instance")
    gk.wait_for("carl's message", lambda: beta.files("carl@b.test"), 30)
    submit(beta, "carl@b.test", ["ann@a.test"], mail.Maker(8, sender="carl@b.test", recipient="ann@a.test").message())
    gk.wait_for("carl's answer", lambda: len(alpha.files("ann@a.test")) == count + 1, 30)
    say("   delivered there, and carl's answer is back")

    step(4, f"Everybody reads over IMAP with TLS (port {alpha.port('imaps')} and {beta.port('imaps')}):")
    anns, bobs = imap_messages(alpha, "ann@a.test"), imap_messages(alpha, "bob@a.test")
    carls = imap_messages(beta, "carl@b.test")
    missing = {body_hash(m) for m in messages} - {body_hash(m) for m in anns}
    say(f"   ann has {len(anns)}, bob {len(bobs)}, carl {len(carls)}")
    if missing or len(anns) != count + 1 or [body_hash(m) for m in bobs] != [body_hash(to_bob)] or [body_hash(m) for m in carls] != [body_hash(to_carl)]:
        raise gk.Failed(f"{len(missing)} messages came back changed or not at all")
    say("   every body is what was sent, byte for byte")

    step(5, "One message's story, through all programs (gk-log trace):")
    sent = [event["id"] for event in alpha.events() if event.get("program") == "gk-queue" and event.get("id")]
    if sent:
        for line in gk.run("gk-log", "trace", sent[0], "--root", alpha.root).splitlines():
            say(f"   {line[:150]}")

    step(6, "The Maildir is the truth: every index is deleted, and every UID is still the same.")
    before = uids(alpha)
    alpha.stop()
    removed = 0
    for folder, _, names in os.walk(f"{alpha.root}/mail"):
        for name in names:
            if name.startswith("index.db"):
                os.remove(f"{folder}/{name}")
                removed += 1
    alpha.start()
    after = uids(alpha)
    if before != after or not before[1]:
        raise gk.Failed("UIDs or flags changed when the index was rebuilt")
    say(f"   {removed} files deleted, {len(after[1])} messages found again with the same UIDVALIDITY, UIDs and flags")


def uids(instance):
    with imaplib.IMAP4_SSL("127.0.0.1", instance.port("imaps"), ssl_context=TLS, timeout=60) as imap:
        imap.login("ann@a.test", instance.PASSWORD)
        imap.select("INBOX", readonly=True)
        validity = imap.response("UIDVALIDITY")[1]
        _, rows = imap.fetch("1:*", "(UID FLAGS)")
        return validity, [bytes(row).replace(b"\\Recent", b"").replace(b" )", b")") for row in rows]


def attach(alpha, beta):
    say(f"""
Both stay up until Ctrl-C. Every password is: {alpha.PASSWORD}
  account ann@a.test, bob@a.test   SMTP {alpha.port('submission')} (STARTTLS) or {alpha.port('submissions')} (TLS)   IMAP {alpha.port('imap')} (STARTTLS) or {alpha.port('imaps')} (TLS)
  account carl@b.test              SMTP {beta.port('submission')} (STARTTLS) or {beta.port('submissions')} (TLS)   IMAP {beta.port('imap')} (STARTTLS) or {beta.port('imaps')} (TLS)
  the host is 127.0.0.1, the certificate self-signed; files are below {alpha.root} and {beta.root}

Thunderbird  add an account by hand with the ports above and normal password; accept the certificate once
mutt         mutt -f imaps://ann%40a.test@127.0.0.1:{alpha.port('imaps')}/
             or, behind gk's back: mutt -f {alpha.maildir('ann@a.test')}
curl         curl -k --url 'imaps://127.0.0.1:{alpha.port('imaps')}/INBOX;UID=1' --user 'ann@a.test'
             curl -k --ssl-reqd --url smtp://127.0.0.1:{alpha.port('submission')} --user ann@a.test --mail-from ann@a.test --mail-rcpt carl@b.test -T message.eml
mbsync       IMAPStore gk / Host localhost / Port {alpha.port('imaps')} / User ann@a.test / SSLType IMAPS / CertificateFile {alpha.root}/keys/tls/default.crt
shell        {gk.BIN}/gk-mailbox list --account ann@a.test --root {alpha.root}
             {gk.BIN}/gk-queue list --root {alpha.root}      {gk.BIN}/gk-log follow --root {alpha.root}""")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", action="store_true", help="stop everything at the end instead of staying up")
    parser.add_argument("--messages", type=int, default=100, help="how many messages arrive in step 1 [100]")
    parser.add_argument("--port-base", type=int, default=0, help="standard ports + N (the second instance: + N + 2000) [free ones]")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="gk-demo-")
    bases = [options.port_base or gk.free_port_base(), options.port_base + 2000 if options.port_base else gk.free_port_base()]
    say(f"Two instances of gk under {folder}: mx.a.test with a.test, mx.b.test with b.test. DNS is replaced by one route on each side.")
    started, code = time.monotonic(), 1
    alpha = beta = None
    try:
        alpha = gk.Instance("mx.a.test", {"a.test": ["ann", "bob"]}, f'[queue.routes]\n"b.test" = "127.0.0.1:{bases[1] + 25}"\n',
                            f"{folder}/a", port_base=bases[0])
        beta = gk.Instance("mx.b.test", {"b.test": ["carl"]}, f'[queue.routes]\n"a.test" = "127.0.0.1:{bases[0] + 25}"\n',
                           f"{folder}/b", port_base=bases[1])
        alpha.start()
        beta.start()
        story(alpha, beta, options.messages)
        say(f"\nAll well, in {time.monotonic() - started:.1f} s.")
        code = 0
        if not options.once:
            attach(alpha, beta)
            signal.pause()
    except KeyboardInterrupt:
        code = 0
    except Exception as error:  # whatever it was: say it, show the logs, clean up
        say(f"\nFAILED: {type(error).__name__}: {error}")
        for instance in (alpha, beta):
            if instance:
                say(instance.logs())
    finally:
        for instance in (alpha, beta):
            if instance and instance.stop() != 0 and code == 0:
                say("FAILED: an instance did not stop cleanly")
                code = 1
        shutil.rmtree(folder, ignore_errors=True)
    return code


sys.exit(main())
