"""What is posted to the gateway: forms, and WhatsApp's calls as Meta signs them. Made beforehand, each once."""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Iterator
from itertools import count, cycle

import msgspec

from tests.bench.forms import ACCOUNT, People

_FORMS = 2_000
_PEOPLE = 3_000


def forms() -> Iterator[bytes]:
    """Bodies are used again under new keys: making them is not what is measured."""
    for number, form in enumerate(cycle(People(f"door{os.getpid()}").newcomers(_FORMS))):
        head = f"Idempotency-Key: {os.getpid()}-{number}\r\nContent-Type: application/json\r\n"
        yield _call(f"/forms/{ACCOUNT}/submissions", head, form.body)


def webhooks(account: str, secret: str) -> Iterator[bytes]:
    """One text message each, of a few thousand people."""
    for number in count():
        body = msgspec.json.encode(_message(number))
        signature = hmac.digest(secret.encode(), body, "sha256").hex()
        head = f"X-Hub-Signature-256: sha256={signature}\r\nContent-Type: application/json\r\n"
        yield _call(f"/webhooks/whatsapp/{account}", head, body)


def _call(path: str, head: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def _message(number: int) -> object:
    person = f"48600{number % _PEOPLE:06}"
    message = {
        "from": person,
        "id": f"wamid.{os.getpid()}.{number}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": "Hello, where is my order A-18? It was to come on Monday, and nothing came."},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": f"Person {person}"}, "wa_id": person}],
        "messages": [message],
    }
    change = {"field": "messages", "value": value}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "102290129340398", "changes": [change]}],
    }
