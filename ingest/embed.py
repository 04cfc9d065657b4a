"""The scripts that put our elements into other people's pages: each is made once, of its pieces, and needs nothing else."""

from __future__ import annotations

import hashlib
import json
from functools import cache

from litestar import Response, get
from litestar.params import FromPath

from contracts.errors import Refused
from ingest.gateway import GatewayRequest
from ingest.static_files import static

_SECONDS = 3600

_SCRIPTS = {
    "form.js": ("form.js",),
    "chat.js": ("chat_words.js", "chat_talk.js", "chat.js"),
}


@get("/embed/{name:str}", summary="A script that makes elements: form.js, chat.js")
async def show_script(request: GatewayRequest, name: FromPath[str]) -> Response[bytes]:
    if name not in _SCRIPTS:
        raise Refused("unknown_script", f"there are {', '.join(_SCRIPTS)}", status=404)
    script, tag = _script(name)
    headers = {
        "Cache-Control": f"public, max-age={_SECONDS}",
        "ETag": tag,
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    if request.headers.get("if-none-match") == tag:
        return Response(b"", status_code=304, headers=headers)
    return Response(script, media_type="text/javascript", headers=headers)


@cache
def _script(name: str) -> tuple[bytes, str]:
    """A script with its style and words in it, and its tag. What it declares stays its own."""
    kind = name.partition(".")[0]
    words = json.loads(static("chat_texts.json")) if kind == "chat" else None
    given = {"STYLE": static("theme.css") + static(f"{kind}.css"), "TEXTS": words}
    constants = "".join(
        f"const {constant} = {json.dumps(value, ensure_ascii=False)};\n"
        for constant, value in given.items()
        if value
    )
    pieces = "".join(static(piece) for piece in ("element.js", *_SCRIPTS[name]))
    script = f'(() => {{\n"use strict";\n{constants}{pieces}}})();\n'.encode()
    return script, f'"{hashlib.sha256(script).hexdigest()[:32]}"'
