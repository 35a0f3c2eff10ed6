# SPDX-License-Identifier: MIT
"""What the RFCs leave to a server, taken out of its answers, so that what is left must be the same or have a reason.

Every rule here names what permits it; a difference that no rule covers belongs into expected.txt.
"""
import datetime
import re
import time

from differential.syntax import Atom, parse, show

# Responses of extensions that only one of the two servers has say nothing about the other one.
CODES_OF = {"HIGHESTMODSEQ": "CONDSTORE", "NOMODSEQ": "CONDSTORE", "MODIFIED": "CONDSTORE", "CLOSED": "QRESYNC", "MAILBOXID": "OBJECTID",
            "URLMECH": "URLAUTH", "ANNOTATIONS": "ANNOTATE-EXPERIMENT-1", "APPENDUID": "UIDPLUS", "COPYUID": "UIDPLUS", "UIDNOTSTICKY": "UIDPLUS"}
# RFC 5530, 3: a client must work without them, and a server need not send them.
OPTIONAL_CODES = {"ALREADYEXISTS", "NONEXISTENT", "CANNOT", "CLIENTBUG", "LIMIT", "OVERQUOTA", "NOPERM", "INUSE", "SERVERBUG", "CORRUPTION",
                  "EXPUNGEISSUED", "CONTACTADMIN", "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "UNAVAILABLE", "PARSE", "TOOBIG", "BADEVENT"}
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def sets_of(text):
    """A sequence set with its ranges written out as short as they go; the order stays (COPYUID has one)."""
    numbers = []
    for part in text.split(","):
        ends = part.split(":")
        if not all(end.isdigit() for end in ends) or len(ends) > 2:
            return text
        low, high = int(ends[0]), int(ends[-1])
        numbers += range(low, high + 1) if low <= high else range(low, high - 1, -1)
    return ",".join(map(str, numbers))


def sorted_set(text):
    numbers = sets_of(text)
    return ",".join(map(str, sorted(map(int, numbers.split(","))))) if re.fullmatch(r"[\d,]+", numbers) else text


def instant(text):
    """A date-time in UTC: which zone it is shown in is the server's choice. Those of the test's own time are "now"."""
    found = re.fullmatch(r" ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", text)
    if not found:
        return text
    day, month, year, hour, minute, second = int(found[1]), MONTHS.index(found[2].title()) + 1, int(found[3]), int(found[4]), int(found[5]), int(found[6])
    offset = datetime.timedelta(hours=int(found[8]), minutes=int(found[9])) * (-1 if found[7] == "-" else 1)
    when = datetime.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=datetime.timezone.utc) - offset
    return "now" if abs(when.timestamp() - time.time()) < 7200 else when.strftime("%Y-%m-%dT%H:%M:%SZ")


def flag(word):
    """System flags are written in any case (RFC 9051, 2.3.2); keywords too, but a server should keep how they were written."""
    return word.title() if word.startswith("\\") else word


class Normal:
    """Normalises one server's answers to one script. SHARED: what both of the two advertise."""

    def __init__(self, shared):
        self.shared, self.ids, self.counts = shared, {}, {}

    def step(self, step, answers, special):
        """The lines of one step: the untagged ones by segments between expunges, then the one that ended it."""
        lines, segment, gone, fetched = [], [], [], {}

        def close_segment():
            for number, items in fetched.items():
                segment.append(f"* {number} FETCH ({' '.join(f'{name} {value}' for name, value in sorted(items.items()))})")
            fetched.clear()
            lines.extend(sorted(segment))
            segment.clear()

        def close_expunges():
            if gone:  # RFC 9051, 7.5.1: 3, 3 and 4, 3 tell the same
                lines.append(f"* EXPUNGE of {','.join(map(str, sorted(gone)))}")
                gone.clear()

        connection = step.connection
        last = []
        for answer in answers:
            words = parse(answer)
            first = words[0] if words else ""
            if first != "*":
                close_segment()
                close_expunges()
                last = [self.tagged(words, answer)]
                continue
            kind = words[2].upper() if len(words) > 2 and str(words[1]).isdigit() and isinstance(words[2], Atom) else str(words[1]).upper()
            if kind == "EXPUNGE":
                close_segment()
                number = int(words[1])
                for earlier in sorted(gone):
                    number += earlier <= number
                gone.append(number)
                self.counts[connection] = self.counts.get(connection, 1) - 1
                continue
            close_expunges()
            if kind == "FETCH":
                items = self.fetch(words[3], special)
                if items:
                    fetched.setdefault(words[1], {}).update(items)
            elif kind == "EXISTS":  # again the same number: tells nothing
                if self.counts.get(connection) != int(words[1]) or special["selects"]:
                    segment[:] = [line for line in segment if not line.endswith("EXISTS")] + [f"* {words[1]} EXISTS"]
                self.counts[connection] = int(words[1])
            else:
                line = self.untagged(kind, words, answer, special)  # may be None
                if line:
                    segment.append(line)
        close_segment()
        close_expunges()
        return lines + last

    def code(self, text):
        """A response code in brackets, or ""."""
        found = re.match(r"\[([^\] ]+)(?: (.*?))?\](?: |$)", text)
        if not found:
            return ""
        name, rest = found[1].upper(), found[2] or ""
        if name in CODES_OF and CODES_OF[name] not in self.shared:
            return ""
        if name in ("CAPABILITY", "ALERT"):  # who sends which is compared by nobody
            return ""
        if name == "UIDVALIDITY":
            rest = "V"
        elif name == "HIGHESTMODSEQ":
            rest = "M"
        elif name == "MAILBOXID":
            rest = self.same_id(rest.strip("()"))
        elif name == "MODIFIED":
            rest = sorted_set(rest)
        elif name == "APPENDUID":
            rest = "V " + sets_of(rest.split(" ")[1])
        elif name == "COPYUID":
            parts = rest.split(" ")
            rest = "V " + " ".join(sets_of(part) for part in parts[1:])
        elif name == "PERMANENTFLAGS":
            rest = "(" + " ".join(sorted(flag(word) for word in rest.strip("()").split())) + ")"
        elif name == "BADCHARSET":
            rest = ""
        return f" [{name} {rest}]" if rest else f" [{name}]"

    def tagged(self, words, answer):
        text = answer.decode("latin-1")
        if text.startswith("+"):
            return "+"
        if text == "<end>":
            return text
        parts = text.split(" ", 2)
        return f"{parts[1].upper()}{self.code(parts[2] if len(parts) > 2 else '')}" if len(parts) > 1 else text

    def untagged(self, kind, words, answer, special):
        if kind in ("OK", "NO", "BAD", "PREAUTH"):
            parts = answer.decode("latin-1").split(" ", 2)
            code = self.code(parts[2] if len(parts) > 2 else "")
            return f"* {kind}{code}" if code or kind == "BAD" else None  # text alone is for people
        if kind == "BYE":
            return "* BYE"
        if kind in ("CAPABILITY", "ID"):
            return f"* {kind}"
        if kind == "RECENT":  # outside SELECT it may be sent at any time (RFC 3501, 7.3.2)
            return f"* {words[1]} RECENT" if special["selects"] else None
        if kind == "FLAGS":
            return f"* FLAGS {' '.join(sorted({flag(word) for word in words[2]} - {flag(Atom(chr(92) + 'Recent'))}))}"
        if kind == "SEARCH":
            numbers = sorted(int(word) for word in words[2:] if isinstance(word, Atom) and word.isdigit())
            modseq = " (MODSEQ M)" if any(isinstance(word, list) for word in words[2:]) else ""
            return f"* SEARCH {' '.join(map(str, numbers))}{modseq}"
        if kind == "ESEARCH":
            return "* ESEARCH " + self.esearch(words[2:], sets_of if special["sorts"] else sorted_set)
        if kind in ("LIST", "LSUB", "XLIST"):
            return self.listed(kind, words, special)
        if kind == "STATUS":
            return self.status(words)
        if kind == "ENABLED":
            return f"* ENABLED {' '.join(sorted(word.upper() for word in words[2:]))}"
        if kind == "VANISHED":
            return f"* VANISHED {'(EARLIER) ' if isinstance(words[2], list) else ''}{sorted_set(words[-1])}"
        if kind in ("METADATA", "QUOTA", "QUOTAROOT"):  # names are astrings: atoms or strings; entries come in any order
            found = [show(self.name(word)) for word in words[2:] if not isinstance(word, list)]
            for items in words[2:]:
                if isinstance(items, list):
                    pairs = [f"{show(self.name(name)).lower()} {show(value)}" for name, value in zip(items[::2], items[1::2])]
                    found.append("(" + " ".join(sorted(pairs) if kind == "METADATA" else map(show, items)) + ")")
            return f"* {kind} {' '.join(found)}"
        return "* " + " ".join(show(word) for word in words[1:])

    @staticmethod
    def name(word):
        """A mailbox or an entry, however it is written; INBOX in one case."""
        found = word if isinstance(word, bytes) else str(word).encode("latin-1")
        return b"INBOX" if found.upper() == b"INBOX" else found

    def esearch(self, words, numbers):
        """NUMBERS writes a set: that of SORT has an order."""
        tag, rest = [], []
        while words:
            word = words.pop(0)
            if isinstance(word, list):
                tag.append("(TAG)" if str(word[0]).upper() == "TAG" else show(word))
            elif word.upper() == "UID":
                tag.append("UID")
            else:
                value = words.pop(0) if words else ""
                name = word.upper()
                rest.append(f"{name} {'M' if name == 'MODSEQ' else numbers(value) if isinstance(value, Atom) else show(value)}")
        return " ".join(tag + sorted(rest))

    def listed(self, kind, words, special):
        """\\Marked and \\Unmarked may be sent or not (RFC 9051, 7.3.1); what an extended LIST did not ask for too (RFC 5258, 4;
        RFC 6154, 2), and of LSUB's attributes only \\Noselect means something (RFC 3501, 6.3.9).
        """
        attributes = {word.lower() for word in words[2]} - {"\\marked", "\\unmarked"}
        if kind == "LSUB":
            attributes &= {"\\noselect"}
        elif special["extended"]:
            attributes -= set() if special["children"] else {"\\haschildren", "\\hasnochildren"}
            attributes -= set() if special["uses"] else {"\\archive", "\\drafts", "\\flagged", "\\junk", "\\sent", "\\trash", "\\all", "\\important"}
        name = self.name(words[4])
        extended = []
        for item in words[5] if len(words) > 5 and isinstance(words[5], list) else []:
            extended.append(show(sorted(item, key=str)) if isinstance(item, list) else show(item.encode() if isinstance(item, Atom) else item).upper())
        return f"* {kind} ({' '.join(sorted(attributes))}) {show(words[3])} {show(name)}" + (f" ({' '.join(extended)})" if extended else "")

    def status(self, words):
        items = words[3] if len(words) > 3 and isinstance(words[3], list) else []
        found = []
        for name, value in zip(items[::2], items[1::2]):
            name = name.upper()
            known = {"UIDVALIDITY": "V", "HIGHESTMODSEQ": "M"}
            found.append(f"{name} {known[name] if name in known else self.same_id(value[0]) if name == 'MAILBOXID' else show(value)}")
        return f"* STATUS {show(self.name(words[2]))} ({' '.join(sorted(found))})"

    def same_id(self, text):
        """Object identifiers are any text, but the same object has the same: the first one seen is ID1, and so on."""
        text = str(text)
        return self.ids.setdefault(text, f"ID{len(self.ids) + 1}")

    def fetch(self, items, special):
        """{item: value}. UID and MODSEQ may come along unasked (RFC 9051, 7.5.2; RFC 7162, 3.1.4)."""
        found = {}
        if not isinstance(items, list):
            return {"": show(items)}
        for name, value in zip(items[::2], items[1::2]):
            name = re.sub(r"\[(.*)\]", lambda m: "[" + self.section(m[1]) + "]", name.upper() if "[" not in name else name)
            plain = name.upper()
            if plain == "UID" and not special["uid"]:
                continue
            if plain == "MODSEQ":
                if special["modseq"]:
                    found[plain] = "M"
            elif plain == "FLAGS":
                found[plain] = "(" + " ".join(sorted(flag(word) for word in value)) + ")"
            elif plain in ("INTERNALDATE", "SAVEDATE"):
                found[plain] = instant(value.decode()) if isinstance(value, bytes) else value
            elif plain in ("BODYSTRUCTURE", "BODY"):
                found[plain] = self.structure(value)
            elif plain in ("EMAILID", "THREADID"):
                found[plain] = self.same_id(value[0]) if isinstance(value, list) else show(value)
            else:
                found[plain] = show(value)
        return found

    @staticmethod
    def section(text):
        return re.sub(r"\(([^)]*)\)", lambda m: "(" + " ".join(m[1].replace('"', "").upper().split()) + ")", text.upper())

    def structure(self, body):
        """Names of types, encodings and parameters are the same in any case (RFC 2045, 2 and 5.1)."""
        if not isinstance(body, list):
            return show(body)
        if body and isinstance(body[0], list):
            count = next((number for number, part in enumerate(body) if not isinstance(part, list)), len(body))
            parts, rest = [self.structure(part) for part in body[:count]], body[count:]
            return "(" + " ".join(parts + [self.word(rest[0])] + [self.attribute(each) for each in rest[1:]] if rest else parts) + ")"
        shown = [self.word(body[0]), self.word(body[1])] + [self.attribute(body[2])] + [show(each) for each in body[3:5]] + [self.word(each) for each in body[5:6]]
        rest = body[6:]
        if [self.word(body[0]), self.word(body[1])] in (['"message"', '"rfc822"'], ['"message"', '"global"']) and len(rest) > 2:
            shown += [show(rest[0]), show(rest[1]), self.structure(rest[2])]
            rest = rest[3:]
        return "(" + " ".join(shown + [self.attribute(each) for each in rest]) + ")"

    @staticmethod
    def word(value):
        return show(value.lower()) if isinstance(value, bytes) else show(value)

    def attribute(self, value):
        """Parameters, or a disposition with its own."""
        if not isinstance(value, list):
            return show(value)
        if len(value) == 2 and isinstance(value[1], (list, Atom)):
            return f"({self.word(value[0])} {self.attribute(value[1])})"
        if all(isinstance(each, bytes) for each in value) and len(value) % 2 == 0:
            return "(" + " ".join(f"{self.word(name)} {show(content)}" for name, content in zip(value[::2], value[1::2])) + ")"
        return show(value)


def normalise(script, held, shared):
    """[(step, [line, …])] of one server's answers to SCRIPT."""
    modseq = "CONDSTORE" in script.needs or "QRESYNC" in script.needs  # told or not where nobody asked (RFC 7162, 3.1.2)
    normal, found = Normal(shared if modseq else shared - {"CONDSTORE", "QRESYNC"}), []
    for step, answers in held:
        said = step.text.upper()
        special = {"extended": bool(re.match(r"LIST (\(|\S+ \()", said)) or "RETURN" in said, "children": "CHILDREN" in said, "uses": "SPECIAL-USE" in said,
                   "selects": said.startswith(("SELECT", "EXAMINE")), "uid": "UID" in said, "modseq": modseq, "sorts": "SORT" in said}
        found.append((step, normal.step(step, answers, special)))
    return found


def without_optional_code(line):
    found = re.fullmatch(r"((?:\* )?(?:OK|NO|BAD)) \[([A-Z]+)[^\]]*\]", line)
    return found[1] if found and found[2] in OPTIONAL_CODES else line


def same(ours, theirs):
    """Whether two lines tell the same: a code of RFC 5530 may be left out, but where both have one, it is the same."""
    if ours == theirs:
        return True
    bare = without_optional_code(ours), without_optional_code(theirs)
    return bare[0] == bare[1] and (bare[0] == ours or bare[1] == theirs)
