"""The chat as a page of its own, for shops that link to it: the widget, opened; without script the way to the form."""

from __future__ import annotations

from html import escape

from litestar import MediaType, Response, get
from litestar.params import FromPath

from contracts.errors import Refused
from ingest import form_page
from ingest.form_texts import language, texts
from ingest.gateway import Gateway, GatewayRequest

SECURITY_POLICY = f"{form_page.SECURITY_POLICY}; script-src 'self'; connect-src 'self'"
"""Content-Security-Policy of the page: the widget's script, and its socket."""


@get("/chat/{widget:str}", summary="The chat as a page")
async def show_chat(request: GatewayRequest, widget: FromPath[str]) -> Response[str]:
    gateway: Gateway = request.app.state.gateway
    found = gateway.accounts.find("chat", widget)
    if found is None:
        raise Refused("unknown_widget", "no chat of this name", status=404)
    workspace, account = found
    chosen = language(request.query_params.get("lang", ""), request.headers.get("accept-language", ""))
    said = texts(chosen, "chat")
    heading = said["heading"].format(store=form_page.store_name(workspace, account))
    form = next((one for one in workspace.accounts if one.channel == "webform"), None)
    link = (
        f'<p><a href="/forms/{escape(workspace.slug)}:{escape(form.id)}">{escape(said["form"])}</a></p>'
        if form
        else ""
    )
    body = f"""<h1>{escape(heading)}</h1><p class="intro">{escape(said["page_intro"])}</p>
<noscript><p>{escape(said["no_script"])}</p></noscript>{link}
<script src="/embed/chat.js" data-widget="{escape(widget)}" data-auto data-open></script>"""
    return Response(
        form_page.page(heading, body, chosen),
        media_type=MediaType.HTML,
        headers={"Content-Security-Policy": SECURITY_POLICY},
    )
