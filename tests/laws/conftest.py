"""Laws say what holds, not how fast: no time limit an example, and the same examples on every run."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("laws", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("laws")
