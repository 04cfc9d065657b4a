"""The page behind a rating link. Opening it says nothing; the button does."""

from __future__ import annotations

from html import escape

from ingest.channels.rating import SCORES
from ingest.form_page import page

_TITLE = "How did we do?"
_WORDS = {"positive": "Good", "negative": "Not good"}


def question(token: str, chosen: str) -> str:
    """Both answers, with the one that the link proposes already chosen."""
    choices = "".join(
        f'<option value="{score}"{" selected" if score == chosen else ""}>{_WORDS[score]}</option>'
        for score in SCORES
    )
    body = f"""<h1>{_TITLE}</h1>
<form method="post" action="/ratings/{escape(token)}">
<div class="fields"><label class="wide">Our answer was <select name="score">{choices}</select></label>
<label class="wide">Comment <textarea name="comment" rows="5" maxlength="5000"></textarea></label>
<div class="wide"><button>Send</button></div></div>
</form>"""
    return page(_TITLE, body)


def thanks() -> str:
    """After the button, however often it is pressed."""
    return page("Thank you", "<h1>Thank you</h1><p>Your rating is with us.</p>")
