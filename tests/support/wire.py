"""A wire between a client and a server, which can fall silent or end as networks and servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Wire:
    """Carries connections to one port. `silence` and `say_bye` are about those that are open now."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._open: list[asyncio.StreamWriter] = []
        self._silent: set[asyncio.StreamWriter] = set()
        self.seen = bytearray()
        """What clients have sent, all connections together."""
        self.port = 0

    def silence(self) -> None:
        """Nothing comes through any more, and nobody is told."""
        self._silent |= set(self._open)

    def say_bye(self) -> None:
        """The server says that it goes (RFC 3501, 7.1.5), and goes."""
        for client in self._open:
            client.write(b"* BYE shutting down\r\n")
            client.close()

    async def carry(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            from_server, server = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            client.close()
            return
        self._open.append(client)
        answers = asyncio.create_task(self._answers(from_server, client))
        try:
            while data := await reader.read(1 << 16):
                self.seen += data
                if client not in self._silent:
                    server.write(data)
                    await server.drain()
        except OSError:
            pass  # the client went away
        finally:
            self._open.remove(client)
            answers.cancel()
            server.close()
            client.close()

    async def _answers(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while data := await server.read(1 << 16):
            if client not in self._silent:
                client.write(data)
        client.close()


@asynccontextmanager
async def wire_to(port: int) -> AsyncIterator[Wire]:
    """A wire to the server at this port of the machine."""
    wire = Wire(port)
    listening = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    wire.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield wire
        listening.close()
