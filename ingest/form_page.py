"""The contact form as a page: plain HTML, no script, no request to anybody else."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from contracts.workspace import Account, Workspace

_STYLE = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:34rem;margin:2rem auto;padding:0 1rem}
label,fieldset{display:block;margin:0 0 1rem}
input,select,textarea{display:block;width:100%;box-sizing:border-box;padding:.6rem;font:inherit;border:1px solid #888;border-radius:.4rem}
button{padding:.7rem 1.4rem;font:inherit;border:0;border-radius:.4rem;background:#1d4ed8;color:#fff;cursor:pointer}
strong{white-space:nowrap}
:focus-visible{outline:3px solid #f59e0b;outline-offset:2px}
.extra{position:absolute;left:-10000px}
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
SECURITY_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
"""Content-Security-Policy of the pages: nothing but their own style."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><style>{style}</style></head><body><main>{body}</main></body></html>
"""


def form(workspace: Workspace, account: Account, named: str, token: str) -> str:
    """The form as it was asked for by name, with its page token: pressing the button twice sends one message."""
    departments = "".join(
        f'<option value="{escape(d.id)}">{escape(d.name)}</option>' for d in workspace.departments if d.public
    )
    categories = "".join(f"<option>{escape(c.path)}</option>" for c in workspace.categories)
    store = next((s.name for s in workspace.stores if s.id == account.store), workspace.name)
    body = f"""<h1>Contact {escape(store)}</h1>
<form method="post" action="/forms/{escape(named)}/submissions">
<input type="hidden" name="submission_id" value="{escape(token)}">
<label>Your name <input name="name" autocomplete="name" maxlength="200"></label>
<label>E-mail <input name="email" type="email" autocomplete="email" maxlength="200"></label>
<label>Telephone <input name="phone" type="tel" autocomplete="tel" maxlength="40"></label>
<label>Department <select name="department"><option value="">I am not sure</option>{departments}</select></label>
<label>Category <select name="category"><option value="">None</option>{categories}</select></label>
<label>Subject <input name="subject" maxlength="500"></label>
<label>Message <textarea name="message" rows="8" maxlength="20000" required></textarea></label>
<label class="extra" aria-hidden="true">Leave this empty <input name="website" tabindex="-1" autocomplete="off"></label>
<button>Send</button>
</form>"""
    return page(f"Contact {store}", body)


def receipt(reference: str) -> str:
    """What the sender sees when the message is safe."""
    body = f"<h1>Thank you</h1><p>We have your message. Your receipt number is <strong>{escape(reference)}</strong>.</p>"
    return page("Thank you", body)


def refusal(detail: str) -> str:
    """What the sender has to correct."""
    body = (
        f'<h1>Please check your message</h1><p role="alert">{escape(detail)}</p><p>Go back to correct it.</p>'
    )
    return page("Please check your message", body)


def page(title: str, body: str) -> str:
    """A whole page around this body, which is HTML already."""
    return _PAGE.format(title=escape(title), style=_STYLE, body=body)
