"""The chat widget as people meet it: in a shop's page, by keyboard, by ear, on a bad line, in two tabs. What they wrote is in
Postgres exactly once, and in the order in which they wrote it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from ingest.form_texts import LANGUAGES, texts
from tests.browser.axe import barriers
from tests.browser.line import Line
from tests.browser.shop import DESKTOP, ORIGIN, PHONE, shop_context, shop_page, shot
from tests.browser.test_form import CONFIG
from tests.support.chain import Chain, wait_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAGS = '<script src="{gateway}/embed/chat.js" data-widget="chat" data-auto async></script>'
SAID = texts("en", "chat")
SLOW = 60_000


@asynccontextmanager
async def shop(browser: Browser, line: Line, language: str = "en", **options: Any) -> AsyncIterator[Page]:
    """The shop's page with the widget in it."""
    async with shop_page(browser, line, TAGS, language, **options) as page:
        yield page


async def opened(page: Page) -> Locator:
    """The panel, opened."""
    await page.get_by_role("button", name=SAID["title"]).click()
    return page.get_by_role("dialog", name=SAID["title"])


async def write(page: Page, *messages: str) -> None:
    """Types and sends these, without waiting for anything."""
    for message in messages:
        await page.get_by_role("textbox", name=SAID["message"]).fill(message)
        await page.get_by_role("button", name=SAID["send"]).click()


async def shown(page: Page, *messages: str) -> None:
    """Waits until the conversation is these lines, each stored."""
    await expect(page.locator("li .text")).to_have_text(list(messages), timeout=SLOW)
    await expect(page.locator("li.visitor .state", has_text=SAID["sending"])).to_have_count(0, timeout=SLOW)


async def stored(chain: Chain, like: str) -> list[str]:
    """The texts of the stored messages that are like this, in the order of their chat, once all have come to their end."""
    await asyncio.to_thread(chain.settle)
    query = f"""SELECT m.payload->>'text' FROM messages m JOIN chat_lines l USING (workspace, message_id)
        WHERE m.payload->>'text' LIKE '{like}' ORDER BY l.conversation, l.seq"""
    return [text for (text,) in await asyncio.to_thread(chain.rows, query)]


async def answer(chain: Chain, message: str, text: str) -> None:
    """An agent answers in the chat of this message."""
    query = f"SELECT t.number FROM messages m JOIN tickets t USING (workspace, ticket_id) WHERE m.payload->>'text' = '{message}'"
    await asyncio.to_thread(wait_for, lambda: chain.rows(query), 60, "the ticket of the chat")
    [(number,)] = await asyncio.to_thread(chain.rows, query)
    headers = {"Authorization": f"Bearer {chain.prepared.api_key}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=30) as desk:
        url = f"http://127.0.0.1:{chain.settings.desk_port}/tickets/{number}/messages"
        assert (await desk.post(url, json={"text": text})).status_code == 201


@pytest.mark.parametrize(("name", "viewport"), [("phone", PHONE), ("desktop", DESKTOP)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_chat_looks_right_and_has_no_barrier(
    browser: Browser, line: Line, chain: Chain, name: str, viewport: Any, scheme: Any
) -> None:
    async with shop(browser, line, viewport=viewport, color_scheme=scheme) as page:

        async def look(what: str) -> None:
            assert await barriers(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await shot(page, f"chat-{what}-{name}-{scheme}", full=False)

        await expect(page.get_by_role("button", name=SAID["title"])).to_be_visible()
        await look("closed")
        panel = await opened(page)
        await expect(panel.get_by_label(SAID["department"])).to_be_visible()
        await look("opened")
        await panel.get_by_label(SAID["department"]).select_option("returns")
        await look("offline")
        await panel.get_by_label(SAID["department"]).select_option("support")
        first = f"Hello, my order 1042 has not come yet ({name}, {scheme})."
        second = "It should have been here on Monday.\nCan you have a look?"
        await write(page, first, second)
        await shown(page, first, second)
        await answer(chain, first, "Good morning! I am looking it up, one moment please.")
        await expect(panel.locator("li.agent .who")).to_have_text("Lea")
        await look("talk")
        await panel.get_by_role("button", name=SAID["end"]).click()
        await expect(panel.get_by_role("button", name=SAID["rate_send"])).to_be_visible()
        await look("rating")
        await panel.get_by_label(SAID["positive"], exact=True).check()
        await panel.get_by_role("button", name=SAID["rate_send"]).click()
        await expect(panel.get_by_text(SAID["rated"])).to_be_visible()
        await look("rated")


async def test_every_department_can_be_picked(browser: Browser, line: Line, chain: Chain) -> None:
    async def pick(department: str) -> None:
        async with shop(browser, line) as page:
            panel = await opened(page)
            await panel.get_by_label(SAID["department"]).select_option(department)
            await write(page, f"picked {department}")
            await shown(page, f"picked {department}")
            # Before the first message only: what follows belongs to the same conversation.
            await expect(panel.get_by_label(SAID["department"])).to_be_hidden()

    names = [department.id for department in CONFIG.departments if department.public]
    await asyncio.gather(*(pick(name) for name in names))
    await asyncio.to_thread(chain.settle)
    query = """SELECT m.payload->>'text', t.department FROM messages m JOIN tickets t USING (workspace, ticket_id)
        WHERE m.payload->>'text' LIKE 'picked %'"""
    found = await asyncio.to_thread(chain.rows, query)
    assert sorted(row for row in found if row[0].count(" ") == 1) == sorted((f"picked {n}", n) for n in names)


async def test_by_keyboard_alone(browser: Browser, line: Line, chain: Chain) -> None:
    async with shop(browser, line) as page:
        await expect(page.get_by_role("button", name=SAID["title"])).to_be_visible()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("textbox", name=SAID["message"])).to_be_focused()
        await expect(page.get_by_label(SAID["department"])).to_be_visible()
        await page.keyboard.press("Shift+Tab")
        await expect(page.get_by_label(SAID["department"])).to_be_focused()
        await page.keyboard.type("Sales")
        await page.keyboard.press("Tab")
        await page.keyboard.type("keys: line one")
        await page.keyboard.press("Shift+Enter")
        await page.keyboard.type("line two")
        await page.keyboard.press("Enter")
        await shown(page, "keys: line one\nline two")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name=SAID["title"])).to_be_focused()
        await page.keyboard.press("Space")
        await expect(page.get_by_role("textbox", name=SAID["message"])).to_be_focused()
    assert await stored(chain, "keys:%") == ["keys: line one\nline two"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_in_the_language_of_the_page_and_by_ear(
    browser: Browser, line: Line, chain: Chain, language: str
) -> None:
    said = texts(language, "chat")
    async with shop(browser, line, language=f"{language}-XX", viewport=PHONE) as page:
        await page.get_by_role("button", name=said["title"]).click()
        panel = page.get_by_role("dialog", name=said["title"])
        picker = panel.get_by_role("combobox", name=said["department"])
        await picker.select_option("returns")
        told = said["offline_until"].partition("{")[0]
        await expect(panel.get_by_role("status").filter(has_text=told)).to_be_visible()
        await expect(panel.get_by_role("textbox", name=said["email"])).to_be_visible()
        assert await barriers(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await shot(page, f"chat-language-{language}", full=False)
        await panel.get_by_role("textbox", name=said["message"]).fill(f"spoken: {language}")
        await panel.get_by_role("button", name=said["send"], exact=True).click()
        log = panel.get_by_role("log", name=said["messages"])
        await expect(log.get_by_role("listitem")).to_have_text(
            re.compile(f"{said['you']}.*{said['sent']}"), timeout=SLOW
        )
        await expect(panel.get_by_role("button", name=said["close"])).to_be_visible()
    assert await stored(chain, f"spoken: {language}") == [f"spoken: {language}"]


async def test_after_hours_the_next_opening_is_told_and_an_address_taken(
    browser: Browser, line: Line, chain: Chain
) -> None:
    async with shop(browser, line, timezone_id="America/New_York") as page:
        panel = await opened(page)
        await panel.get_by_label(SAID["department"]).select_option("returns")
        notice = panel.locator(".notice")
        # In the department's zone, which is named, for it is not the visitor's.
        await expect(notice).to_have_text(re.compile(r"we are back on \w+day, 08:00 (GMT\+\d|CES?T)"))
        await panel.get_by_label(SAID["email"]).fill("ann")
        await write(page, "late: is anybody there?")
        await expect(panel.get_by_role("alert")).to_have_text(SAID["email_wrong"])
        await panel.get_by_label(SAID["email"]).fill("ann@example.com")
        await panel.get_by_role("button", name=SAID["send"]).click()
        await expect(notice).to_have_text(re.compile("We have your message.*08:00"))
    await stored(chain, "late:%")
    query = """SELECT m.payload->'fields'->>'after_hours', t.department, m.payload->'sender'->'handles'->1->>'value'
        FROM messages m JOIN tickets t USING (workspace, ticket_id) WHERE m.payload->>'text' LIKE 'late:%'"""
    assert await asyncio.to_thread(chain.rows, query) == [("true", "returns", "ann@example.com")]


async def test_answers_reach_a_closed_window_and_the_next_page(
    browser: Browser, line: Line, chain: Chain
) -> None:
    async with shop_context(browser, line, TAGS) as context:
        page = await context.new_page()
        await page.goto(f"{ORIGIN}/help")
        await opened(page)
        await write(page, "away: hello")
        await shown(page, "away: hello")
        await page.get_by_role("button", name=SAID["close"]).click()
        await answer(chain, "away: hello", "I am here")
        unread = page.get_by_role("button", name=f"{SAID['title']} 1 new")
        await expect(unread).to_be_visible(timeout=SLOW)
        await page.goto(f"{ORIGIN}/elsewhere")
        await expect(unread).to_be_visible(timeout=SLOW)
        await unread.click()
        await shown(page, "away: hello", "I am here")
        await page.reload()
        await expect(page.get_by_role("button", name=SAID["title"], exact=True)).to_be_visible()
        await opened(page)
        await shown(page, "away: hello", "I am here")
        read = "SELECT c.read_seq FROM chats c JOIN chat_lines l USING (workspace, account, conversation) JOIN messages m USING (workspace, message_id) WHERE m.payload->>'text' = 'away: hello'"
        assert await asyncio.to_thread(chain.scalar, read) == 2


async def test_cut_in_mid_send_and_during_the_chat(browser: Browser, line: Line, chain: Chain) -> None:
    long = "cut 2 " + "x" * 1000
    async with shop(browser, line) as page:
        await opened(page)
        await write(page, "cut 1")
        await shown(page, "cut 1")
        line.cuts = ["frame", "frame"]
        await write(page, long, "cut 3")
        await shown(page, "cut 1", long, "cut 3")
        assert line.cuts == []
        # Stored, and the visitor does not hear of it.
        line.deaf = True
        await write(page, "cut 4")
        assert (await stored(chain, "cut %"))[-1] == "cut 4"
        line.down = True
        line.cut()
        await expect(page.get_by_text(SAID["waiting"])).to_be_visible()
        await write(page, "cut 5", "cut 6")
        await shot(page, "chat-waiting-desktop", full=False)
        line.deaf = line.down = False
        await shown(page, "cut 1", long, "cut 3", "cut 4", "cut 5", "cut 6")
        await expect(page.get_by_text(SAID["waiting"])).to_be_hidden()
    assert await stored(chain, "cut %") == ["cut 1", long, "cut 3", "cut 4", "cut 5", "cut 6"]


async def test_what_was_written_without_a_line_goes_out_from_the_next_page(
    browser: Browser, line: Line, chain: Chain
) -> None:
    async with shop_context(browser, line, TAGS) as context:
        page = await context.new_page()
        await page.goto(f"{ORIGIN}/help")
        await opened(page)
        await write(page, "left 1")
        await shown(page, "left 1")
        line.down = True
        line.cut()
        await write(page, "left 2", "left 3")
        await page.close()
        line.down = False
        other = await context.new_page()
        await other.goto(f"{ORIGIN}/elsewhere")
        await opened(other)
        await shown(other, "left 1", "left 2", "left 3")
    assert await stored(chain, "left %") == ["left 1", "left 2", "left 3"]


async def test_while_the_gateway_is_killed_and_started_again(
    browser: Browser, line: Line, chain: Chain
) -> None:
    wanted = [f"killed {number}" for number in range(8)]
    async with shop(browser, line) as page:
        await opened(page)
        for number, message in enumerate(wanted):
            if number in (2, 5):
                # By this thread: a process ends with the thread that started it.
                chain.kill("gateway")
            await write(page, message)
        await shown(page, *wanted)
    assert await stored(chain, "killed %") == wanted


async def test_two_tabs_are_one_chat(browser: Browser, line: Line, chain: Chain) -> None:
    async with shop_context(browser, line, TAGS) as context:
        tabs = [await context.new_page() for _ in range(2)]
        await asyncio.gather(*(tab.goto(f"{ORIGIN}/help") for tab in tabs))
        await asyncio.gather(*(opened(tab) for tab in tabs))
        await asyncio.gather(*(write(tab, *(f"tab {n} {i}" for i in range(4))) for n, tab in enumerate(tabs)))
        for tab in tabs:
            await expect(tab.locator("li .text")).to_have_count(8, timeout=SLOW)
        first, second = [await tab.locator("li .text").all_inner_texts() for tab in tabs]
        assert first == second
    assert await stored(chain, "tab %") == first
    for n in range(2):
        assert [text for text in first if text.startswith(f"tab {n}")] == [f"tab {n} {i}" for i in range(4)]


async def test_a_wrong_signature_opens_no_chat(browser: Browser, line: Line) -> None:
    async with shop(browser, line) as page:
        await page.evaluate(
            "document.querySelector('frontdesk-chat').user = async () => ({id: 'ann', hash: '00', expires: 4e9})"
        )
        panel = await opened(page)
        await expect(panel.get_by_text(SAID["denied"])).to_be_visible()


async def test_the_chats_own_page(browser: Browser, line: Line) -> None:
    for name, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
        context = await browser.new_context(viewport=viewport)
        page = await context.new_page()
        await page.goto(f"{line.url}/chat/chat")
        if name == "desktop":
            await expect(page.get_by_role("heading", name="Write to North Shop")).to_be_visible()
        await expect(page.get_by_label(SAID["department"])).to_be_visible()
        await shot(page, f"chat-page-{name}", full=False)
        await context.close()
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{line.url}/chat/chat")
    await page.get_by_role("link", name=SAID["form"]).click()
    await expect(page.get_by_label(texts("en")["message"])).to_be_visible()
    await context.close()
