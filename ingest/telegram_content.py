"""What a Telegram message holds: text, files, contact cards (https://core.telegram.org/bots/api#message)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts.inbound import Attachment, Handle
from ingest import filenames
from ingest.events import items, mapping, words
from ingest.text import one_line

_FILES = ("animation", "document", "audio", "voice", "video", "video_note", "sticker")
_TYPES = {"voice": "audio/ogg", "video_note": "video/mp4", "sticker": "image/webp", "photo": "image/jpeg"}


def text(body: dict[str, Any]) -> str:
    """Text, caption, or what a kind without text says."""
    if found := body.get("text") or body.get("caption"):
        return str(found)
    if place := body.get("venue") or body.get("location"):
        at = place.get("location", place)
        named = " ".join(str(place[k]) for k in ("title", "address") if place.get(k))
        return f"{named} {at['latitude']},{at['longitude']}".strip()
    if poll := body.get("poll"):
        return str(poll.get("question", ""))
    if dice := body.get("dice"):
        return f"{dice.get('emoji', '')} {dice.get('value', '')}".strip()
    if contact := body.get("contact"):
        return f"{name(contact) or ''} {contact.get('phone_number', '')}".strip()
    if tasks := body.get("checklist"):
        lines = [tasks.get("title"), *(mapping(task).get("text") for task in items(tasks.get("tasks")))]
        return "\n".join(filter(None, map(words, lines)))
    return words(mapping(body.get("web_app_data")).get("data"))


def attachments(body: dict[str, Any]) -> tuple[Attachment, ...]:
    """Every file by its id, of a picture the largest size."""
    paid = mapping(body.get("paid_media")).get("paid_media")
    return tuple(file for part in (body, *map(mapping, items(paid))) for file in _files(part))


def _files(body: dict[str, Any]) -> Iterator[Attachment]:
    if sizes := body.get("photo"):
        yield _file("photo", sizes[-1])  # the last is the largest
    # An animation also carries a document: the same file.
    for kind in _FILES:
        if isinstance(body.get(kind), dict) and not (kind == "document" and "animation" in body):
            yield _file(kind, body[kind])


def _file(kind: str, file: dict[str, Any]) -> Attachment:
    return Attachment(
        name=filenames.safe(words(file.get("file_name"))) or kind,
        type=one_line(str(file.get("mime_type") or _TYPES.get(kind, "application/octet-stream")), 100),
        size=size if type(size := file.get("file_size")) is int else None,
        provider_ref=str(file["file_id"]),
    )


def contact(body: dict[str, Any], person: dict[str, Any]) -> tuple[Handle, ...]:
    """A contact card proves a number only when it is the sender's own."""
    card = body.get("contact")
    if not card or not card.get("phone_number"):
        return ()
    number = "+" + str(card["phone_number"]).removeprefix("+")
    own = card.get("user_id") is not None and card.get("user_id") == person.get("id")
    return (Handle(kind="phone", value=number, proof="verified" if own else "mentioned"),)


def name(person: dict[str, Any] | None) -> str | None:
    """First and last name as one."""
    parts = ((person or {}).get(part) for part in ("first_name", "last_name"))
    return one_line(" ".join(str(part) for part in parts if part), 200) or None
