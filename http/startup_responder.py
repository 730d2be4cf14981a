"""Answers from the moment the port is open, while the front end is still being imported.

The front end and all messages take longer to import than a first answer may. Until they are there, whoever
asks is told that the server lives and is starting, and to come again; nothing here needs a library.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

VERSION = "0.1.0"
"""Of this server; the released one tells its own at `/`."""

ABOUT = {"name": "Aviary", "version": VERSION, "status": "running"}
"""What `/` answers."""

ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "/": ("200 OK", ABOUT),
    "/health/live": ("200 OK", {"status": "alive"}),
    "/health/ready": ("503 Service Unavailable", {"status": "starting", "branches": [], "troubled": []}),
}
"""As the front end answers them when no branch has been started."""

ELSE = ("503 Service Unavailable", {"detail": "The server is still starting"})

REQUEST_TIMEOUT = 2.0
"""Seconds in which a request's head has to arrive, and its answer to leave."""


class StartupResponder:
    """Listens on an address and gives its listening sockets away when the front end is there."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._sockets: tuple[socket.socket, ...] = ()

    async def open(self, host: str, port: int) -> tuple[socket.socket, ...]:
        """Begin to answer; the sockets, which stay open after `close`. Raises `OSError`."""
        self._server = await asyncio.start_server(self._serve, host, port)
        self._sockets = tuple(each.dup() for each in self._server.sockets)
        return self._sockets

    def close(self) -> None:
        """Accept no more. Connections that wait in the sockets' queues are for whoever takes them over."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever sends nonsense, too much or too slowly is hung up on.
        unreadable = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        with contextlib.suppress(*unreadable), contextlib.closing(writer):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(answer(head))
                await writer.drain()


def answer(head: bytes) -> bytes:
    """The whole response to a request of which the head has been read."""
    method, _, rest = head.decode("latin-1").partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    status, told = ANSWERS.get(path, ELSE) if method in {"GET", "HEAD"} else ELSE
    body = json.dumps(told, separators=(",", ":")).encode()
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Server: Aviary",
        "Connection: close",
        *(["Retry-After: 1"] if status.startswith("503") else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if method == "HEAD" else body)
