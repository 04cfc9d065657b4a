"""Files and corpus cases as input of `frontdesk try`: what a door would have handed to the channel."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from ingest.channel import Channel, Named


class Case(NamedTuple):
    """`id` is the case's, `file` where its bytes came from. With a `secret` the call has to be genuine; `challenge` is the
    query of a call that only asks whether we know the secret."""

    id: str | None
    file: str | None
    channel: str
    body: bytes
    content_type: str
    headers: dict[str, str]
    options: dict[str, str] = {}
    secret: str | None = None
    url: str = ""
    challenge: dict[str, str] | None = None


_TYPES = {".json": "application/json", ".html": "text/html", ".txt": "text/plain"}


def of_file(channel: str, path: Path) -> Case:
    """A file as it is."""
    return Case(None, str(path), channel, path.read_bytes(), _TYPES.get(path.suffix, ""), {})


def of_corpus(channel: Channel, path: Path) -> Iterator[Case]:
    """The cases of a `cases.jsonl`. Rows of other channels are left out; a body that is only a text is put into a mail;
    a row without a file and without a text has nothing to try and is left out."""
    names = {channel.name, *(channel.providers if isinstance(channel, Named) else ())}
    for line in path.read_bytes().splitlines():
        row = msgspec.json.decode(line)
        named = row.get("channel") or row.get("provider") or channel.name
        if named in names and (case := _case(channel.name, path.parent, row)):
            yield case


def _case(channel: str, folder: Path, row: dict[str, Any]) -> Case | None:
    if "secret" in row:
        return _signed(channel, row)
    name = row.get("file") or row.get("body_file")
    content = (folder / name).read_bytes() if name else b""
    if channel == "email" and (
        not name or not name.endswith(".eml") or ("kind" in row and row["kind"] != "eml")
    ):
        if not name and "subject" not in row:
            return None
        content = _mail(content, row, folder)
    elif not name:
        return None
    headers = {str(k).lower(): str(v) for k, v in (row.get("headers") or {}).items()}
    options = row.get("options") or {}
    return Case(row.get("id"), name, channel, content, row.get("content_type", ""), headers, options)


def _signed(channel: str, row: dict[str, Any]) -> Case:
    """A call with its signature: of form fields, of a body, or of a challenge."""
    form = row.get("form")
    body = urlencode([tuple(pair) for pair in form]) if form is not None else row.get("body") or ""
    headers = {row["header"].lower(): row["signature"]} if "header" in row else {}
    challenge = {"crc_token": row["crc_token"]} if "crc_token" in row else None
    kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
    return Case(
        *(row.get("id"), None, channel, body.encode(), kind, headers),
        secret=row["secret"],
        url=row.get("url") or "",
        challenge=challenge,
    )


def _mail(text: bytes, row: dict[str, Any], folder: Path) -> bytes:
    """A mail around a text or HTML body, with the subject the row gives."""
    subject = row.get("subject") or ""
    if row.get("subject_file"):
        subject = (folder / row["subject_file"]).read_text("utf-8", "replace").strip()
    mail = EmailMessage(policy=SMTP.clone(max_line_length=None, utf8=True))
    mail["From"] = "Case <case@corpus.example>"
    mail["To"] = "desk@frontdesk.example"
    mail["Subject"] = " ".join(subject.split())
    mail["Message-ID"] = f"<{row.get('id', 'case')}@corpus.example>".replace(" ", "_")
    kind = "html" if row.get("kind") == "html" else "plain"
    # The body goes in as bytes: charset and line ends are part of the case.
    mail["MIME-Version"] = "1.0"
    mail["Content-Type"] = f"text/{kind}; charset=utf-8"
    mail["Content-Transfer-Encoding"] = "8bit"
    return mail.as_bytes() + text
