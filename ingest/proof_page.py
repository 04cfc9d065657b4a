"""The page behind a link that proves an address. Opening it proves nothing, for programs that look into mails follow links; the
button does. What is wrong with a link is not said: whoever guesses learns nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from uuid import UUID

from litestar import MediaType, Request, get, post
from litestar.params import FromPath

from ingest.form_page import page
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.postgres import proof_store

_TITLE = "Confirm your address"


class ProofDoor:
    """What the page's button does, for the workspaces that this process serves."""

    def __init__(self, database: Database, clock: Clock, workspaces: Sequence[UUID]) -> None:
        self._database = database
        self._clock = clock
        self._workspaces = workspaces

    async def confirm(self, token: str) -> bool:
        """Whether the link was good; it is used up then. Raises `Transient` while Postgres is away."""
        async with self._database.transaction(self._workspaces) as connection:
            now = self._clock.now()
            return await proof_store.confirm_token(connection, self._workspaces, token, now)


@get("/proofs/{token:str}", media_type=MediaType.HTML, summary="Ask whether an address is to be confirmed")
async def show_proof(token: FromPath[str]) -> str:
    """The same for every link, so that only the button tells whether it is good."""
    body = f"""<h1>{_TITLE}</h1>
<p>If you asked for this mail, press the button. If you did not, close the page.</p>
<form method="post" action="/proofs/{escape(token)}"><div class="fields"><div class="wide"><button>It is my address</button></div></div></form>"""
    return page(_TITLE, body)


@post("/proofs/{token:str}", status_code=200, media_type=MediaType.HTML, summary="Confirm an address")
async def confirm_proof(request: Request, token: FromPath[str]) -> str:  # type: ignore[type-arg]
    door: ProofDoor = request.app.state.proofs
    if await door.confirm(token):
        return page("Thank you", "<h1>Thank you</h1><p>The address is confirmed.</p>")
    return page(
        _TITLE, "<h1>This link is not good any more</h1><p>Links are good once, and not for long.</p>"
    )


HANDLERS = (show_proof, confirm_proof)
