# SPDX-License-Identifier: MIT
"""What a power cut would leave: a disk that has only what was flushed, rebuilt from the log of strace.

The rules are those of POSIX, and one that every journalled file system keeps: bytes are there after an fsync of their file, a
name is there after an fsync of its directory that began after the name was made (or a syncfs), and a rename from one durable
name to another leaves one of the two. Nothing else is counted on: what was not flushed is taken as lost.
"""
import os
import re

TRACED = ("read,write,pwrite64,writev,sendto,sendmsg,recvfrom,openat,creat,ftruncate,fsync,fdatasync,syncfs,"
          "rename,renameat,renameat2,link,linkat,unlink,unlinkat")
OPTIONS = ("-y", "-s", "4000", "-e", f"trace={TRACED}")
_LIVE = re.compile(r"/(?:Maildir(?:/\.[^/]+)?/(?:new|cur)|spool/(?:new|active))/[^/]+$")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_MESSAGE_ID = re.compile(r"(?i)message-id: *(<[^>\\]*>)")


class _File:
    def __init__(self, durable=False):
        self.written = self.flushed = 0
        self.message = None          # the Message-ID in its bytes
        self.names = set()
        self.sound = durable         # had all its bytes on disk when it got its name
        self.anchored = durable      # a live name of it is on disk
        self.pending = []            # for each name not known to be on disk: the directories of which one must be flushed


class Disk:
    """Feed it a log; faults() tells every promise that a power cut at that very moment would have broken."""

    def __init__(self):
        self.files = {}              # path: _File
        self.promised = {}           # Message-ID: the line in which it was acknowledged
        self.current = {}            # thread: the Message-ID it is taking
        self.named = {}              # thread: files that it named and that are not anchored yet
        self.open_calls = {}         # thread: (start of the line, snapshot)
        self.seen = []               # faults
        self.flushes = self.placed = 0

    # ---- reading the log

    def replay(self, lines):
        for line in lines:
            match = re.match(r"(\d+) +(.*)$", line)
            if not match:
                continue
            thread, text = match[1], match[2]
            if text.startswith("<... "):
                if thread not in self.open_calls:
                    continue
                begun, snapshot = self.open_calls.pop(thread)
                whole = begun + text.split(" resumed>", 1)[1]
                self._end(thread, whole, snapshot)
            elif call := re.match(r"(\w+)\(", text):
                snapshot = self._begin(thread, call[1], text)
                if text.endswith("<unfinished ...>"):
                    self.open_calls[thread] = text.removesuffix("<unfinished ...>"), snapshot
                else:
                    self._end(thread, text, snapshot)
            self._check_promises(line)
        return self.seen

    def _fault(self, what, text):
        self.seen.append(f"{what}: {text[:300]}")

    @staticmethod
    def _path(text):
        """The path of the descriptor that is the first argument."""
        found = re.match(r"\w+\(-?\w+<([^>]*)>", text)
        return found[1].removesuffix(" (deleted)") if found else None

    @staticmethod
    def _paths(text):
        """The absolute paths of a call that names files, relative ones against their directory descriptors."""
        found = []
        for match in re.finditer(r'(?:(?:AT_FDCWD|-?\d+)(?:<([^>]*)>)?, )?"((?:[^"\\]|\\.)*)"', text):
            found.append(os.path.normpath(os.path.join(match[1] or "/", match[2])))
        return found

    def _file(self, path):
        if path not in self.files:
            self.files[path] = _File(durable=True)  # was there before
            self.files[path].names.add(path)
        return self.files[path]

    # ---- what calls do

    def _begin(self, thread, name, text):
        """What a call relies on is what was true when it began."""
        if name in ("fsync", "fdatasync"):
            path = self._path(text)
            file = self.files.get(path)
            return [(file, file.written)] if file else [], [(f, need) for f in self._all() for need in f.pending if path in need]
        if name == "syncfs":
            return [(f, f.written) for f in self._all()], [(f, need) for f in self._all() for need in f.pending]
        if name in ("rename", "renameat", "renameat2", "link", "linkat"):
            paths = self._paths(text)
            file = self.files.get(paths[0]) if len(paths) == 2 else None
            if file and _LIVE.search(paths[1]) and not file.sound and file.flushed < file.written:
                self._fault("a name before its bytes were flushed", text)
        if name in ("sendto", "write", "sendmsg"):
            self._reply(thread, text)
        return None

    def _all(self):
        return list({id(file): file for file in self.files.values()}.values())

    def _reply(self, thread, text):
        said = _QUOTED.search(text)
        if not said or "/log/" in (self._path(text) or ""):
            return
        # The end of DATA or BDAT, of an APPEND, or under TLS whatever is said first after the message was written down.
        if re.match(r"250 2\.0\.0 (?:ok|delivered)|[^*+ ]+ OK \[APPENDUID|\\27\\3\\3", said[1]):
            message = self.current.pop(thread, None)
            if message is None:
                return
            self.promised[message] = text[:200]
        if re.match(r"[^*+ ]+ OK ", said[1]):  # a tagged OK of IMAP: every name it made is durable
            for file, need in self.named.pop(thread, ()):
                if file.names and any(other is need for other in file.pending):
                    self._fault("OK before the directory was flushed", text)

    def _end(self, thread, text, snapshot):
        name, result = text[:text.index("(")], re.search(r"\) += (-?\w+)", text)
        if not result or result[1].startswith("-") or result[1] == "?":
            return
        if name in ("openat", "creat") and "O_CREAT" in text:
            paths = self._paths(text)
            if paths and paths[0] not in self.files and "O_EXCL" in text:
                self.files[paths[0]] = _File()
                self.files[paths[0]].names.add(paths[0])
        elif name in ("write", "pwrite64", "writev", "ftruncate"):
            if file := self.files.get(self._path(text)):
                file.written += 1
                if not file.message and (found := _MESSAGE_ID.search(text)):
                    file.message = found[1]
                    self.current.setdefault(thread, found[1])
        elif name in ("read", "recvfrom"):
            if ("<socket:" in text or "<UNIX" in text or "<TCP" in text) and (found := _MESSAGE_ID.search(text)):
                self.current.setdefault(thread, found[1])  # the first: attached messages have theirs too
        elif name in ("fsync", "fdatasync", "syncfs"):
            self.flushes += 1
            for file, version in snapshot[0]:
                file.flushed = max(file.flushed, version)
            for file, need in snapshot[1]:
                file.anchored, file.pending = True, [other for other in file.pending if other is not need]
        elif name in ("rename", "renameat", "renameat2"):
            self._rename(thread, *self._paths(text))
        elif name in ("link", "linkat"):
            source, target = self._paths(text)
            self._name(thread, self._file(source), target)
        elif name in ("unlink", "unlinkat"):
            path = self._paths(text)[0]
            if file := self.files.pop(path, None):
                file.names.discard(path)

    def _name(self, thread, file, path, *also):
        self.files[path] = file
        file.names.add(path)
        if _LIVE.search(path):
            need = frozenset((os.path.dirname(path), *also))
            file.sound = file.sound or file.flushed >= file.written
            file.pending.append(need)
            self.named.setdefault(thread, []).append((file, need))
            self.placed += 1

    def _rename(self, thread, source, target):
        file = self._file(source)
        del self.files[source]
        file.names.discard(source)
        if _LIVE.search(source):  # a flush of either directory brings the whole rename
            self._name(thread, file, target, os.path.dirname(source))
        else:
            file.anchored, file.pending = False, []
            self._name(thread, file, target)

    def survives(self, message):
        return any(file.message == message and file.sound and file.anchored and any(map(_LIVE.search, file.names)) for file in self._all())

    def _check_promises(self, line):
        for message, said in list(self.promised.items()):
            if not self.survives(message):
                self._fault(f"{message}, acknowledged by {said}, would be lost by a power cut at", line)
                del self.promised[message]
