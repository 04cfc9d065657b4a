"""Follows the ticket topic: `python consume_tickets.py BOOTSTRAP_SERVERS` prints every change once."""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer


async def main(bootstrap: str) -> None:
    newest: dict[str, int] = {}  # in a service: a table, written together with what you do about the event
    consumer = AIOKafkaConsumer(
        "frontdesk.ticket.v1",
        bootstrap_servers=bootstrap,
        group_id="my-service",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        async for record in consumer:
            event = json.loads(record.value)
            if event["version"] <= newest.get(event["ticket_id"], 0):
                continue  # seen before: delivery is at least once
            newest[event["ticket_id"]] = event["version"]
            ticket = event["ticket"]
            owner = ticket.get("agent", "(queue)")
            print(ticket["number"], event["change"], ticket["department"], owner, flush=True)
    finally:
        await consumer.stop()


asyncio.run(main(sys.argv[1]))
