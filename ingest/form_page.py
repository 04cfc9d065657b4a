"""The contact form as a page: plain HTML, no script, no request to anybody else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from typing import NamedTuple

from contracts.workspace import Account, Category, Workspace
from ingest.form_texts import Texts, texts
from ingest.static_files import static

_PAGE_STYLE = (
    static("theme.css")
    + static("form.css")
    + """
:root{color-scheme:light dark}
body{margin:0;background:#eef1f6}
@media(prefers-color-scheme:dark){body{background:#0e131d}}
main{margin:0 auto;padding:clamp(1rem,6vh,4rem) 1rem}
"""
)

_STYLE_HASH = base64.b64encode(hashlib.sha256(_PAGE_STYLE.encode()).digest()).decode()
SECURITY_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
"""Content-Security-Policy of the pages: nothing but their own style."""

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><style>{style}</style></head><body><main class="frontdesk auto"><div class="card">{body}</div></main></body></html>
"""


class Shown(NamedTuple):
    """A form for one visitor. `named`: as it was asked for; `token`: its page token; `language`: one of ours."""

    workspace: Workspace
    account: Account
    named: str
    token: str
    language: str


class Mistake(NamedTuple):
    """What has to be corrected. Without a field it is about the whole form."""

    field: str | None
    text: str


def store_name(workspace: Workspace, account: Account) -> str:
    """The shop as customers know it."""
    return next((store.name for store in workspace.stores if store.id == account.store), workspace.name)


def categories(workspace: Workspace) -> list[Category]:
    """Those that a customer may pick: of public departments."""
    public = {department.id for department in workspace.departments if department.public}
    return [category for category in workspace.categories if category.department in public]


def form(shown: Shown, given: Mapping[str, str] | None = None, mistake: Mistake | None = None) -> str:
    """The form; with what was written and what has to be corrected, if it was sent already."""
    said, page_fields = texts(shown.language), _Fields(shown, given or {}, mistake)
    title = said["title"].format(store=store_name(shown.workspace, shown.account))
    problem = ""
    if mistake:
        text = said["check"] if page_fields.has(mistake.field) else mistake.text
        problem = f'<p class="problem" role="alert">{escape(text)}</p>'
    hidden = {"submission_id": shown.token, "locale": shown.language}
    body = f"""<h1>{escape(title)}</h1><p class="intro">{escape(said["intro"])}</p>{problem}
<form method="post" enctype="multipart/form-data" action="/forms/{escape(shown.named)}/submissions">
{"".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items())}
<div class="fields">
{page_fields.html()}
<div class="extra" aria-hidden="true"><label>{escape(said["website"])} <input name="website" tabindex="-1" autocomplete="off"></label></div>
<div class="wide"><button>{escape(said["send"])}</button></div>
</div></form>"""
    return page(title, body, shown.language)


def receipt(reference: str, language: str) -> str:
    """What the sender sees when the message is safe."""
    said = texts(language)
    body = f"""<div class="done"><div class="mark"></div><h1>{escape(said["thanks"])}</h1>
<p class="receipt">{escape(said["receipt"])} <strong>{escape(reference)}</strong></p>
<p class="hint">{escape(said["receipt_hint"])}</p></div>"""
    return page(said["thanks"], body, language)


def page(title: str, body: str, language: str = "en") -> str:
    """A whole page around this body, which is HTML already."""
    return _PAGE.format(language=language, title=escape(title), style=_PAGE_STYLE, body=body)


class _Fields:
    """The fields of one form, in order."""

    def __init__(self, shown: Shown, given: Mapping[str, str], mistake: Mistake | None) -> None:
        self._shown, self._given, self._mistake = shown, given, mistake
        self._said: Texts = texts(shown.language)
        self._controls = {
            "name": self._input("name", 'autocomplete="name" maxlength="200"'),
            "email": self._input("email", 'type="email" autocomplete="email" maxlength="200" required'),
            "department": self._departments(),
            "category": self._categories(),
            "phone": self._input("phone", 'type="tel" autocomplete="tel" maxlength="40"'),
            "subject": self._input("subject", 'maxlength="500"'),
            "message": f'<textarea {self._attributes("message")} rows="7" maxlength="20000" required>'
            f"\n{escape(given.get('message', ''))}</textarea>",
            "files": f'<input {self._attributes("files")} type="file" multiple>',
        }

    def has(self, name: str | None) -> bool:
        return name in self._controls

    def html(self) -> str:
        return "\n".join(self._field(name, control) for name, control in self._controls.items() if control)

    def _field(self, name: str, control: str) -> str:
        needed = name in ("email", "message")
        mark = "" if needed else f' <span class="hint">{escape(self._said["optional"])}</span>'
        wide = ' class="wide"' if name in ("message", "files") else ""
        hint = f'<p class="hint">{escape(self._said["files_hint"])}</p>' if name == "files" else ""
        wrong = ""
        if self._mistake and self._mistake.field == name:
            wrong = f'<p class="error" id="{name}-error">{escape(self._mistake.text)}</p>'
        return f'<div{wide}><label for="{name}">{escape(self._said[name])}{mark}</label>{control}{hint}{wrong}</div>'

    def _attributes(self, name: str) -> str:
        wrong = self._mistake is not None and self._mistake.field == name
        error = f' aria-invalid="true" aria-describedby="{name}-error" autofocus' if wrong else ""
        return f'id="{name}" name="{name}"{error}'

    def _input(self, name: str, more: str) -> str:
        value = escape(self._given.get(name, ""))
        return f'<input {self._attributes(name)} {more} value="{value}">'

    def _departments(self) -> str:
        rows = [(d.id, d.name) for d in self._shown.workspace.departments if d.public]
        options = self._option("department", "", self._said["department_none"])
        options += "".join(self._option("department", *row) for row in rows)
        return self._select("department", options) if rows else ""

    def _categories(self) -> str:
        """Grouped by department, since without a script the list cannot follow what was picked there."""
        names = {d.id: d.name for d in self._shown.workspace.departments}
        found = categories(self._shown.workspace)
        groups = ""
        for department in dict.fromkeys(category.department for category in found):
            rows = [c.path for c in found if c.department == department]
            inner = "".join(
                self._option(
                    "category", path, " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ".join(path.split("/"))
                )
                for path in rows
            )
            groups += f'<optgroup label="{escape(names[department])}">{inner}</optgroup>'
        options = self._option("category", "", self._said["category_none"]) + groups
        return self._select("category", options) if found else ""

    def _select(self, name: str, options: str) -> str:
        return f'<div class="select"><select {self._attributes(name)}>{options}</select></div>'

    def _option(self, name: str, value: str, text: str) -> str:
        chosen = " selected" if value and self._given.get(name) == value else ""
        return f'<option value="{escape(value)}"{chosen}>{escape(text)}</option>'
