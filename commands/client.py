"""How the other verbs talk to the running server: over its own REST interface, with its own password."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import orjson
from aviary.config.layout import Layout, url_of
from aviary.config.settings import Settings, read_settings

TIMEOUT = 40.0
"""Seconds a request may take."""


class NotRunning(Exception):
    """No server answers."""


class Refused(Exception):
    """The server said no."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body.get('detail', body) if isinstance(body, dict) else body}")
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Client:
    """A blocking client of one server."""

    url: str
    username: str
    password: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request; answers the decoded JSON. Raises `NotRunning` and `Refused`."""
        credentials = b64encode(f"{self.username}:{self.password}".encode()).decode()
        request = Request(  # noqa: S310 - the address is our own server's
            self.url + path,
            method=method,
            data=None if body is None else orjson.dumps(body),
            headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
                return orjson.loads(answer.read())
        except HTTPError as error:
            text = error.read()
            try:
                decoded = orjson.loads(text)
            except orjson.JSONDecodeError:
                decoded = text.decode(errors="replace")
            raise Refused(error.code, decoded) from None
        except (URLError, ConnectionError, TimeoutError) as error:
            raise NotRunning(f"no server answers at {self.url}: {error}") from None


def running_server(env_file: Path = Path(".env")) -> tuple[Client, int]:
    """A client of the server that runs on the configured folder, and its pid. Raises `NotRunning`."""
    settings = read_settings(os.environ, env_file)
    return client_of(settings)


def client_of(settings: Settings) -> tuple[Client, int]:
    """A client of the server that runs with these settings, and its pid. Raises `NotRunning`."""
    record = Layout(settings.home).server_record
    try:
        noted = orjson.loads(record.read_bytes())
    except FileNotFoundError:
        raise NotRunning(f"no server runs on {settings.home}") from None
    # One that listens everywhere is reached on this machine.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(noted["host"], noted["host"])  # noqa: S104 - compared only
    client = Client(url_of(host, noted["port"]), settings.username, settings.password.get_secret_value())
    return client, int(noted["pid"])
