"""Requests as they are written, with nothing tidied up on the way."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import orjson
from document import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whole_server import Server

TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return orjson.loads(self.text)


def basic(username: str, password: str) -> str:
    """The header that names a user."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


WELCOME = basic("admin", "testpass")


@cache
def document_of(server: Server) -> Document:
    """What a server says of itself."""
    return Document(server.call("GET", "/openapi.json"))


class Caller:
    """Sends requests to one server over one connection. Every answer has to be one that the server's document tells."""

    def __init__(self, server: Server) -> None:
        self._host = urlsplit(server.client.url).netloc
        self._connection = HTTPConnection(self._host, timeout=TIMEOUT)
        self._document = document_of(server)

    def send(
        self,
        method: str,
        target: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        credentials: str | None = WELCOME,
    ) -> Answer:
        """Send bytes to a target that is not encoded any further."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if credentials is not None:
            sent["Authorization"] = credentials
        connection = self._connection
        # A refused body ends the connection, while some of it may still be on its way.
        try:
            connection.request(method, target, content, sent)
        except (BrokenPipeError, ConnectionResetError):
            if connection.sock is None:
                raise
        response = connection.getresponse()
        text = response.read().decode()
        answer = Answer(response.status, dict(response.headers.items()), text)
        if response.will_close:
            connection.close()
        if method != "HEAD":
            untold = self._document.mismatches(method, target, answer)
            assert untold == []
        return answer

    def call(
        self, method: str, path: str, body: object = None, query: Mapping[str, object] | None = None
    ) -> Answer:
        """Send JSON, and a query."""
        target = f"{path}?{urlencode(query, doseq=True)}" if query else path
        return self.send(method, target, None if body is None else orjson.dumps(body))

    def close(self) -> None:
        self._connection.close()
