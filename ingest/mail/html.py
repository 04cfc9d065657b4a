"""HTML to plain text, with quotes written as `> ` so that one rule set serves text and HTML."""

from __future__ import annotations

import re
from html import unescape

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_NODES = 200_000
MAX_DEPTH = 2_000
_BLOCK = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
        "body",
    ]
)
_SPACED = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "pre"])
_HIDDEN = ("head", "script", "style", "title", "template", "noscript", "object", "svg")
# Where mail programs put the mail that is answered.
_QUOTES = (
    "blockquote:not([class*=format]), .gmail_quote, .gmail_quote_container, .yahoo_quoted, #OLK_SRC_BODY_SECTION, "
    ".moz-forward-container, .protonmail_quote, .zmail_extra, #isReplyContent, .WordSection1 > .OutlookMessageHeader"
)
_WHITE = re.compile(r"[ \t\r\n\f\u200b]+")
_MANY_BREAKS = re.compile(r"\n{3,}")


_TAG = re.compile(
    r"<(/?)(?!(?:p|li|td|th|tr|dd|dt|option|br|img|hr|meta|link|input|col|wbr|area|base|source)\b)[a-z][^\s<>]*",
    re.IGNORECASE,
)
_ANY_TAG = re.compile(r"<[^<>]*>")


def is_too_deep(html: str) -> bool:
    """Whether elements are nested as in no mail that people wrote. The time of HTML parsers grows with the square of that."""
    if html.count("<") <= MAX_DEPTH:
        return False
    depth = 0
    for tag in _TAG.finditer(html):
        depth = max(0, depth - 1) if tag[1] else depth + 1
        if depth > MAX_DEPTH:
            return True
    return False


class _Writer:
    """Collects text; a block starts a new line, and a quoted block's lines are marked."""

    def __init__(self) -> None:
        self.lines: list[str] = [""]
        self.depths: list[int] = [0]
        self.depth = 0

    def words(self, data: str, keep: bool) -> None:
        if keep:
            for number, line in enumerate(data.split("\n")):
                if number:
                    self.break_line()
                self.lines[-1] += line
            return
        data = _WHITE.sub(" ", data)
        if not self.lines[-1]:
            data = data.lstrip(" ")
        if data:
            self.lines[-1] += data[1:] if data[0] == " " and self.lines[-1].endswith(" ") else data

    def break_line(self) -> None:
        self.lines.append("")
        self.depths.append(self.depth)

    def block(self) -> None:
        if self.lines[-1].strip():
            self.break_line()
        self.depths[-1] = self.depth

    def text(self) -> str:
        marked = (
            (">" * depth + " " if depth else "") + line.rstrip()
            for line, depth in zip(self.lines, self.depths, strict=True)
        )
        return _MANY_BREAKS.sub("\n\n", "\n".join(marked)).strip()


def to_text(html: str) -> str:
    """The readable text of an HTML body; links and images leave their text only. Never raises."""
    if is_too_deep(html):
        return unescape(_ANY_TAG.sub(" ", html)).strip()
    tree = LexborHTMLParser(html)
    root = tree.body or tree.root
    if root is None:
        return ""
    quotes = {node.mem_id for node in root.css(_QUOTES)} if "<" in html else set()
    writer = _Writer()
    # (node, entering): an own stack, because a tree may be deeper than the interpreter's.
    stack: list[tuple[LexborNode, bool]] = [(root, True)]
    preformatted = 0
    for _ in range(MAX_NODES):
        if not stack:
            break
        node, entering = stack.pop()
        tag = node.tag or ""
        if tag == "-text":
            writer.words(node.text_content or "", preformatted > 0)
            continue
        if tag in _HIDDEN or tag.startswith(("-", "!")):
            continue
        quoted = node.mem_id in quotes
        if entering:
            if tag == "br":
                writer.break_line()
                continue
            if quoted:
                writer.block()
                writer.depth += 1
            if tag in _BLOCK:
                writer.block()
                if tag in _SPACED and len(writer.lines) > 1 and writer.lines[-2].strip():
                    writer.break_line()
            if tag == "hr":
                writer.words("_" * 32, False)
                writer.block()
            elif tag == "li":
                writer.words("- ", False)
            elif tag in ("td", "th") and writer.lines[-1]:
                writer.words(" ", False)
            preformatted += tag == "pre"
            stack.append((node, False))
            children = list(node.iter(include_text=True))
            stack.extend((child, True) for child in reversed(children))
        else:
            preformatted -= tag == "pre"
            if tag in _BLOCK:
                writer.block()
            if tag in _SPACED and writer.lines[-1] == "" and len(writer.lines) > 1 and writer.lines[-2]:
                writer.break_line()
            if quoted:
                writer.depth -= 1
                writer.block()
    return writer.text()
