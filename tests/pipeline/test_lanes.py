"""Who sends too much takes the overflow lane, and stays there until it is empty: nobody waits for them, and nothing of theirs
overtakes anything."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import httpx
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.topics import OVERFLOW, RESOLVED
from runtime.kafka import end_offsets, read_range
from tests.support.chain import Chain
from tests.support.door import Door, running
from tests.support.shop import configure, settings
from tests.support.system import Broker, Dsns

FORM = "/forms/contact/submissions"
BURST = 5


async def send(door: Door, email: str, *texts: str) -> None:
    """One after the other, each accepted before the next is sent."""
    for text in texts:
        answer = await door.client.post(FORM, json={"email": email, "message": text})
        assert answer.status_code == 202


async def lanes(door: Door) -> tuple[list[str | None], list[str | None]]:
    """What came by the usual lane, and by the overflow."""
    usual, diverted = await door.since.messages(), await door.since.diverted()
    return [m.text for m in usual], [m.text for m in diverted]


async def done(bootstrap: str) -> None:
    """As if identity had done everything on the overflow lane."""
    ends = await end_offsets(bootstrap, (OVERFLOW,))
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id="identity", enable_auto_commit=False)
    await reader.start()
    reader.assign([TopicPartition(*at) for at in ends])
    await reader.commit({TopicPartition(*at): end for at, end in ends.items()})
    await reader.stop()


async def resolved(chain: Chain) -> list[str]:
    """The texts that identity has handed on, in its order for each customer."""
    found: list[str] = []
    for (topic, partition), end in (await end_offsets(chain.settings.kafka, (RESOLVED,))).items():
        async for record in read_range(chain.settings.kafka, topic, partition, 0, end):
            message = msgspec.json.decode(record.value or b"", type=ResolvedMessage)
            found.append(str(msgspec.json.decode(message.inbound, type=InboundMessage).text))
    return found


async def test_who_is_diverted_stays_so_until_the_last_is_done(
    broker: Broker, database: Dsns, tmp_path: Path
) -> None:
    await configure(database)
    hot, other = (f"{name}-{uuid.uuid4()}@example.com" for name in ("hot", "other"))
    usual = settings(broker, database, tmp_path, sender_burst=BURST, sender_per_second=0.0)
    async with running(usual) as door:
        await send(door, hot, *(f"first {n}" for n in range(BURST + 2)))
        await send(door, other, "meanwhile")
        usual_lane, overflow = await lanes(door)
        assert sorted(map(str, usual_lane)) == [*(f"first {n}" for n in range(BURST)), "meanwhile"]
        assert overflow == [f"first {n}" for n in range(BURST, BURST + 2)]
    # A door that has just started has counted nothing, and knows all the same; another one beside it too.
    async with running(usual) as again, running(usual) as beside:
        await send(again, hot, "again")
        await send(beside, hot, "beside")
        assert await lanes(beside) == ([], ["again", "beside"])
        # What comes before the door has looked is diverted too, and has to be done as well: each time it gets longer to look.
        pause = 0.5
        async with asyncio.timeout(60):
            while "back" not in (await lanes(again))[0]:
                await done(broker.bootstrap)
                await asyncio.sleep(pause := 2 * pause)
                await send(again, hot, "back")


def test_a_flood_keeps_its_order_and_the_others_go_before_it(tmp_path: Path) -> None:
    processes = ("gateway", "identity", "router", "relay")
    flood = [f"flood {n}" for n in range(150)]
    with Chain(tmp_path, processes, sender_burst=BURST, sender_per_second=0.0) as chain:
        with httpx.Client(base_url=chain.gateway, trust_env=False, timeout=30) as client:
            for n, text in enumerate(flood):
                sent = {"email": "hot@example.com", "message": text}
                assert client.post(FORM, json=sent).status_code == 202
                if not n % 10:
                    person = {"email": f"person{n}@example.com", "message": "Hello"}
                    assert client.post(FORM, json=person).status_code == 202
        assert chain.settle()["residual"] == 0
        diverted = asyncio.run(end_offsets(chain.settings.kafka, (OVERFLOW,)))
        assert sum(diverted.values()) == len(flood) - BURST
        handed_on = [text for text in asyncio.run(resolved(chain)) if text.startswith("flood")]
    assert handed_on == flood
