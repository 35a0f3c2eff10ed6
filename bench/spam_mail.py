# SPDX-License-Identifier: MIT
"""The public corpus of labelled mail for bench/spam: in the order in which it arrived, with or without its makers' traces."""
import email.utils
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/tests")
from bed import mail  # noqa: E402

# Hosts of those who collected the corpus. What these wrote in front says how a message got into it, which spam and ham did by different ways.
COLLECTORS = re.compile(rb"fetchmail|localhost|phobos|netnoteinc|jmason|spamassassin\.taint\.org|dogma\.slashnull|lugh\.tuatha")
TRACES = (b"return-path:", b"delivered-to: zzzz", b"delivered-to: jm@", b"delivered-to: yyyy", b"x-spam", b"status:", b"x-status:", b"x-uid", b"x-keywords")
BETWEEN = (9.9e8, 1.1e9)  # 2001 to 2004: a date outside of it is the sender's invention


def fields_of(message):
    head, gap, body = message.partition(b"\n\n")
    return re.split(rb"\n(?![ \t])", head), gap + body


def _seconds(text):
    try:
        seconds = email.utils.parsedate_to_datetime(text.decode("latin-1").strip()).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return seconds if BETWEEN[0] < seconds < BETWEEN[1] else None


def arrival(message):
    """When the first host that says so took it over; else what its Date says."""
    fields = [re.sub(rb"\n[ \t]+", b" ", field) for field in fields_of(message)[0]]
    said = [_seconds(field.rsplit(b";", 1)[1]) for field in fields if field.lower().startswith(b"received:") and b";" in field]
    said += [_seconds(field[5:]) for field in fields if field.lower().startswith(b"date:")]
    return next((when for when in said if when), None)


def without_traces(message):
    fields, rest = fields_of(message)
    last = max((i for i, field in enumerate(fields[:14]) if field.lower().startswith(b"received:")
                and COLLECTORS.search(field.split(b";")[0].lower())), default=-1)
    kept = [field for i, field in enumerate(fields) if not field.lower().startswith(TRACES)
            and not (i <= last and field.lower().startswith(b"received:"))]
    return b"\n".join(kept) + rest


def load(clean):
    """[(is spam, message)] in order of arrival; [] where the corpus cannot be had."""
    mail.real(1)  # fetches it
    folder = os.environ.get("GK_REAL_MAIL", f"{ROOT}/build/data/real-mail")
    if not os.path.exists(f"{folder}/complete"):
        return []
    found = []
    for name in sorted(os.listdir(folder)):
        if name == "complete":
            continue
        with open(f"{folder}/{name}", "rb") as file:
            message = mail.as_wire(file.read()).replace(b"\r\n", b"\n")
        when = arrival(message)
        if when is not None:
            found.append((when, name, "ham" not in name, without_traces(message) if clean else message))
    found.sort(key=lambda each: each[:2])
    return [(spam, message) for _, _, spam, message in found]
