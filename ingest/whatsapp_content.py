"""What a WhatsApp message says: text, files and other facts, by its type
(https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/messages)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from contracts.inbound import Attachment, Handle
from ingest import filenames
from ingest.events import items, mapping, words

_FILES = ("image", "video", "audio", "document", "sticker")
_ANSWERS = ("button_reply", "list_reply", "nfm_reply", "call_permission_reply")


class Content(NamedTuple):
    """`handles`: telephone numbers of contact cards."""

    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    fields: Mapping[str, Any] = {}
    handles: tuple[Handle, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing that a person could answer to."""
        return not (self.text or self.attachments or any(name.startswith("form.") for name in self.fields))


def content(message: dict[str, Any]) -> Content:
    """Empty for types that are not known, and where the network has an error in the place of what was said."""
    kind = str(message.get("type"))
    if kind not in message:
        return Content()
    if kind in _FILES:
        return _file(kind, message[kind])
    reader = _READERS.get(kind)
    return reader(message[kind]) if reader else Content()


def _text(body: dict[str, Any]) -> Content:
    return Content(words(body.get("body")))


def _file(kind: str, file: dict[str, Any]) -> Content:
    attachment = Attachment(
        name=filenames.safe(words(file.get("filename"))) or kind,
        type=words(file.get("mime_type")) or "application/octet-stream",
        # By its id: the address that may come along is good for minutes only.
        provider_ref=words(file.get("id")) or words(file.get("url")) or None,
    )
    return Content(words(file.get("caption")), (attachment,), {"voice": file.get("voice") or None})


def _location(place: dict[str, Any]) -> Content:
    named = filter(None, (words(place.get("name")), words(place.get("address"))))
    return Content(" ".join((*named, f"{place['latitude']},{place['longitude']}")))


def _contacts(cards: list[dict[str, Any]]) -> Content:
    lines, handles = [], []
    for card in cards:
        numbers = [
            words(phone.get("phone")) or words(phone.get("wa_id")) for phone in items(card.get("phones"))
        ]
        emails = [words(one.get("email")) for one in items(card.get("emails"))]
        named = mapping(card.get("name"))
        parts = (words(named.get("first_name")), words(named.get("last_name")))
        name = words(named.get("formatted_name")) or " ".join(filter(None, parts))
        lines.append(" ".join(filter(None, (name, *numbers, *emails))))
        # A number that we asked for is the person's own, as far as they say; any other card is somebody's.
        asked = words(mapping(card.get("origin")).get("type") or card.get("origin")).startswith(
            "contact_request"
        )
        proof: Any = "claimed" if asked else "mentioned"
        handles += [Handle(kind="phone", value=number, proof=proof) for number in numbers if number]
        handles += [Handle(kind="email", value=email, proof=proof) for email in emails if email]
    return Content("\n".join(filter(None, lines)), handles=tuple(handles))


def _interactive(answer: dict[str, Any]) -> Content:
    """A chosen button or row says its title; a form says its fields; a permission says nothing to answer to."""
    kind = words(answer.get("type")) or next((name for name in _ANSWERS if name in answer), "")
    given = mapping(answer.get(kind))
    if kind == "nfm_reply":
        return Content(fields=_form(words(given.get("response_json"))))
    if kind == "call_permission_reply":
        return Content(fields={"call_permission": given.get("response")})
    return Content(
        words(given.get("title")),
        fields={"payload": given.get("id"), "description": given.get("description")},
    )


def _form(body: str) -> dict[str, Any]:
    try:
        answers = msgspec.json.decode(body)
    except ValueError:
        return {"form.answer": body}
    if not isinstance(answers, dict):
        return {"form.answer": body}
    written = {k: v if isinstance(v, str) else msgspec.json.encode(v).decode() for k, v in answers.items()}
    return {f"form.{name}": value for name, value in written.items() if name != "flow_token"}


def _button(button: dict[str, Any]) -> Content:
    return Content(words(button.get("text")), fields={"payload": button.get("payload")})


def _order(order: dict[str, Any]) -> Content:
    lines = [words(order.get("text"))]
    for item in map(mapping, items(order.get("product_items"))):
        price = f"{item.get('item_price', '')} {words(item.get('currency'))}".strip()
        lines.append(f"{item.get('quantity', 1)} × {item.get('product_retailer_id', '')} {price}".strip())
    return Content("\n".join(filter(None, lines)), fields={"catalog": order.get("catalog_id")})


_READERS: dict[str, Callable[[Any], Content]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
}
