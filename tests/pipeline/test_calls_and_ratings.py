"""Telephone calls and ratings: what other systems post, and the links that customers follow."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ingest import rating_links
from ingest.rating_links import Rated
from tests.support import hooks
from tests.support.door import ACCOUNTS, SECRETS, Door

CALL = {
    "call_id": "pbx-77",
    "from": "+48221234567",
    "to": "+48225550100",
    "started_at": "2026-01-01T00:00:00Z",
}


async def test_every_state_of_a_call_is_an_event_under_the_call(door: Door) -> None:
    states = ("finished", "incoming", "answered", "recording", "incoming")
    for state in states:
        body = json.dumps(CALL | {"event": state, "updated_at": "2026-01-01T00:01:00Z"}).encode()
        signed = hooks.headers("call", SECRETS["call"], body)
        assert (await door.client.post("/calls", content=body, headers=signed)).status_code == 200
    found = await door.stored()
    assert sorted(m.fields["event"] for m in found) == ["answered", "finished", "incoming", "recording"]
    assert {(m.kind, m.target, m.conversation_key) for m in found} == {("call", "pbx-77", "+48221234567")}


WRONG = [
    ("/calls", {"event": "incoming"}, "call_id"),
    ("/calls", CALL | {"event": "exploded"}, "event"),
    ("/calls", CALL | {"duration_s": "long"}, "duration_s"),
    ("/calls", CALL | {"updated_at": "yesterday"}, "updated_at"),
    ("/ratings", {"ticket": 7, "score": "great"}, "score"),
    ("/ratings", {"ticket": "7", "score": "positive"}, "ticket"),
    ("/ratings", {"ticket": 7, "score": "positive", "comment": 7}, "comment"),
    ("/ratings", {"ticket": 7, "score": "positive", "at": "yesterday"}, "at"),
]


async def test_systems_are_told_what_to_correct(door: Door) -> None:
    for path, body, field in WRONG:
        bearer = {"Authorization": f"Bearer {SECRETS[path.strip('/').removesuffix('s')]}"}
        answer = await door.client.post(path, json=body, headers=bearer)
        assert (answer.status_code, [e["field"] for e in answer.json()["errors"]]) == (422, [field])
    assert (await door.since.messages(), await door.since.dead_letters()) == ([], [])


async def test_a_captured_call_of_a_system_is_refused_later(door: Door) -> None:
    body = json.dumps({"ticket": 7, "score": "positive"}).encode()
    old = (datetime.now(UTC) - timedelta(minutes=6)).timestamp()
    signed = hooks.headers("rating", SECRETS["rating"], body, at=old)
    answer = await door.client.post("/ratings", content=body, headers=signed)
    assert (answer.status_code, answer.json()["code"]) == (401, "stale")


def link(expires: timedelta = timedelta(days=7), secret: str = SECRETS["rating"], **changes: Any) -> str:
    rated = Rated(
        workspace="shop",
        account=ACCOUNTS["rating"],
        ticket=1001,
        answer="m-77",
        expires=int((datetime.now(UTC) + expires).timestamp()),
    )
    return rating_links.token(msgspec.structs.replace(rated, **changes), secret)


async def test_a_customer_rates_once_however_often_the_link_is_used(door: Door) -> None:
    url = f"/ratings/{link()}"
    for _ in range(3):
        page = await door.client.get(url, params={"score": "negative"})
        assert (page.status_code, 'value="negative" selected' in page.text) == (200, True)
    assert await door.since.messages() == []

    for comment in ("Too slow", "Too slow", "I press again"):
        answer = await door.client.post(url, data={"score": "negative", "comment": comment})
        assert (answer.status_code, "Thank you" in answer.text) == (200, True)
    found = await door.since.messages()
    assert len({(m.message_id, m.raw.sha256) for m in found if m.raw}) == 1
    first = found[0]
    assert (first.kind, first.target, first.text) == ("rating", "m-77", "Too slow")
    assert first.fields == {"ticket": "1001", "answer": "m-77", "score": "negative"}


async def test_links_that_are_forged_or_too_old_open_nothing(door: Door) -> None:
    claims, _, signature = link().partition(".")
    other = link(ticket=1002).partition(".")[0]
    forged = (
        f"{other}.{signature}",
        f"{claims}.{signature[:-2]}AA",
        claims,
        "x",
        "x.y",
        link(secret="guessed"),
    )
    for token in forged:
        assert (await door.client.get(f"/ratings/{token}")).status_code == 404
        posted = await door.client.post(f"/ratings/{token}", data={"score": "positive"})
        assert posted.status_code == 404
    old = await door.client.post(f"/ratings/{link(timedelta(seconds=-1))}", data={"score": "positive"})
    assert old.status_code == 410
    assert await door.since.messages() == []
