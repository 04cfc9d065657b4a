"""What a delivery report, receipt or complaint says: the failed recipient, the status, the mail it is about."""

from __future__ import annotations

import re

from ingest.mail.headers import Headers
from ingest.mail.mime import Mail, Part, entity
from ingest.mail.threading import ids

MAX_SCAN = 64 * 1024

DAEMON = re.compile(
    r"(?:^|[<\s\"])(?:mailer[-_ ]?daemon|post[-_]?master|mail delivery (?:sub)?system|mdaemon|mmsc ndr|microsoft ?exchange)",
    re.IGNORECASE,
)
STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]"
_MAILBOX = _LOCAL + r"+@[A-Za-z0-9.-]+[A-Za-z0-9]"
# Only from the beginning of a word: tried from every letter, one long word would take quadratic time.
_ADDRESS = re.compile(rf"(?<!{_LOCAL}){_MAILBOX}")
_RECIPIENT_LINE = re.compile(
    r"(?:^|\n)[ \t]*(?:(?:to|recipient|final-recipient|original-recipient|failed recipient|user|address)[ \t]*:[^\n@]{0,60})?[<\"(']?("
    + _MAILBOX
    + r")[>\")']?[ \t]*(?:[:;,(\n\r]|$|\.\.\.)",
    re.IGNORECASE,
)
_RETURNED_HEADERS = re.compile(
    r"^(?:-{3,}.{0,80}|.{0,60}(?:copy of (?:the|your) message|original message|message header|returned message|"
    r"unsent message).{0,60})$",
    re.IGNORECASE | re.MULTILINE,
)
_MESSAGE_ID_LINE = re.compile(r"^[ \t>]*Message-ID[ \t]*:\s*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)
_VAGUE = re.compile(r"\d\.0\.0|4\.4\.7")


def failure(mail: Mail) -> dict[str, str]:
    """The first failed recipient and its RFC 3463 status."""
    report = mail.first("message/delivery-status", "message/global-delivery-status")
    if report is not None:
        found = _from_report(report)
        if "failed_recipient" in found:
            return found
    else:
        found = {}
    head = _own_words(mail.text[:MAX_SCAN])
    named = mail.headers.get("x-failed-recipients")
    recipient = _ADDRESS.search(named) or _RECIPIENT_LINE.search(head)
    if recipient is None:
        own = {mail.headers.get("to").strip(" <>").lower()}
        recipient = next(
            (m for m in _ADDRESS.finditer(head) if m[0].lower() not in own and not DAEMON.search(m[0])), None
        )
    if recipient is not None:
        found["failed_recipient"] = recipient[1] if recipient.re is _RECIPIENT_LINE else recipient[0]
    status = STATUS.search(head)
    if status is not None:
        found.setdefault("status", status[1])
    return found


def _own_words(text: str) -> str:
    """The report's own text, without the mail that it returns."""
    cut = _RETURNED_HEADERS.search(text, 40)
    return text[: cut.start()] if cut and _ADDRESS.search(text[: cut.start()]) else text


def _from_report(report: Part) -> dict[str, str]:
    """RFC 3464: blocks of fields, the first about the message, each other about one recipient."""
    rows: list[dict[str, str]] = []
    for block in re.split(rb"\r?\n[ \t]*\r?\n", report.content()[:MAX_SCAN]):
        fields = entity(block + b"\n\n").headers
        given = (
            fields.get("final-recipient")
            or fields.get("original-recipient")
            or fields.get("x-actual-recipient")
        )
        address = _ADDRESS.search(given.partition(";")[2] or given)
        if given:
            status = _status(fields)
            named = address[0] if address else given.partition(";")[2].strip() or given.strip()
            row = {"failed_recipient": named}
            row |= {"status": status} if status else {}
            rows.append(row | {"action": fields.get("action").strip().lower()})
    if not rows:
        return {}
    worst = next((row for row in rows if row["action"] in ("failed", "failure")), rows[0])
    return {key: value for key, value in worst.items() if value}


def _status(fields: Headers) -> str | None:
    """The RFC 3463 status; the server's own words when the field says only that it failed or took too long."""
    stated, told = (STATUS.search(fields.get(name)) for name in ("status", "diagnostic-code"))
    if stated is None or (told is not None and _VAGUE.fullmatch(stated[1])):
        return told[1] if told else None
    return stated[1]


def reference(mail: Mail) -> dict[str, str]:
    """The Message-ID of the mail that the report is about."""
    returned = mail.first("message/rfc822", "message/global")
    candidates = [child.headers for child in returned.children] if returned else []
    only_headers = mail.first("text/rfc822-headers", "message/rfc822-headers", "message/global-headers")
    if only_headers is not None:
        candidates.append(entity(only_headers.content() + b"\n\n").headers)
    for fields in candidates:
        found = ids(fields.get("message-id"))
        if found:
            return {"refers_to": found[0]}
    notice = mail.first("message/disposition-notification", "message/feedback-report")
    if notice is not None:
        found = ids(entity(notice.content() + b"\n\n").headers.get("original-message-id"))
        if found:
            return {"refers_to": found[0]}
    inside = _MESSAGE_ID_LINE.findall(mail.text[:MAX_SCAN])
    return {"refers_to": ids(inside[-1])[0]} if inside and ids(inside[-1]) else {}
