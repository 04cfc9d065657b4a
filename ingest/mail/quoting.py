"""What the sender newly wrote, apart from quotes and signatures.

Works on lines: each gets one letter for what it is, and rules look at the string of letters. Nothing is lost: what is
not the new text is returned as the rest.
"""

from __future__ import annotations

import re
from itertools import islice

from ingest.mail import pieces
from ingest.mail.pieces import Split
from ingest.mail.vocabulary import (
    CC,
    DATE,
    FORWARD_MARKERS,
    FROM,
    ORIGINAL_MARKERS,
    REPLY_TO,
    SENT_FROM,
    SUBJECT,
    TO,
    WROTE,
    WROTE_UNSPACED,
)

MAX_LINES = 5_000
_MAX_INTRODUCTIONS = 100
MAX_LINE = 1_000
_SPAN = 6


def _either(words: frozenset[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


# Letters: e empty, q quoted, d delimiter, s mobile signature, b introduction of a quote, h header line, t text, k code.
_DELIMITER = re.compile(r"^\s*(?:[-_,=+~#*ᐧ—–]+|-- ?\S?)\s*$")
_QUOTED = re.compile(r"^\s*(?:>|\|\s)")
_MARKER = re.compile(
    rf"^[\s>]*[-=_*#+~]{{2,}}\s*(?:{_either(FORWARD_MARKERS | ORIGINAL_MARKERS)})\b.{{0,80}}$"
    rf"|^[\s>]*(?:{_either(FORWARD_MARKERS | ORIGINAL_MARKERS)})\s*[:：]?\s*$",
    re.IGNORECASE,
)
_DASHED = re.compile(r"^\s*-{2,}\s?[^\W\d_][^-]{3,60}\s?-{2,}\s*$")
_HEADER = re.compile(
    rf"^\s*[*_]{{0,2}}(?:{_either(FROM | TO | CC | SUBJECT | DATE | REPLY_TO)})\s?[*_]{{0,2}}\s?[:：][*_]{{0,2}}(?=\s|\S*@|[^\s/]|$)"
)
_FROM_LINE = re.compile(rf"^\s*[*_]{{0,2}}(?:{_either(FROM)})\s?[*_]{{0,2}}\s?[:：]")
_MOBILE = re.compile(
    rf"^\W*(?:(?:{SENT_FROM})|(?:someone |written )?from (?:my )?(?:mobile|iphone|ipad|phone|android|cell|blackberry))"
    r"(?:[^,.!?:;]{0,60}\W*|.{0,40}(?:excuse|typo|sorry|pardon|brevity|entschuldig|excuses|disculp).{0,60})$",
    re.IGNORECASE,
)
_LINK = re.compile(r"[<(]?https?://[^\s>)]+[>)]?|[\[\]]")
_WROTE = re.compile(rf"(?<![^\W_])(?:{WROTE})(?![^\W_])|{WROTE_UNSPACED}", re.IGNORECASE)
# Marks of writing direction, which stand inside addresses and after the colon in Hebrew and Arabic.
_DIRECTION = dict.fromkeys((0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
_WHEN_OR_WHO = re.compile(
    r"\b\d{1,2}[:.hH]\d{2}\b|\b(?:19|20)\d\d\b|\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b|\d{4}年|\S@\S|<[^<>]*>",
    re.IGNORECASE,
)
_ENDS_INTRO = re.compile(r"[:：]\s*[*_>]*\s*$")
_DATED_ADDRESS = re.compile(r"^\s*(?:\S+ ){0,6}?\d{4}.{0,100}<\s?\S+@\S+\s?>.{0,30}[:：]?\s*$")
_SHARED_LINE = re.compile(r"(?<=\w)-{3,}[ ]?(On\b[^\n]{5,200}\bwrote:)")
_INITIAL = re.compile(
    r"^\W*(?:on|at|am|le|el|il|em|den|d\.|op|dne|dňa|dnia|w dniu|pe|la|στις|ב|在|於|op|vào|pada|de|mån|tis|ons|tor|fre|lör|sön|\d|[\"'„«]|"
    r"mon|tue|wed|thu|fri|sat|sun|ma|ti|ke|to|pe|la|su|lun|mar|mer|jeu|ven|sam|dim|po|út|st|čt|pá|so|ne|pon|wt|śr|czw|pt|sob|niedz|"
    r"пн|вт|ср|чт|пт|сб|вс|\S+ ?@|\w)",
    re.IGNORECASE,
)


def split(text: str) -> Split:
    """The newly written part of a plain text and the rest. Linear in the number of lines."""
    text = text.replace("\r\n", "\n").replace("\ufeff", "").replace("\u200e", "")
    lines = (_SHARED_LINE.sub(r"\n\1", text) if "---" in text else text).split("\n")
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], "\n".join(lines[MAX_LINES - 1 :])]
    letters = _letters(lines)
    return pieces.put_apart(lines, _roles(letters, _kept(letters)))


def _roles(letters: str, kept: list[bool]) -> str:
    """For each line whether it is text (t), quote (q) or signature (s)."""
    out: list[str] = []
    quoting = False
    for at, (letter, keep) in enumerate(zip(letters, kept, strict=True)):
        if keep:
            quoting = False
            out.append("t")
            continue
        if letter == "d":
            # A rule above the head of the quoted mail belongs to it; one below a quote begins the signature.
            quoting = _QUOTE_FOLLOWS.match(letters, at) is not None
        elif letter == "s":
            quoting = False
        elif not quoting:
            quoting = letter in "bq" or _HEAD.match(letters, at) is not None
        out.append("q" if quoting else "s")
    return "".join(out)


def _letters(lines: list[str]) -> str:
    out: list[str] = []
    code = False
    skip = 0
    for at, line in enumerate(lines):
        if skip:
            skip -= 1
            out.append("b")
            continue
        fence = line.lstrip().startswith("```") or line.strip() in ("[code]", "[/code]")
        if fence or code:
            code = code != fence
            out.append("t")
            continue
        letter = _letter(line)
        if letter == "t" and (length := _introduction(lines, at)):
            letter, skip = "b", length - 1
        out.append(letter)
    return "".join(out)


def _letter(line: str) -> str:
    short = line[:MAX_LINE]
    if not short or short.isspace():
        return "e"
    first = short.lstrip()[0]
    if first in ">|" and _QUOTED.match(short):
        return "q"
    if (first == "ᐧ" or not first.isalnum()) and _DELIMITER.match(short):
        return "d"
    if len(short) < 160 and _MARKER.match(short):
        return "b"
    if first == "-" and _DASHED.match(short):
        return "b"
    if (":" in short or "：" in short) and _HEADER.match(short):
        return "f" if "@" in short and _FROM_LINE.match(short) else "h"
    if len(short) < 200 and _MOBILE.match(_LINK.sub("", short)):
        return "s"
    return "t"


def _introduction(lines: list[str], at: int) -> int:
    """How many lines from here are one "On … wrote:", or 0. Programs wrap it over several lines."""
    first = lines[at][:MAX_LINE]
    if not _INITIAL.match(first):
        return 0
    joined = ""
    for length in range(1, _SPAN + 1):
        if at + length > len(lines):
            return 0
        line = lines[at + length - 1][:MAX_LINE].strip()
        if not line and not (at + length < len(lines) and lines[at + length].lstrip()[:1] == "<"):
            return 0
        joined = f"{joined} {line}" if joined else line
        if len(joined) > 400:
            return 0
        if _is_introduction(joined):
            return length
        if (
            length == 1
            and not _WHEN_OR_WHO.search(joined)
            and not re.match(r"(?i)\W*(?:on|le|el|am|den|op|em)\b", joined)
        ):
            return 0
    return 0


def _is_introduction(line: str) -> bool:
    line = line.translate(_DIRECTION)
    if not _ENDS_INTRO.search(line) and not line.endswith(("wrote", "écrit")):
        return False
    return (_WROTE.search(line) is not None and _WHEN_OR_WHO.search(line) is not None) or (
        _DATED_ADDRESS.match(line) is not None
    )


def _kept(letters: str) -> list[bool]:
    """Which lines are the new text."""
    keep = [True] * len(letters)
    end = len(letters)
    headers = _header_block(letters)
    for found in (re.search(r"d", letters), headers):
        if found is not None:
            end = min(end, found.start())
    # An introduction cuts everything after it, unless text stands between the quoted lines: an answer in the quote.
    for found in islice(re.finditer("b+", letters[:end]), _MAX_INTRODUCTIONS):
        after = letters[found.end() : end]
        inside = re.match(r"[eb]*q", after) is not None and any(
            run[1] for run in re.finditer(r"q[qe]*+(t?)", after)
        )
        above = re.search("t", letters[: found.start()]) is not None
        if above and not inside:
            end = found.start()
            break
        if not above and not inside and re.match(r"[ebhf]*t", after) and not re.search("q", after):
            # Nothing above: the quote is all there is.
            end = found.start()
            break
    if not re.search("[t]", letters[:end]):
        end = _fallback(letters)
    for at in range(len(letters)):
        if at >= end or letters[at] in "sb":
            keep[at] = False
    interleaved = re.search(r"t[eb]*q.*t", letters[:end]) is not None
    leading = re.match(r"e*b[eb]*q[qeb]*(?=[et]*t)", letters[:end])
    for at in range(end):
        if letters[at] == "q" and not interleaved and not re.match(r"e*q", letters):
            keep[at] = False
    if interleaved:
        for at in range(len(letters[:end].rstrip("eqb")), end):
            keep[at] = False
    elif leading is not None:
        for at in range(leading.end()):
            keep[at] = False
    return keep


_HEAD = re.compile(r"[fh]e?[fh](?:t{0,2}e?[fh])+|hth(?:t?h)|fe?h")
_QUOTE_FOLLOWS = re.compile(rf"[ed]*+(?:b|q|{_HEAD.pattern})")


def _header_block(letters: str) -> re.Match[str] | None:
    """Three header lines close together, or From with an address and one more: the head of a quoted mail."""
    return _HEAD.search(letters)


def _fallback(letters: str) -> int:
    """Where to cut when the first rule left no text: a mail that starts with a delimiter or a quote."""
    return len(letters) if re.search("t", letters) else 0
