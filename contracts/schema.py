"""The published JSON Schemas, made from the structs. `python -m contracts.schema` writes them to `contracts/schemas`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from contracts.topics import CUSTOMER, DEAD_LETTERS, INBOUND, NOTIFICATION, OUTBOUND, RESOLVED, TICKET
from contracts.workspace import Workspace

FOLDER = Path(__file__).parent / "schemas"

PUBLISHED: dict[str, type[msgspec.Struct]] = {
    **{topic.name: topic.payload for topic in (INBOUND, RESOLVED, TICKET, CUSTOMER, OUTBOUND, NOTIFICATION)},
    # One payload for the dead letters of every stage.
    "frontdesk.dlq.v1": DEAD_LETTERS["ingest"].payload,
    "workspace": Workspace,
}
"""Name of the schema -> what it describes. The overflow lane has the schema of inbound."""


def schema(name: str) -> dict[str, Any]:
    """JSON Schema 2020-12 of one published type."""
    made: dict[str, Any] = msgspec.json.schema(PUBLISHED[name])
    if "inbound" in (fields := _fields(made, "ResolvedMessage")):
        # Carried as bytes, so its type says nothing: it is an inbound message.
        fields["inbound"] = {"type": "object", "description": f"As in {INBOUND.name}."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **made}


def _fields(made: dict[str, Any], struct: str) -> dict[str, Any]:
    found: dict[str, Any] = made["$defs"].get(struct, {}).get("properties", {})
    return found


def text(name: str) -> str:
    """As it stands in the file: indented, keys in order, so that changes read well."""
    return msgspec.json.format(msgspec.json.encode(schema(name), order="sorted"), indent=2).decode() + "\n"


def write(folder: Path = FOLDER) -> None:
    """All schemas, one file each."""
    folder.mkdir(exist_ok=True)
    for name in PUBLISHED:
        (folder / f"{name}.schema.json").write_text(text(name), encoding="utf-8")


if __name__ == "__main__":
    write()
