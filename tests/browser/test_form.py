"""The contact form as people meet it: in a shop's page, by keyboard, by ear, without script, on a bad line. What they sent is
in Postgres exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from contracts.workspace import Department
from frontdesk.workspace_setup import DEMO
from ingest.form_guard import LEAST_TIME
from ingest.form_texts import LANGUAGES, texts
from sinks.config_files import load_folder
from tests.browser.axe import barriers
from tests.browser.line import Line
from tests.browser.shop import DESKTOP, PHONE, shop_page, shot
from tests.support.chain import Chain

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG = load_folder(DEMO)
TAGS = """<script src="{gateway}/embed/form.js" data-form="contact" async></script>
<noscript><a href="{gateway}/forms/contact">Contact us</a></noscript>"""


@asynccontextmanager
async def shop(browser: Browser, line: Line, language: str = "en", **options: Any) -> AsyncIterator[Page]:
    """The shop's page with the form in it."""
    async with shop_page(browser, line, TAGS, language, **options) as page:
        yield page


async def fill(page: Page, message: str, email: str = "ann@example.com") -> None:
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Your message").fill(message)


async def send(page: Page) -> str:
    """Presses the button and returns the receipt number."""
    await page.get_by_role("button", name="Send message").click()
    return await receipt(page)


async def receipt(page: Page) -> str:
    number = page.locator(".receipt strong")
    await expect(number).to_be_visible(timeout=60_000)
    return await number.inner_text()


async def tickets(chain: Chain, *messages: str) -> list[tuple[Any, ...]]:
    """Text, department, category and language of every ticket that holds one of these messages: a row for each time one is
    stored, once everything that was accepted has come to its end."""
    await asyncio.to_thread(chain.settle)
    wanted = ", ".join(f"'{message}'" for message in messages)
    query = f"""
        SELECT m.payload->>'text', t.department, t.category, m.payload->>'locale'
        FROM messages m JOIN tickets t USING (workspace, ticket_id) WHERE m.payload->>'text' IN ({wanted})
        ORDER BY m.received_at"""
    return await asyncio.to_thread(chain.rows, query)


async def test_a_form_looks_right_and_has_no_barrier(browser: Browser, line: Line) -> None:
    for name, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
        for scheme in ("light", "dark"):
            async with shop(browser, line, viewport=viewport, color_scheme=scheme) as page:
                await expect(page.get_by_label("Your message")).to_be_visible()
                assert await barriers(page) == []
                await shot(page, f"form-{name}-{scheme}")
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                await page.get_by_role("button", name="Send message").click()
                assert await barriers(page) == []
                await shot(page, f"errors-{name}-{scheme}")
                await fill(page, f"looks {name} {scheme}")
                await send(page)
                assert await barriers(page) == []
                await shot(page, f"receipt-{name}-{scheme}")


async def test_every_department_and_category_arrives_as_it_was_picked(
    browser: Browser, line: Line, chain: Chain
) -> None:
    async def pick(department: Department) -> list[tuple[Any, ...]]:
        expected = []
        async with shop(browser, line) as page:
            for category in ("", *kinds(department.id)):
                message = f"picked by {department.id[:3]} {len(expected)}"
                await page.get_by_label("Department").select_option(label=department.name)
                offered = page.locator("select[name=category] option")
                assert await offered.evaluate_all("all => all.map(o => o.value)") == [
                    "",
                    *kinds(department.id),
                ]
                if category:
                    await page.get_by_label("What is it about?").select_option(category)
                await fill(page, message, f"{department.id}@example.com")
                await send(page)
                await page.get_by_role("button", name="Write another message").click()
                expected.append((message, department.id, category or None, "en"))
        return expected

    picked = await asyncio.gather(*(pick(department) for department in CONFIG.departments))
    expected = [row for rows in picked for row in rows]
    assert sorted(await tickets(chain, *(row[0] for row in expected)), key=str) == sorted(expected, key=str)


def kinds(department: str) -> list[str]:
    return [category.path for category in CONFIG.categories if category.department == department]


async def test_by_keyboard_alone_with_the_first_mistake_in_focus(
    browser: Browser, line: Line, chain: Chain
) -> None:
    async with shop(browser, line) as page:
        await expect(page.get_by_label("Your message")).to_be_visible()
        walked = []
        for _step in range(9):
            await page.keyboard.press("Tab")
            walked.append(await focused(page))
        fields = ["name", "email", "department", "category", "phone", "subject", "message", "files", "button"]
        assert walked == fields
        await page.keyboard.press("Enter")
        assert await focused(page) == "email"
        await expect(page.get_by_label("E-mail address")).to_have_accessible_description(
            "Please enter your e-mail address, so that we can answer."
        )
        await page.keyboard.type("nobody@")
        await page.keyboard.press("Tab")
        await expect(page.locator("#fd-email-error")).to_have_text(texts("en")["email_invalid"])
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("End")
        await page.keyboard.type("example.com")
        await expect(page.locator("#fd-email-error")).to_be_empty()
        await page.keyboard.press("Tab")
        await page.keyboard.type("Ret")
        for _step in range(4):
            await page.keyboard.press("Tab")
        assert await focused(page) == "message"
        await page.keyboard.type("typed by keyboard")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await receipt(page)
        assert await focused(page) == "H2"
    assert await tickets(chain, "typed by keyboard") == [("typed by keyboard", "returns", None, "en")]


async def focused(page: Page) -> str:
    """The name of the control that has the focus, or what it is."""
    found: str = await page.evaluate(
        "() => { const at = document.querySelector('frontdesk-form').shadowRoot.activeElement;"
        " return at ? at.name || (at.localName === 'button' ? 'button' : at.tagName) : '' }"
    )
    return found


@pytest.mark.parametrize("language", LANGUAGES)
async def test_in_the_language_of_the_page_and_by_ear(
    browser: Browser, line: Line, chain: Chain, language: str
) -> None:
    said = texts(language)
    async with shop(browser, line, language=f"{language}-XX", viewport=PHONE) as page:
        form = page.get_by_role("form", name=said["title"].format(store="North Shop"))
        await expect(form).to_be_visible()
        for name in ("email", "message"):
            await expect(form.get_by_role("textbox", name=said[name], exact=True)).to_be_visible()
        for name in ("name", "phone", "subject"):
            full = f"{said[name]} {said['optional']}"
            await expect(form.get_by_role("textbox", name=full, exact=True)).to_be_visible()
        for name in ("department", "category"):
            full = f"{said[name]} {said['optional']}"
            await expect(form.get_by_role("combobox", name=full, exact=True)).to_be_visible()
        # What only robots are to see is not read out.
        assert said["website"] not in await form.aria_snapshot()
        await form.get_by_role("button", name=said["send"]).click()
        await expect(page.get_by_role("status").filter(has_text=said["check"])).to_be_visible()
        assert await barriers(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await shot(page, f"language-{language}")
        await form.get_by_label(said["email"]).fill(f"{language}@example.com")
        await form.get_by_label(said["message"]).fill(f"spoken {language}")
        await form.get_by_role("button", name=said["send"]).click()
        await expect(page.get_by_role("heading", name=said["thanks"])).to_be_visible(timeout=20_000)
    [(_, _, _, locale)] = await tickets(chain, f"spoken {language}")
    assert locale == language


async def test_without_script_the_link_leads_to_a_form_that_works(
    browser: Browser, line: Line, chain: Chain
) -> None:
    async with shop(browser, line, java_script_enabled=False, locale="pl-PL") as page:
        await page.get_by_role("link", name="Contact us").click()
        said = texts("pl")
        await page.get_by_label(said["email"]).fill("nobody@nowhere")
        await page.get_by_label(said["message"]).fill("bez skryptu")
        await page.get_by_label(said["department"]).select_option("sales")
        await page.get_by_label(said["category"]).select_option("Sales/Offers")
        await page.get_by_label(said["files"]).set_input_files(
            {"name": "zdjęcie.png", "mimeType": "image/png", "buffer": b"\x89PNG"}
        )
        await shot(page, "plain-desktop")
        await asyncio.sleep(LEAST_TIME.total_seconds())
        await page.get_by_role("button", name=said["send"]).click()
        await expect(page.get_by_label(said["email"])).to_have_accessible_description(said["email_invalid"])
        await shot(page, "plain-errors-desktop")
        await page.get_by_label(said["email"]).fill("nobody@nowhere.example")
        await page.get_by_role("button", name=said["send"]).dblclick()
        await expect(page.get_by_role("heading", name=said["thanks"])).to_be_visible()
        await shot(page, "plain-receipt-desktop")
        assert await receipt(page)
    assert await tickets(chain, "bez skryptu") == [("bez skryptu", "sales", "Sales/Offers", "pl")]


async def test_pages_without_script_have_no_barrier_either(browser: Browser, line: Line) -> None:
    for name, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
        # The page's own policy lets no script in, and so not the one that looks for barriers.
        context = await browser.new_context(viewport=viewport, bypass_csp=True)
        page = await context.new_page()
        await page.goto(f"{line.url}/forms/contact?lang=lt")
        assert await barriers(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await shot(page, f"plain-{name}")
        await context.close()


async def test_cut_in_mid_send_it_arrives_once(browser: Browser, line: Line, chain: Chain) -> None:
    async with shop(browser, line) as page:
        await fill(page, "cut in the middle")
        await page.get_by_label("Files").set_input_files(
            [
                {"name": f"{n}.bin", "mimeType": "application/octet-stream", "buffer": bytes(300_000)}
                for n in range(2)
            ]
        )
        line.cuts = ["request", "answer", "request", "answer"]
        await page.get_by_role("button", name="Send message").click()
        await expect(page.get_by_role("status")).to_have_text(texts("en")["retrying"], timeout=20_000)
        await shot(page, "retrying-desktop")
        shown = await receipt(page)
        assert line.cuts == []
    assert len(await tickets(chain, "cut in the middle")) == 1
    trace = await asyncio.to_thread(chain.command, "trace", shown)
    assert trace.returncode == 0


async def test_while_the_gateway_is_killed_and_started_again_it_arrives_once(
    browser: Browser, line: Line, chain: Chain
) -> None:
    async with shop(browser, line) as page:
        await fill(page, "sent to a dead gateway")
        line.cuts = ["answer"] * 4
        await page.get_by_role("button", name="Send message").click()
        await expect(page.get_by_role("status")).to_have_text(texts("en")["retrying"], timeout=20_000)
        # By this thread: a process ends with the thread that started it.
        chain.kill("gateway")
        await receipt(page)
    assert len(await tickets(chain, "sent to a dead gateway")) == 1


async def test_what_was_edited_after_a_lost_answer_is_a_message_of_its_own(
    browser: Browser, line: Line, chain: Chain
) -> None:
    async with shop(browser, line) as page:
        # Nobody waits a minute in a test: tries follow each other at once.
        await page.evaluate(
            "() => { const real = setTimeout; window.normally = real; window.setTimeout = (f) => real(f, 50); }"
        )
        await asyncio.sleep(LEAST_TIME.total_seconds())
        await fill(page, "first version")
        # More than there are tries: the browser itself repeats a call on a connection that it had before.
        line.cuts = ["answer"] * 100
        await page.get_by_role("button", name="Send message").click()
        await expect(page.get_by_role("status")).to_have_text(texts("en")["failed"], timeout=20_000)
        line.cuts = []
        await page.evaluate("() => { window.setTimeout = window.normally; }")
        await fill(page, "second version")
        await send(page)
    found = await tickets(chain, "first version", "second version")
    assert [text for text, *_ in found] == ["first version", "second version"]
