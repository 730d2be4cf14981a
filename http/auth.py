"""Who may come in: HTTP Basic, compared in constant time, and no endless guessing."""

import binascii
import hmac
import secrets
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from aviary.config.clock import Clock

GUESSES = 20
"""Different wrong logins that one address may try within `WINDOW`. A client that repeats an outdated
password does not guess, and locks nobody out."""

WINDOW = 60.0
"""Seconds after which a wrong login is forgotten."""

REMEMBERED = 10_000
"""Addresses whose wrong logins are remembered."""


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


def of_websocket(headers: Mapping[str, str], query: Mapping[str, str]) -> Credentials | None:
    """The credentials of a websocket's request: the header's, else `?token=`, else `?username=&password=`."""
    header = headers.get("Authorization")
    if header is not None:
        return from_header(header)
    token = query.get("token")
    if token is not None:
        return from_token(token)
    username, password = query.get("username"), query.get("password")
    return None if username is None or password is None else Credentials(username, password)


class BasicAuth:
    """Knows the one user, and counts the wrong logins of each address."""

    def __init__(self, username: str, password: str, clock: Clock) -> None:
        self._username = username.encode()
        self._password = password.encode()
        self._clock = clock
        self._salt = secrets.token_bytes(16)
        self._wrong: OrderedDict[str, dict[bytes, float]] = OrderedDict()

    def admits(self, credentials: Credentials | None) -> bool:
        """Whether these are the right ones; takes as long for a wrong user as for a wrong password."""
        sent = credentials or Credentials("", "")
        # An empty password, which is what an unset one would be, opens nothing.
        username, password = _bytes_of(sent.username), _bytes_of(sent.password)
        right = hmac.compare_digest(username, self._username) & hmac.compare_digest(password, self._password)
        return bool(right) and credentials is not None and bool(self._password)

    def lets_in(self, remote: str, credentials: Credentials | None) -> bool:
        """Whether these are the right ones, from an address that may still try; a wrong try is counted."""
        if self.wait_for(remote) > 0:
            return False
        right = self.admits(credentials)
        if not right:
            self.note_failure(remote, credentials)
        return right

    def wait_for(self, remote: str) -> float:
        """Seconds that an address has to wait before its next try; 0 for most."""
        wrong = self._wrong.get(remote)
        if wrong is None or len(wrong) < GUESSES:
            return 0.0
        return max(0.0, WINDOW - (self._clock.monotonic() - min(wrong.values())))

    def note_failure(self, remote: str, credentials: Credentials | None) -> None:
        """Count a wrong login. Of what was sent only a salted digest is kept."""
        now = self._clock.monotonic()
        wrong = {key: at for key, at in self._wrong.pop(remote, {}).items() if now - at < WINDOW}
        sent = credentials or Credentials("", "")
        text = _bytes_of(sent.username) + b"\0" + _bytes_of(sent.password)
        wrong.setdefault(blake2b(text, key=self._salt, digest_size=16).digest(), now)
        while len(wrong) > GUESSES:
            del wrong[next(iter(wrong))]
        self._wrong[remote] = wrong
        while len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")
