# SPDX-License-Identifier: MIT
"""Mixed mail for a mailbox of a benchmark, always the same: about 12 KB each, 40 % multipart, in threads, with many senders."""
import base64
import email.utils
import os
import random

WORDS = ("invoice meeting lunch report draft server backup weather train ticket garden coffee review patch release mirror window paper "
         "signal river budget contract photo holiday archive morning evening letter office number account project station market bridge "
         "forest island winter summer kitchen student teacher doctor travel music picture story reason question answer history").split()
NAMES = "ann bob carla dmitri eva faruk grace hugo ines jonas kira liam mona nils olga pavel quinn rosa sven tara ugo vera wim xenia yara zoe".split()
RARE = "zanzibar"    # in the body of one message of a thousand, and nowhere else


class Corpus:
    def __init__(self, count, seed=7):
        self.count, self.random = count, random.Random(seed)
        self.blocks = [self._text(3000) for _ in range(300)]
        self.blobs = [base64.encodebytes(self.random.randbytes(6000)).decode("ascii") for _ in range(60)]
        self.recent = []    # (message id, references, subject)

    def _text(self, length):
        r, out, line, total = self.random, [], "", 0
        while total < length:
            word = r.choice(WORDS)
            if len(line) + len(word) > 70:
                out.append(line)
                total += len(line) + 1
                line = ""
            line += (" " if line else "") + word
        return "\n".join(out) + "\n"

    def message(self, number):
        r = self.random
        name = r.choice(NAMES)
        message_id = f"<{number}.{r.getrandbits(48):012x}@host{number % 97}.example>"
        if self.recent and r.random() < 0.6:
            parent, references, subject = r.choice(self.recent)
            references = (references + [parent])[-12:]
            subject = subject if subject.startswith("Re: ") else "Re: " + subject
        else:
            references, subject = [], " ".join(r.choice(WORDS) for _ in range(r.randint(2, 6)))
        self.recent = (self.recent + [(message_id, references, subject)])[-200:]
        head = [f"Return-Path: <{name}{number % 400}@host{number % 97}.example>",
                "Received: from a.example (a.example [192.0.2.1])\n\tby b.example with ESMTPS id " + f"{r.getrandbits(40):010x}" + "\n\tfor <u@example.org>; "
                + email.utils.formatdate(1_750_000_000 + number * 97),
                f"From: \"{name.title()} {r.choice(NAMES).title()}\" <{name}{number % 400}@host{number % 97}.example>",
                "To: " + ", ".join(f"{r.choice(NAMES)}@example.org" for _ in range(r.randint(1, 3))),
                f"Subject: {subject}", f"Date: {email.utils.formatdate(1_750_000_000 + number * 97)}", f"Message-ID: {message_id}", "MIME-Version: 1.0"]
        if references:
            head += [f"In-Reply-To: {references[-1]}", "References: " + "\n ".join(references)]
        head.append("X-Mailer: corpus " + "x" * r.randint(5, 60))
        text = "".join(r.choice(self.blocks) for _ in range(r.randint(1, 3)))
        if number % 1000 == 500:
            text += f"They went to {RARE} then.\n"
        kind = r.random()
        if kind < 0.45:
            head.append("Content-Type: text/plain; charset=utf-8")
            body = text + "".join(r.choice(self.blocks) for _ in range(r.randint(0, 3)))
        elif kind < 0.6:
            head += ["Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: quoted-printable"]
            body = "<html><body>" + text.replace("e", "=65", 40).replace("\n", "<br>=\n") + "</body></html>\n"
        else:
            boundary = f"=_{r.getrandbits(64):016x}"
            if kind < 0.8:
                head.append(f"Content-Type: multipart/alternative; boundary=\"{boundary}\"")
                parts = [("text/plain; charset=utf-8", "7bit", text), ("text/html; charset=utf-8", "7bit", f"<html><body><p>{text}</p></body></html>\n")]
            else:
                head.append(f"Content-Type: multipart/mixed; boundary=\"{boundary}\"")
                parts = [("text/plain; charset=iso-8859-1", "7bit", text)]
                parts += [(f"application/pdf; name=\"file{i}.pdf\"", "base64", r.choice(self.blobs)) for i in range(r.randint(1, 3))]
            body = "".join(f"--{boundary}\nContent-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n{content}\n" for kind, encoding, content in parts)
            body += f"--{boundary}--\n"
        return "\n".join(head) + "\n\n" + body

    def write(self, folder):
        """One file a message in FOLDER; their size in all."""
        os.makedirs(folder)
        octets = 0
        for number in range(self.count):
            content = self.message(number).encode("utf-8")
            octets += len(content)
            with open(f"{folder}/{number:07}", "wb") as file:
                file.write(content)
        return octets
