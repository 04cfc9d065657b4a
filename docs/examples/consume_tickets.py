"""Follows the ticket topic: `python consume_tickets.py BOOTSTRAP_SERVERS` prints every change once."""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer


async def main(bootstrap: str) -> None:
    consumer = AIOKafkaConsumer(
        "frontdesk.ticket.v1",
        bootstrap_servers=bootstrap,
        group_id="my-service",
        auto_offset_reset="earliest",
    )
    newest: dict[
        str, int
    ] = {}  # keep this in your own database, in the transaction of what you do with the event
    await consumer.start()
    try:
        async for record in consumer:
            event = json.loads(record.value)
            if event["version"] <= newest.get(event["ticket_id"], 0):
                continue  # delivered before
            newest[event["ticket_id"]] = event["version"]
            ticket = event["ticket"]
            print(
                ticket["number"],
                event["change"],
                ticket["department"],
                ticket.get("agent", "(queue)"),
                flush=True,
            )
    finally:
        await consumer.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
