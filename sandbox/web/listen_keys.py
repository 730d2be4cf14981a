"""Listen keys: names under which a key's user stream can be opened."""

import secrets

from aviary.config.clock import Clock
from aviary.sandbox.instruments import Market
from aviary.sandbox.refusals import Refused

LIFETIME = 3_600.0
"""Seconds until a listen key that is not kept alive expires."""


class ListenKeys:
    """The valid listen keys; one for each key and market at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._names: dict[tuple[Market, str], str] = {}
        self._owners: dict[str, tuple[Market, str, float]] = {}

    def create(self, market: Market, key: str) -> str:
        """The listen key of a key, kept alive from now."""
        name = self._names.get((market, key))
        if name is None or self.owner(market, name) is None:
            name = self._names[market, key] = secrets.token_hex(32)
        self._owners[name] = (market, key, self._clock.now() + LIFETIME)
        return name

    def keep(self, market: Market, key: str, name: str | None) -> None:
        """Keep a listen key alive; refused if it does not exist."""
        name = name or self._names.get((market, key), "")
        if self.owner(market, name) != key:
            raise Refused(-1125, "This listenKey does not exist.")
        self._owners[name] = (market, key, self._clock.now() + LIFETIME)

    def close(self, market: Market, key: str) -> None:
        """Forget the listen key of a key."""
        self._owners.pop(self._names.pop((market, key), ""), None)

    def owner(self, market: Market, name: str) -> str | None:
        """The key to which a listen key belongs; None if it is not valid."""
        found = self._owners.get(name)
        if found is None or found[0] is not market or found[2] < self._clock.now():
            return None
        return found[1]
