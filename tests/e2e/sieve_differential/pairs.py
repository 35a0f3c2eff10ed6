# SPDX-License-Identifier: MIT
"""Scripts and messages that gk and Pigeonhole are both asked about: those of the unit tests, and combinations."""
import glob
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

MESSAGES = {
    "plain": """Return-Path: <bob@example.com>
Received: from mx.example.com by mx.example.org; Tue, 1 Apr 1997 09:06:31 -0800
From: Bob Builder <bob@example.com>
To: Ann <ann@example.org>, carl+lists@example.net
Cc: dora@example.org
Subject: Hello World
Date: Tue, 1 Apr 1997 09:06:31 -0800
Message-ID: <1@example.com>
X-Number: 5

This is the body.
It has two lines.
""",
    "encoded": """From: =?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <juergen@example.com>
To: "Ann, the owner" <Ann@Example.ORG>
Subject: =?iso-8859-1?q?Gr=FC=DFe?= aus
 =?utf-8?b?S8O2bG4=?=
Date: 30 Nov 2026 10:00:00 +0100 (CET)
X-Number: 0042 apples
X-Empty:
X-Number: 7
MIME-Version: 1.0
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Sch=F6ne Gr=FC=DFe=
 und mehr
""",
    "multipart": """From: list-owner@lists.example.com
To: friends: a@example.org, "B C" <b+x@example.org>;
Cc: ann@example.org
Subject: [List] Re: photos
Date: Sun, 29 Feb 2004 23:59:60 -0330
Received: from a by b with ESMTP id 3; Sun, 29 Feb 2004 20:00:00 +0000
Received: from b by c; Mon, 1 Mar 2004 01:00:00 +0100
X-Spam-Flag: YES
X-Number: -1
X-Number: 10
X-Number: 9
List-Id: Photos <photos.lists.example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

A prologue.
--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8

Plain words: grün
--inner
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHA+SFRNTCA8Yj53b3JkczwvYj4gZ3LDvG48L3A+
--inner--
--outer
Content-Type: image/png; name="cat.png"
Content-Disposition: attachment; filename="cat.png"
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--outer
Content-Type: message/rfc822

From: inner@example.com
Subject: Inner subject

Inner body
--outer--
An epilogue.
""",
    "odd": """from: <bob@example.com>
To: undisclosed-recipients:;
SUBJECT:   spaces   around  \t
Subject: a second one
Date: not a date
X-Folded: one
\ttwo
  three
X-Stars: a*b?c\\d
X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab
Reply-To: "quoted \\"name\\"" <"strange local"@example.com>, plain@[192.0.2.1]

""",
}

ALL = ('["envelope", "fileinto", "body", "relational", "comparator-i;ascii-numeric", "subaddress", "variables", "date", "index", "mime", '
       '"foreverypart", "extracttext", "imap4flags", "regex", "encoded-character", "copy", "reject", "editheader", "environment", "mailbox", "ihave"]')

MATCHES = [(':is "{0}"', "is"), (':contains "{0}"', "contains"), (':matches "{0}"', "matches"), (':comparator "i;octet" :is "{0}"', "octet"),
           (':comparator "i;octet" :contains "{0}"', "octet contains")]

HEADER_KEYS = [("subject", key) for key in ("hello world", "Hello World", "", "World", "*", "?ello*", "h*o*d", "Grüße aus Köln", "spaces   around",
                                            "a second one", "[list]*", "*re: p*s")] + \
              [("x-folded", key) for key in ("one two  three", "one*three", "one two")] + \
              [("x-stars", key) for key in ("a*b?c\\\\d", "a\\\\*b\\\\?c\\\\\\\\d", "*\\\\**")] + \
              [("x-number", "5"), ("x-empty", ""), ("x-empty", "*"), ("x-long", "*a*a*a*a*b"), ("x-long", "*a*a*a*a*c"), ("x-none", ""),
               ("x-spam-flag", "yes"), ("list-id", "*<photos.*")]

TESTS = {}


def add(name, test):
    TESTS[name] = test


for field, key in HEADER_KEYS:
    for pattern, kind in MATCHES:
        where, tag = pattern.format(key).rsplit(' "', 1)
        add(f"header {kind} {field} {key!r}", f'header {where} "{field}" "{tag}')
for part in ("all", "localpart", "domain", "user", "detail"):
    for field in ("from", "to", "cc", "reply-to"):
        for key in ("ann@example.org", "bob", "example.org", "x", "lists", "", "*", "b", "strange local"):
            add(f"address {part} {field} {key!r}", f'address :{part} :matches "{field}" "{key}"')
for part in ("year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone", "weekday"):
    for zone in (':zone "+0000"', ":originalzone", ':zone "-0330"'):
        add(f"date {part} {zone}", ("capture", f'date {zone} :matches "date" "{part}" "*"'))
    add(f"date received {part}", ("capture", f'date :zone "+0000" :matches "received" "{part}" "*"'))
for relation in ("gt", "ge", "lt", "le", "eq", "ne"):
    for value in ("5", "10", "42", "-1", "", "x"):
        add(f"value {relation} {value}", f'header :value "{relation}" :comparator "i;ascii-numeric" "x-number" "{value}"')
        add(f"value casemap {relation} {value}", f'header :value "{relation}" "x-number" "{value}"')
    for count in ("0", "1", "2", "3"):
        add(f"count {relation} {count}", f'header :count "{relation}" :comparator "i;ascii-numeric" ["x-number", "to"] "{count}"')
        add(f"count address {relation} {count}", f'address :count "{relation}" :comparator "i;ascii-numeric" ["cc", "to"] "{count}"')
for index in ("1", "2", "3", "4"):
    for last in ("", " :last"):
        add(f"index {index}{last}", ("capture", f'header :index {index}{last} :matches "x-number" "*"'))
        add(f"index received {index}{last}", ("capture", f'date :index {index}{last} :zone "+0000" :matches "received" "time" "*"'))
for kind in (":raw", ":text", ':content "text"', ':content "text/plain"', ':content "text/html"', ':content ""', ':content "multipart"', ':content "message/rfc822"',
             ':content "image/png"'):
    for key in ("body", "two lines", "grün", "words", "Schöne Grüße und", "=F6", "prologue", "epilogue", "Inner subject", "Inner body", "PNG"):
        add(f"body {kind} {key}", f'body {kind} :contains "{key}"')
for tag in (":type", ":subtype", ":contenttype", ':param "boundary"', ':param ["name", "charset"]', ":anychild", ":anychild :contenttype", ':anychild :param "filename"'):
    for key in ("multipart", "multipart/mixed", "*png*", "mixed", "outer", "utf-8", "*"):
        add(f"mime {tag} {key}", f'header :mime {tag} :matches ["content-type", "content-disposition"] "{key}"')
for expression in ("^Hello", "W(or)ld$", "^h.l+o", "(a|b)*b$", "[[:digit:]]+", "x{3}", "sp[ac]+es +around", "^$", "(one|two).*(two|three)"):
    add(f"regex {expression}", ("capture", f'header :regex ["subject", "x-folded", "x-long"] "{expression}"'))
for size in ("0", "100", "200", "300", "1K", "2K"):
    add(f"size over {size}", f"size :over {size}")
    add(f"size under {size}", f"size :under {size}")
for names in ('"subject"', '["subject", "date"]', '["subject", "x-spam-flag"]', '"x-empty"', '"x-none"'):
    add(f"exists {names}", f"exists {names}")


def combinations():
    """(name, script, message, from, to); every test on one or two of the messages, so that all meet all over the whole."""
    names = list(MESSAGES)
    for number, (name, test) in enumerate(TESTS.items()):
        for message in {names[number % len(names)], names[(number * 7 + 1) % len(names)]}:
            if isinstance(test, tuple):
                body = f'if {test[1]} {{ fileinto "yes ${{0}} ${{1}}"; }} else {{ fileinto "no"; }}'
            else:
                body = f'if {test} {{ fileinto "yes"; }} else {{ fileinto "no"; }}'
            yield f"{name} on {message}", f"require {ALL};\n{body}\n", MESSAGES[message], "bob@example.com", "ann@example.org"


def sections(path):
    """The cases of a file of the unit tests (tests/unit/sieve/case.hpp says how they are written)."""
    case, section = None, None
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    for line in lines:
        if line.startswith("== "):
            if case:
                yield case
            case, section = {"name": line[3:].strip(), "facts": [], "script": "", "sections": set()}, None
        elif case is None:
            continue
        elif line.startswith("--- "):
            section = line[4:].strip()
            case["sections"].add(section)
            case.setdefault(section, "")
        elif section:
            case[section] += line
        elif line.strip():
            case["facts"].append(line.rstrip("\n").split(" ", 1))
    if case:
        yield case


# Facts that sieve-test cannot be told, and cases that are about gk's own limits.
LEFT_OUT = {"spam", "virus", "metadata", "mailbox", "special-use", "environment", "list", "without", "steps", "nesting", "twice", "flags", "delimiter", "now",
            "remote", "name", "own"}


def handwritten():
    for path in sorted(glob.glob(f"{ROOT}/tests/unit/sieve/cases/*.txt")):
        stem = os.path.basename(path)[:-4]
        for case in sections(path):
            facts = dict((fact + [""])[:2] for fact in case["facts"])
            # sieve-test takes no null reverse-path, and asks for a database of duplicates.
            if facts.get("from") == "" or "duplicate" in case["script"]:
                continue
            if LEFT_OUT & set(facts) or "%repeat" in case["script"] or any(name.startswith("include") for name in case["sections"]):
                continue
            yield (f"{stem}: {case['name']}", case["script"], case.get("message", MESSAGES["plain"]), facts.get("from", "bob@example.com"),
                   facts.get("to", "ann@example.org"))


def all_pairs():
    yield from handwritten()
    yield from combinations()
