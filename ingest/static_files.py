"""Our files for browsers, and pieces of them, as they lie in `ingest/static`."""

from __future__ import annotations

from importlib.resources import files


def static(name: str) -> str:
    """The content of one of them."""
    return files("ingest").joinpath("static", name).read_text()
