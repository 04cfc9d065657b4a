"""The mail inside a forwarded mail: who wrote it, and what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.mail.threading import is_forward_subject, is_reply_subject
from ingest.mail.vocabulary import (
    CC,
    DATE,
    FORWARD_MARKERS,
    FROM,
    ORIGINAL_MARKERS,
    REPLY_TO,
    SUBJECT,
    TO,
    WROTE,
)

MAX_SCAN = 64 * 1024
_ROLES = {
    **dict.fromkeys(REPLY_TO, "other"),
    **dict.fromkeys(CC, "cc"),
    **dict.fromkeys(SUBJECT, "subject"),
    **dict.fromkeys(DATE, "date"),
    **dict.fromkeys(TO, "to"),
    **dict.fromkeys(FROM, "from"),
}


def _either(words: frozenset[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_LABELS = _either(frozenset(_ROLES))
_MARKER = re.compile(
    rf"^[ \t>]*(?:[-=_*]{{2,}}[ \t]*(?P<dashed>{_either(FORWARD_MARKERS)})\b[^\n:：]{{0,60}}(?:[-=_*]{{2,}}|$)"
    rf"|(?P<plain>{_either(FORWARD_MARKERS)})[ \t]*[:：][ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_ORIGINAL = re.compile(
    rf"^[ \t>]*[-=_*]{{2,}}[ \t]*(?:{_either(ORIGINAL_MARKERS)})[ \t]*[-=_*]{{2,}}[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_FIELD = re.compile(
    rf"^[ \t>]*[*_]{{0,2}}(?P<label>{_LABELS})[ \t\xa0]?[*_]{{0,2}}[ \t\xa0]?[:：][*_]{{0,2}}[ \t\xa0]*(?P<value>.*)$"
)
_INSIDE = re.compile(rf"(?P<label>{_LABELS})[ \xa0]?[:：]")
_START = re.compile(
    rf"^(?P<rule>[ \t>]*_{{10,}}[ \t]*\n\s*)?[ \t>]*[*_]{{0,2}}(?:{_either(FROM)})[ \t\xa0]?[*_]{{0,2}}[ \t\xa0]?[:：]",
    re.MULTILINE,
)
_WROTE_LINE = re.compile(
    rf"^[ \t>\ufeff]*(?=[^\n]*(?:{WROTE}))(?=[^\n]*\d)[^\n]{{0,300}}<(?P<address>[^<>\s]+@[^<>\s]+)>[^\n]{{0,100}}[:：][ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_ANGLE = re.compile(r"[<\[(](?:mailto:)?([^<>\[\]()\s]+@[^<>\[\]()\s]+?)(?:<mailto:[^<>]*>)?[>\])]")
_BARE = re.compile(r"[^\s<>\"'(),;:\[\]]+@[^\s<>\"'(),;:\[\]]+")
_QUOTED_NAME = re.compile(r"[\"“”„«»]\s*([^\"“”„«»\n]{1,100}?)\s*[\"“”„«»]")
_NAME_EDGE = " \t\xa0\"'“”„«»*,;"


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The mail inside. `above`: what the forwarder wrote; `body`: the original's text."""

    name: str
    address: str
    subject: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    body: str
    above: str


def find(text: str, subject: str = "", answers: bool = False) -> Forwarded | None:
    """The forwarded mail in a plain text, or null. `answers`: the mail is an answer to one of ours (In-Reply-To).

    A marker says so by itself. A bare header block is the same in answers, so there the subject's prefix decides.
    """
    text = text[:MAX_SCAN].replace("\r\n", "\n").replace("\xa0", " ").replace("\ufeff", "")
    forward, reply = is_forward_subject(subject), is_reply_subject(subject)
    # The outermost forward is the first in the text.
    places = sorted((*_marked(text, reply), *_unmarked(text, forward, reply or answers)))
    for start, head, is_marker in places:
        found = _read(text, start, head, is_marker)
        if found is not None:
            return found
    return _from_introduction(text) if forward else None


def _marked(text: str, reply: bool) -> Iterator[tuple[int, int, bool]]:
    for marker in _MARKER.finditer(text):
        if not (reply and _quoted_deep(text, marker.start())):
            yield marker.start(), marker.end(), True


def _unmarked(text: str, forward: bool, answer: bool) -> Iterator[tuple[int, int, bool]]:
    """Header blocks and "original message" lines, which answers have as well."""
    for original in _ORIGINAL.finditer(text):
        if forward or not (answer or text[: original.start()].strip()):
            yield original.start(), original.end(), True
    for block in _START.finditer(text):
        if forward or (block["rule"] and not answer):
            yield block.start(), block.end("rule") if block["rule"] else block.start(), False


def _quoted_deep(text: str, at: int) -> bool:
    """An answer to a forwarded mail quotes the marker; that is no forward."""
    return ">" in text[at : at + 4] and bool(text[:at].strip())


def _block(text: str, at: int, after_marker: bool) -> tuple[dict[str, str], int] | None:
    """The header block at this place (blank lines may come first) and where it ends; null without a From."""
    fields: dict[str, str] = {}
    last = ""
    end = at
    same_line = text[at:].partition("\n")[0] if after_marker else ""
    if same_line.strip(" \t->_*"):
        return _one_line_block(text, at, same_line)
    position = at
    for number, line in enumerate(text[at : at + 8192].split("\n")):
        bare = line.strip(" \t>")
        match = _FIELD.match(line)
        if (match is not None and _ROLES[match["label"]] not in fields) or (
            match and _ROLES[match["label"]] == "other"
        ):
            last = _ROLES[match["label"]]
            fields[last] = match["value"].strip(" *")
        elif (bare and last in ("to", "cc", "subject") and line[:1] in " \t" and "from" in fields) or (
            bare and last in ("to", "cc") and fields[last].rstrip().endswith((",", ";"))
        ):
            fields[last] += " " + bare
        elif bare or (fields and number > 0 and not _more_fields(text, position + len(line))):
            if not fields and number < 4 and not bare:
                continue
            break
        position += len(line) + 1
        if fields:
            end = position
    return (fields, min(end, len(text))) if "from" in fields and len(fields) >= 2 else None


def _more_fields(text: str, at: int) -> bool:
    """Some programs put blank lines between the fields."""
    following = text[at : at + 400].lstrip(" \t>\n").partition("\n")[0]
    return _FIELD.match(following) is not None


def _one_line_block(text: str, at: int, line: str) -> tuple[dict[str, str], int] | None:
    """Yahoo's: every field on the marker's own line, without anything between them."""
    fields: dict[str, str] = {}
    found = list(_INSIDE.finditer(line))
    for number, match in enumerate(found):
        role = _ROLES[match["label"]]
        if role in fields:
            continue
        after = next(
            (m.start() for m in found[number + 1 :] if _ROLES[m["label"]] not in fields | {role: ""}),
            len(line),
        )
        fields[role] = line[match.end() : after].strip()
    return (fields, at + len(line)) if "from" in fields and len(fields) >= 2 else None


def _read(text: str, start: int, head: int, after_marker: bool) -> Forwarded | None:
    block = _block(text, head, after_marker)
    if block is None:
        return None
    fields, end = block
    name, address = person(fields["from"])
    if not name and not address:
        return None
    quoted = text[head : head + 200].lstrip("\n").startswith(">")
    body = text[end:]
    if quoted or body.lstrip("\n").startswith(">"):
        body = re.sub(r"^[ \t]*> ?", "", body, flags=re.MULTILINE)
    people = [tuple(_BARE.findall(fields.get(role, ""))) for role in ("to", "cc")]
    return Forwarded(
        name,
        address,
        fields.get("subject", ""),
        people[0],
        people[1],
        body.strip(),
        text[:start].strip(" \t\n>"),
    )


def _from_introduction(text: str) -> Forwarded | None:
    """Old Outlook: only "On … "Ann" <ann@…> wrote:" above an indented text."""
    found = _WROTE_LINE.search(text)
    if found is None:
        return None
    line = found[0]
    quoted = _QUOTED_NAME.search(line)
    name = quoted[1] if quoted else _name_beside(line, found["address"])
    body = re.sub(r"^(?: {4}|\t|> ?)", "", text[found.end() :], flags=re.MULTILINE)
    return Forwarded(
        name.strip(_NAME_EDGE), found["address"], "", (), (), body.strip(), text[: found.start()].strip()
    )


_NAME_WORDS = re.compile(r"((?:[^\W\d_][\w.'’-]*[ ]?){1,5})[ ,(]*$")


def _name_beside(line: str, address: str) -> str:
    before = line[: line.index(address)].rstrip(" <(")
    words = _NAME_WORDS.search(before)
    if words is None:
        return ""
    # Names begin with capitals; the words of the sentence around them mostly do not.
    kept: list[str] = []
    for word in reversed(words[1].split()):
        if word[:1].islower() and kept:
            break
        kept.append(word)
    return " ".join(reversed(kept))


def person(value: str) -> tuple[str, str]:
    """Name and address of a From line in a text; either may be empty."""
    angled = _ANGLE.search(value)
    if angled is not None:
        name = value[: angled.start()]
        return _clean_name(name, angled[1]), angled[1].strip("'\"")
    bare = _BARE.search(value)
    if bare is not None:
        return _clean_name(value[: bare.start()], bare[0]), bare[0]
    return value.strip(_NAME_EDGE), ""


def _clean_name(name: str, address: str) -> str:
    cleaned = re.sub(r"[<\[(].*$", "", name).strip(_NAME_EDGE)
    return "" if cleaned.lower() == address.lower() else cleaned
