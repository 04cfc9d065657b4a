"""Damaged mails: real ones, changed as broken programs, bad lines and attackers change them. The same seed, the same mails."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[2]
CORPUS = _ROOT.parent / "shared" / "corpus"
OWN = _ROOT / "tests" / "channels" / "email"

CHARSETS = (
    b"utf-7 utf-8 utf-16 utf-32 us-ascii iso-8859-1 iso-2022-jp iso-2022-kr gb18030 big5 hz koi8-r windows-1251 shift_jis "
    b"unknown-8bit x-user-defined base64 rot13 idna punycode \xff\xfe unicode_escape"
).split()
ENCODINGS = (
    b"base64",
    b"quoted-printable",
    b"x-uuencode",
    b"7bit",
    b"8bit",
    b"binary",
    b"bogus",
    b"base64 (x)",
)
HUGE = (
    b"To",
    b"References",
    b"Subject",
    b"Content-Type",
    b"From",
    b"Received",
    b"Date",
    b"Content-Disposition",
    b"X-Y",
)
FILL = (
    b"a@example.org, ",
    b"<a@x> ",
    b"=?utf-8?q?=C3?= ",
    b"; a*0*=x",
    b"(",
    b'"',
    b"\\",
    b"x",
    b"\r\n ",
    b"<",
    b"=?",
    b"group:;",
)

_CHARSET = re.compile(rb"charset\s*=\s*\"?[^\s;\"]+", re.IGNORECASE)
_ENCODING = re.compile(rb"(content-transfer-encoding\s*:\s*)[^\r\n]+", re.IGNORECASE)
_BOUNDARY = re.compile(rb"boundary\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)

Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def originals() -> list[bytes]:
    """Every whole mail of the corpora and of our own examples."""
    folders = [*sorted(CORPUS.glob("email-*")), OWN]
    files = [file for folder in folders for file in sorted(folder.rglob("*.eml"))]
    return [content for file in files if (content := file.read_bytes()).strip()]


def mutants(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many mails, each by one to three mutations, which its name lists."""
    chance, mails = random.Random(seed), originals()
    for _ in range(count):
        mail, names = chance.choice(mails), []
        for mutation in chance.choices(MUTATIONS, k=chance.choice((1, 1, 2, 3))):
            mail = mutation(mail, chance, mails)
            names.append(mutation.__name__)
        yield "+".join(names), mail


def flip(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    changed = bytearray(mail or b"x")
    for _number in range(chance.choice((1, 3, 20, 200))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def truncate(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    return mail[: chance.randrange(len(mail) + 1)]


def lose_some(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(mail) + 1)
    return mail[:at] + mail[at + chance.choice((1, 10, 100, 1000)) :]


def double_headers(mail: bytes, chance: random.Random, mails: Sequence[bytes]) -> bytes:
    head = chance.choice((mail, chance.choice(mails))).partition(b"\n\n")[0].partition(b"\r\n\r\n")[0]
    return head.rstrip() + b"\n" + mail


def shuffle_lines(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    lines = mail.split(b"\n")
    at = chance.randrange(len(lines))
    some = lines[at : at + 20]
    chance.shuffle(some)
    return b"\n".join(lines[:at] + some + lines[at + 20 :])


def break_boundary(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    found = _BOUNDARY.search(mail)
    if found is None:
        return b"Content-Type: multipart/mixed; boundary=\n" + mail
    own = found[1]
    change = chance.choice((own[:1], own + b"x", b"", own.upper(), b"--", b"\xff", own * 50))
    return mail.replace(own, change, chance.choice((1, 2, 3)))


def swap_charset(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    label = chance.choice(CHARSETS)
    if _CHARSET.search(mail):
        return _CHARSET.sub(lambda _: b"charset=" + label, mail)
    return b"Content-Type: text/plain; charset=" + label + b"\n" + mail


def swap_encoding(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    name = chance.choice(ENCODINGS)
    if _ENCODING.search(mail):
        return _ENCODING.sub(lambda found: found[1] + name, mail)
    return b"Content-Transfer-Encoding: " + name + b"\n" + mail


def huge_header(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    fill = chance.choice(FILL)
    size = chance.choice((1_000, 20_000, 300_000, 2_000_000))
    return chance.choice(HUGE) + b": " + fill * (size // len(fill)) + b"\n" + mail


def many_headers(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    line = chance.choice(HUGE) + b": " + chance.choice(FILL).strip() + b"\n"
    return line * chance.choice((100, 1_100, 40_000)) + mail


def nest(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    for level in range(chance.choice((1, 5, 19, 25, 200))):
        if chance.random() < 0.5:
            mail = b"Content-Type: message/rfc822\n\n" + mail
        else:
            mail = b'Content-Type: multipart/mixed; boundary="n%d"\n\n--n%d\n' % (level, level) + mail
    return mail


def many_parts(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    part = b"--parts\nContent-Type: %s\n\nx\n" % chance.choice(
        (b"text/plain", b"text/html", b"image/png", b"message/rfc822")
    )
    head = b"Content-Type: multipart/mixed; boundary=parts\n\n"
    return head + part * chance.choice((10, 600, 30_000)) + b"--parts\n\n" + mail


def splice(mail: bytes, chance: random.Random, mails: Sequence[bytes]) -> bytes:
    other = chance.choice(mails)
    return mail[: chance.randrange(len(mail) + 1)] + other[chance.randrange(len(other)) :]


def repeat_some(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(mail) + 1)
    some = mail[at : at + chance.choice((1, 8, 40, 200))]
    return mail[:at] + some * chance.choice((10, 1_000, 20_000)) + mail[at:]


def insert_junk(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(mail) + 1)
    junk = chance.choice(
        (b"\0" * 100, b"\r" * 1000, b"\xff" * 500, b"\x1b$B", b"+AGE", b"<div>" * 20_000, b"&#x41;" * 5_000)
    )
    return mail[:at] + junk + mail[at:]


def change_line_ends(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    end = chance.choice((b"\r", b"\r\r\n", b"\n\r", b"\r\n", b"\x0b"))
    return mail.replace(b"\r\n", b"\n").replace(b"\n", end)


def long_line(mail: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    return mail.replace(b"\n", b" ", chance.choice((5, 100, 1_000_000)))


MUTATIONS: tuple[Mutation, ...] = (
    flip,
    truncate,
    lose_some,
    double_headers,
    shuffle_lines,
    break_boundary,
    swap_charset,
    swap_encoding,
    huge_header,
    many_headers,
    nest,
    many_parts,
    splice,
    repeat_some,
    insert_junk,
    change_line_ends,
    long_line,
)
