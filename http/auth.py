"""Who may come in: HTTP Basic, compared in constant time, and no endless guessing."""

import binascii
import hmac
from base64 import b64decode
from collections import OrderedDict
from dataclasses import dataclass

from aviary.config.clock import Clock

FAILURES = 20
"""Failed logins that one address may have within `WINDOW`."""

WINDOW = 60.0
"""Seconds after which failed logins are forgotten."""

REMEMBERED = 10_000
"""Addresses whose failures are remembered."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and password, as sent."""

    username: str
    password: str


def from_header(header: str | None) -> Credentials | None:
    """The credentials of an `Authorization` header; `None` if it holds none."""
    scheme, _, token = (header or "").partition(" ")
    return from_token(token.strip()) if scheme.lower() == "basic" else None


def from_token(token: str | None) -> Credentials | None:
    """The credentials of a base64 token.

    Released clients don't encode its `+` for the address: it arrives as a space.
    """
    if not token:
        return None
    padded = token.replace(" ", "+")
    padded += "=" * (-len(padded) % 4)
    try:
        decoded = b64decode(padded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    username, colon, password = decoded.partition(":")
    return Credentials(username, password) if colon else None


class Doorkeeper:
    """Knows the one user, and counts failures by address."""

    def __init__(self, username: str, password: str, clock: Clock) -> None:
        self._username = username.encode()
        self._password = password.encode()
        self._clock = clock
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def admits(self, credentials: Credentials | None) -> bool:
        """Whether these are the right ones; takes as long for wrong ones."""
        sent = credentials or Credentials("", "")
        user = hmac.compare_digest(sent.username.encode(), self._username)
        password = hmac.compare_digest(sent.password.encode(), self._password)
        return bool(user & password) and credentials is not None

    def wait_for(self, remote: str) -> float:
        """Seconds that an address has to wait before its next try; 0 for most."""
        now = self._clock.monotonic()
        recent = [at for at in self._failures.get(remote, ()) if now - at < WINDOW]
        return 0.0 if len(recent) < FAILURES else WINDOW - (now - recent[0])

    def note_failure(self, remote: str) -> None:
        """Count a failed login."""
        now = self._clock.monotonic()
        times = self._failures.pop(remote, [])
        self._failures[remote] = [*(at for at in times if now - at < WINDOW), now][-FAILURES:]
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
