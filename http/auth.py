"""Who may come in: HTTP Basic, compared in constant time, and no endless guessing."""

import binascii
import hmac
import logging
import secrets
from base64 import b64decode
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from aviary.config.clock import Clock

GUESSES = 20
"""Different wrong logins that one address may try within `WINDOW`. A client that repeats an outdated
password does not guess, and locks nobody out."""

GUESSES_IN_ALL = 100
"""Different wrong logins that all addresses together may try within `WINDOW`."""

PACE = 1.0
"""Seconds between two logins that are compared once that is exceeded."""

WINDOW = 60.0
"""Seconds after which a wrong login is forgotten."""

REMEMBERED = 10_000
"""Addresses, and users of addresses, that are remembered."""

MAX_NAME = 100
"""Characters of a user's name that are logged."""

log = logging.getLogger("aviary.http")


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
    """Knows the one user, and slows down who guesses.

    From an address that has guessed too often nothing is compared for a while, then, but for one login a second, from
    no address if all of them together have. Where the right login has come from it is always taken: nobody who
    shares an address with its holder can lock him out. The price is that there a right guess counts at any pace.
    """

    def __init__(self, username: str, password: str, clock: Clock) -> None:
        self._username = username.encode()
        self._password = password.encode()
        self._clock = clock
        self._salt = secrets.token_bytes(16)
        self._wrong: OrderedDict[str, dict[bytes, float]] = OrderedDict()
        self._guesses: deque[float] = deque(maxlen=GUESSES_IN_ALL)
        """When the newest different wrong logins came, from whatever address."""
        self._compared_at = -PACE
        self._holders: OrderedDict[str, None] = OrderedDict()
        self._failures: OrderedDict[tuple[str, str], int] = OrderedDict()
        """Wrong logins by user and address."""

    def admits(self, credentials: Credentials | None) -> bool:
        """Whether these are the right ones; takes as long for a wrong user as for a wrong password."""
        sent = credentials or Credentials("", "")
        # An empty password, which is what an unset one would be, opens nothing.
        username, password = _bytes_of(sent.username), _bytes_of(sent.password)
        right = hmac.compare_digest(username, self._username) & hmac.compare_digest(password, self._password)
        return bool(right) and credentials is not None and bool(self._password)

    def lets_in(self, remote: str, credentials: Credentials | None) -> bool:
        """Whether these are the right ones, from an address that may still try; a wrong try is counted and logged."""
        held = remote in self._holders
        if not held and self.wait_for(remote) > 0:
            return False
        if not held:
            self._compared_at = self._clock.monotonic()
        right = self.admits(credentials)
        if not right:
            self._note_failure(remote, credentials)
        elif not held:
            _remember(self._holders, remote, None)
        return right

    def wait_for(self, remote: str) -> float:
        """Seconds until a login from an address that holds none would be compared; 0 for most."""
        now = self._clock.monotonic()
        wrong = self._wrong.get(remote)
        if wrong is not None and len(wrong) >= GUESSES:
            wait = WINDOW - (now - min(wrong.values()))
            if wait > 0:
                return wait
        if len(self._guesses) == GUESSES_IN_ALL and now - self._guesses[0] < WINDOW:
            return max(0.0, self._compared_at + PACE - now)
        return 0.0

    def _note_failure(self, remote: str, credentials: Credentials | None) -> None:
        """Count a wrong login. Of what was sent only the name and a salted digest are kept."""
        now = self._clock.monotonic()
        wrong = {key: at for key, at in self._wrong.pop(remote, {}).items() if now - at < WINDOW}
        sent = credentials or Credentials("", "")
        text = _bytes_of(sent.username) + b"\0" + _bytes_of(sent.password)
        guess = blake2b(text, key=self._salt, digest_size=16).digest()
        if guess not in wrong:
            wrong[guess] = now
            self._guesses.append(now)
        while len(wrong) > GUESSES:
            del wrong[next(iter(wrong))]
        _remember(self._wrong, remote, wrong)
        who = (sent.username[:MAX_NAME], remote)
        count = self._failures.pop(who, 0) + 1
        _remember(self._failures, who, count)
        if count & (count - 1) == 0:
            # A client that goes on with an outdated password is told of ever less often.
            log.warning("wrong login of %r from %s, %d times so far", who[0], remote, count)


def _remember[K, V](known: OrderedDict[K, V], key: K, value: V) -> None:
    """Keep the newest."""
    known[key] = value
    known.move_to_end(key)
    while len(known) > REMEMBERED:
        known.popitem(last=False)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")
