"""The mail corpora: their cases, and one check a case that says what is wrong with a result."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts.inbound import InboundMessage
from ingest.channel import Raw
from ingest.channels.email import CHANNEL
from ingest.mail import forwarded, html, mime, quoting, threading
from ingest.mail.headers import addresses

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
RECEIVED = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

Case = Mapping[str, Any]


def cases(name: str) -> list[Case]:
    """The rows of one corpus; empty when it is not there."""
    listing = CORPUS / name / "cases.jsonl"
    return [json.loads(line) for line in listing.read_text().splitlines()] if listing.exists() else []


def content(name: str, file: str) -> bytes:
    return (CORPUS / name / file).read_bytes()


def normalised(body: bytes, **options: str) -> InboundMessage:
    raw = Raw(body=body, workspace=UUID(int=1), account="support", received_at=RECEIVED, options=options)
    return CHANNEL.normalise(raw).messages[0]


def squeezed(text: str | None) -> str:
    return " ".join((text or "").split())


def bounce_faults(case: Case) -> Iterator[str]:
    message = normalised(content("email-bounce", case["file"]))
    kinds = {"feedback": "feedback_report", "not_bounce": "message"}
    wanted = kinds.get(case["expect"]["class"], case["expect"]["class"])
    if message.kind != wanted:
        yield f"kind {message.kind}, not {wanted}"


def recipient_faults(case: Case) -> Iterator[str]:
    """Whom the report is about, for bounces whose recipient is known."""
    given = normalised(content("email-bounce", case["file"])).fields
    rows = [row for row in case["expect"].get("recipients", []) if row.get("status")]
    statuses = {row["status"] for row in rows if not re.match(r"[45]\.0\.9", row["status"])}
    if not given.get("failed_recipient"):
        yield "no failed recipient"
    if statuses and given.get("status") not in statuses:
        yield f"status {given.get('status')}, not {statuses}"


def forward_flag_faults(case: Case) -> Iterator[str]:
    """Whether it is a forwarded mail at all."""
    text = content("email-forward", case["body_file"]).decode()
    subject = content("email-forward", case["subject_file"]).decode().strip() if case["subject_file"] else ""
    if (forwarded.find(text, subject) is not None) != case["expect"]["forwarded"]:
        yield "flag"


def forward_faults(case: Case) -> Iterator[str]:
    text = content("email-forward", case["body_file"]).decode()
    subject = content("email-forward", case["subject_file"]).decode().strip() if case["subject_file"] else ""
    expect, found = case["expect"], forwarded.find(text, subject)
    if (found is not None) != expect["forwarded"]:
        yield f"flag: {found is not None}"
    elif found is not None:
        if (found.address or None) != expect["from"]["address"] or found.name != expect["from"]["name"]:
            yield f"sender: {found.name} <{found.address}>"
        if expect.get("body") and squeezed(found.body) != squeezed(expect["body"]):
            yield f"body: {squeezed(found.body)[:80]} … {squeezed(found.body)[-80:]}"
        if "message" in expect and squeezed(found.above) != squeezed(expect["message"]):
            yield f"above: {found.above}"
        if (
            expect.get("subject")
            and (found.subject or threading.stripped_subject(subject)) != expect["subject"]
        ):
            yield f"subject: {found.subject}"


def reply_faults(case: Case) -> Iterator[str]:
    body = content("email-reply", case["file"])
    if case["kind"] == "eml":
        text = mime.parse(body).text
    else:
        text = html.to_text(body.decode()) if case["kind"] == "html" else body.decode()
    found, expect = quoting.split(text), case["expect"]
    visible, rest = squeezed(found.visible), squeezed(found.rest)
    if "visible_text" in expect and visible != squeezed(expect["visible_text"]):
        yield f"visible: {visible[:200]!r} … {visible[-80:]!r}"
    if "first_fragment" in expect and not visible.startswith(squeezed(expect["first_fragment"])):
        yield f"first: {visible[:200]!r}"
    if "starts_with" in expect and not visible.startswith(squeezed(expect["starts_with"])):
        yield f"starts: {visible[:100]!r}"
    yield from (f"lacks {one!r}" for one in expect.get("contains", ()) if squeezed(one) not in visible)
    yield from (f"holds {one!r}" for one in expect.get("not_contains", ()) if squeezed(one) in visible)
    if expect.get("fragments") == 1 and rest:
        yield f"cut: {rest[:100]!r}"


def helpdesk_faults(case: Case) -> Iterator[str]:
    expect = case["expect"]
    if "stripped_subject" in expect:
        if threading.stripped_subject(case["subject"]) != expect["stripped_subject"]:
            yield f"subject {threading.stripped_subject(case['subject'])!r}"
        return
    message = normalised(content("email-helpdesk", case["file"]))
    text = f"{message.text or ''}\n{message.quoted_text or ''}".strip()
    person = message.sender.handles[0].value.lower() if message.sender.handles else None
    files = [one for one in message.attachments if not one.inline]
    checks = {
        "from": lambda want: addresses((message.sender.raw or "").encode())[0][0].address.lower() == want,
        "person": lambda want: person == want,
        "name": lambda want: message.sender.display_name == want,
        "subject": lambda want: message.subject == want,
        "text": lambda want: (squeezed(text) or None) == want,
        "text_starts": lambda want: squeezed(text).startswith(squeezed(want)),
        "text_contains": lambda want: squeezed(want) in squeezed(text),
        "visible_starts": lambda want: squeezed(message.text).startswith(squeezed(want)),
        "visible_not_contains": lambda want: squeezed(want) not in squeezed(message.text),
        "attachments": lambda want: len(files) == want,
        "filenames": lambda want: [one.name for one in files] == want,
        "inline_images": lambda want: sum(one.inline for one in message.attachments) == want,
        "in_reply_to": lambda want: want in message.reply_to if want else not message.reply_to,
        "references": lambda want: list(message.reply_to) == want,
        "cc": lambda want: [one.value for one in message.recipients if one.role == "cc"] == want,
        "kind": lambda want: message.kind == want,
        "refers_to": lambda want: message.target == want,
        "failed_recipient": lambda want: message.fields.get("failed_recipient") == want,
    }
    for key, want in expect.items():
        if key in checks and not checks[key](want):
            yield f"{key}: wanted {want!r} of {message.sender.raw} {message.reply_to} {text[:60]!r} {message.fields}"


def mime_faults(case: Case) -> Iterator[str]:
    raw, expect = content("email-mime", case["file"]), case["expect"]
    normalised(raw)
    if expect.get("must_ingest"):
        return
    mail = mime.parse(raw)
    for field in ("from", "to", "cc", "reply_to"):
        found = addresses(mail.headers.raw(field.replace("_", "-")) or b"")[0]
        got = [(one.address or None, squeezed(one.name) or None) for one in found]
        want = [(one["address"], squeezed(one["name"]) or None) for one in expect.get(field) or []]
        if got != want:
            yield f"{field}: {got}, not {want}"
    if squeezed(mail.headers.get("subject")) != squeezed(expect.get("subject")):
        yield f"subject: {mail.headers.get('subject')!r}, not {expect.get('subject')!r}"
    if (threading.message_id(mail.headers) or None) != expect.get("message_id"):
        yield f"message_id: {threading.message_id(mail.headers)}, not {expect.get('message_id')}"
    text = squeezed(mail.text)
    for one in expect.get("text_body") or ():
        if not mail.html and squeezed(one)[:200] not in text:
            yield f"text: {text[:150]!r} lacks {squeezed(one)[:150]!r}"
    got_names = sorted(file.name for file in mail.files)
    named = sorted(one["name"] for one in expect.get("attachments") or () if one["name"])
    if not set(named) <= set(got_names):
        yield f"names {got_names}, not {named}"
