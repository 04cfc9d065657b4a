"""A shop's page on another origin, as strict as one may be, with our elements in it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.line import Line

ORIGIN = "http://shop.localhost"
"""Of the page. Its answers are made up in the browser."""
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

# Nothing but itself and the gateway, and no style from anywhere.
_POLICY = "default-src 'none'; script-src {gateway}; connect-src {gateway} {socket}"
_PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Shop</title></head>
<body><header>The shop</header><main><h1>Help</h1>{tags}</main></body></html>"""


@asynccontextmanager
async def shop_context(
    browser: Browser, line: Line, tags: str, language: str = "en", **options: Any
) -> AsyncIterator[BrowserContext]:
    """A visitor's browser, in which the shop's pages hold these tags. Fails when a page has an error or asks anybody else."""
    context = await browser.new_context(**({"viewport": DESKTOP} | options))
    policy = _POLICY.format(gateway=line.url, socket=line.url.replace("http", "ws", 1))
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
    html = _PAGE.format(language=language, tags=tags.format(gateway=line.url))
    await context.route(f"{ORIGIN}/**", lambda route: route.fulfill(body=html, headers=headers))
    faults: list[str] = []
    asked: set[str] = set()
    context.on("weberror", lambda fault: faults.append(str(fault.error)))
    context.on("request", lambda request: asked.add(_host(request.url)))
    context.on("page", lambda page: page.on("websocket", lambda socket: asked.add(_host(socket.url))))
    try:
        yield context
        assert faults == []
        assert asked <= {_host(ORIGIN), _host(line.url)}, "somebody else was asked"
    finally:
        await context.close()


@asynccontextmanager
async def shop_page(
    browser: Browser, line: Line, tags: str, language: str = "en", **options: Any
) -> AsyncIterator[Page]:
    """The shop's page in a browser of its own."""
    async with shop_context(browser, line, tags, language, **options) as context:
        page = await context.new_page()
        await page.goto(f"{ORIGIN}/help")
        yield page


async def shot(page: Page, name: str, full: bool = True) -> None:
    """A picture for people to look at, where a folder for them is given."""
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=full)


def _host(url: str) -> str:
    return urlsplit(url).netloc
