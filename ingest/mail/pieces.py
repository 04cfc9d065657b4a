"""A text taken apart into what is new, quotes and signature, so that it can be put together again."""

from __future__ import annotations

from itertools import groupby
from typing import Literal, NamedTuple

from contracts.inbound import Cut

_WHAT: dict[str, Literal["quote", "signature"]] = {"q": "quote", "s": "signature"}


class Split(NamedTuple):
    """`visible`: newly written; `quoted`: quotes and forwarded mail; `signature`: the sender's and the mail program's. Nothing
    but blank lines is lost, and `cuts` says where each piece stood."""

    visible: str
    quoted: str = ""
    signature: str = ""
    cuts: tuple[Cut, ...] = ()

    @property
    def rest(self) -> str:
        """Everything that is not new."""
        return "\n".join(piece for piece in (self.signature, self.quoted) if piece)


def put_apart(lines: list[str], roles: str) -> Split:
    """The lines by their roles: `t` for text, `q` for quotes, `s` for signatures."""
    visible: list[str] = []
    size = 0
    held: dict[str, list[str]] = {"q": [], "s": []}
    places: list[tuple[str, int, int]] = []
    at = 0
    for role, run in groupby(roles):
        count = len(list(run))
        some, at = lines[at : at + count], at + count
        if role == "t":
            for line in some:
                # At most one blank line between paragraphs, none above the first.
                if line.strip() or (visible and visible[-1].strip()):
                    visible.append(line if visible else line.lstrip())
                    size += len(visible[-1]) + 1
            continue
        piece = "\n".join(some).strip("\n")
        if piece.strip():
            held[role].append(piece)
            places.append((role, size, len(piece)))
    text = "\n".join(visible).rstrip()
    last = {role: len(pieces) - 1 for role, pieces in held.items()}
    return Split(text, "\n".join(held["q"]), "\n".join(held["s"]), tuple(_cuts(places, last, len(text))))


def _cuts(places: list[tuple[str, int, int]], last: dict[str, int], most: int) -> list[Cut]:
    """Between two pieces of a kind there is a line break, which counts for the first."""
    seen = {"q": 0, "s": 0}
    out = []
    for role, at, length in places:
        ends = seen[role] == last[role]
        seen[role] += 1
        out.append(Cut(what=_WHAT[role], at=min(at, most), length=length if ends else length + 1))
    return out
