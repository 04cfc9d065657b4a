"""HTML of a mail as a browser may show it: nothing in it runs, loads, posts or covers what is around it.

An allow list (ammonia, through nh3). Pictures come from the mail itself (`cid:`) or not at all: one from elsewhere tells the
sender who reads the mail and when. Styles go with it, since they can move a link over the desk's own buttons.
"""

from __future__ import annotations

import nh3

from ingest.mail.html import is_too_deep

_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "div",
        "dl",
        "dt",
        "em",
        "font",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
    ]
)
_ATTRIBUTES = {
    "a": {"href", "title"},
    "blockquote": {"cite", "type"},
    "font": {"color", "size"},
    "img": {"alt", "height", "src", "title", "width"},
    "ol": {"start", "type"},
    "table": {"border", "cellpadding", "cellspacing", "width"},
    "td": {"align", "colspan", "rowspan", "valign", "width"},
    "th": {"align", "colspan", "rowspan", "valign", "width"},
    "*": {"dir", "lang"},
}
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}


def harmless(page: str) -> str:
    """The page without anything that is not on the list; links open apart and tell nobody where they were. Nothing of a page
    that is nested too deeply to be parsed: its text is shown."""
    if is_too_deep(page):
        return ""
    return nh3.clean(
        page,
        tags=set(_TAGS),
        clean_content_tags={
            "script",
            "style",
            "title",
            "template",
            "noscript",
            "iframe",
            "object",
            "svg",
            "math",
        },
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )


def _kept(tag: str, attribute: str, value: str) -> str | None:
    is_link = attribute in ("href", "src", "cite")
    if is_link and (attribute == "src") != value.strip().lower().startswith("cid:"):
        return None
    # Without a scheme it would lead into the desk.
    return value if not is_link or ":" in value else None
