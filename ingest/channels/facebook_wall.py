"""Posts and comments on a Facebook page's wall, from the page's `feed`
(https://developers.facebook.com/docs/graph-api/webhooks/reference/page/#feed). A post and its comments are one conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts import ids
from contracts.channels import LIMITS, Limits
from contracts.inbound import Attachment, Handle, InboundMessage, Kind, Recipient, Sender
from ingest import provider_files
from ingest.events import Call, canonical, composed, fields, ident_or_none, items, mapping, when, words
from ingest.meta import Part, Webhook
from ingest.text import one_line

_POSTS = frozenset({"status", "post", "photo", "video", "share", "album", "link", "note", "event"})
_FEELINGS = frozenset({"like", "reaction"})
_GONE = frozenset({"remove", "delete"})
_FILES = ("photo", "video")


class FacebookWall(Webhook):
    """The author's id is scoped to the page and is none of Messenger's."""

    name = "facebook_wall"
    limits: Limits = LIMITS["facebook_wall"]
    media_hosts = provider_files.META
    object = "page"
    fields = frozenset({"feed"})
    quiet = frozenset(
        {"name", "picture", "category", "description", "location", "hours", "website", "general_info"}
    )

    def read(self, call: Call, part: Part) -> None:
        call.take(part.call, part.value, lambda value: _change(call, part.entry, value))


def _change(call: Call, page: str, value: dict[str, Any]) -> Iterator[InboundMessage]:
    item, verb = words(value.get("item")), words(value.get("verb"))
    post, comment = ident_or_none(value.get("post_id")), ident_or_none(value.get("comment_id"))
    about = comment or post
    author = mapping(value.get("from")) or {"id": value.get("sender_id"), "name": value.get("sender_name")}
    person = ident_or_none(author.get("id"))
    ours = person == page
    kind, provider_id = _kind(item, verb, about, ours, value)
    text, attachments = words(value.get("message")), _attachments(item, value)
    if kind == "message" and not text and not attachments:
        kind = "unsupported"
    if kind == "reaction":
        text = "" if verb in _GONE else words(value.get("reaction_type")) or "like"
    parent = ident_or_none(value.get("parent_id"))
    yield call.event(
        "facebook_wall",
        call.account("facebook_wall", page),
        provider_id,
        value,
        kind=kind,
        direction="out" if ours else "in",
        target=about if kind in ("edit", "delete", "reaction") else None,
        conversation_key=post,
        reply_to=(parent,) if parent and parent != post and kind in ("message", "echo") else (),
        sender=_sender(person, author, ours),
        recipients=(Recipient(value=page),) if not ours else (),
        text=text or None,
        attachments=attachments,
        fields=fields(
            {
                "item": item,
                "verb": verb,
                "post_id": post,
                "comment_id": comment,
                "link": value.get("permalink_url"),
            }
        ),
        server_at=when(value.get("edited_time") or value.get("created_time")),
    )


def _kind(item: str, verb: str, about: str | None, ours: bool, value: dict[str, Any]) -> tuple[Kind, str]:
    """What happened, and its id: the thing's own for what is new, and for what happens to it the thing's and the change's."""
    change = composed(about, item, verb, ids.sha256_hex(canonical(value))[:16])
    if about is None:
        return "unsupported", change
    if item in _FEELINGS:
        return "reaction", change
    if item != "comment" and item not in _POSTS:
        return "unsupported", change
    if verb == "add":
        return ("echo" if ours else "message"), about
    if verb in ("edit", "edited"):
        return "edit", change
    return ("delete", composed(about, verb)) if verb in _GONE else ("unsupported", change)


def _sender(person: str | None, author: dict[str, Any], ours: bool) -> Sender:
    name = one_line(words(author.get("name")), 200) or None
    handles = (Handle(kind="facebook_user", value=person, proof="channel"),) if person and not ours else ()
    return Sender(handles=handles, display_name=name, raw=person)


def _attachments(item: str, value: dict[str, Any]) -> tuple[Attachment, ...]:
    """By address: of one picture or film, and of an album's pictures."""
    kinds = [kind for kind in _FILES if words(value.get(kind))]
    found = [(kind, words(value[kind])) for kind in kinds]
    if not found and item in _FILES and words(value.get("link")):
        found = [(item, words(value["link"]))]
    found += [("photo", words(photo)) for photo in items(value.get("photos"))]
    types = {"photo": "image/*", "video": "video/*"}
    return tuple(Attachment(name=kind, type=types[kind], provider_ref=url) for kind, url in found if url)


CHANNEL = FacebookWall()
