"""What an exchange last said that a credential holds: told while it is out of reach, and kept through restarts."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, Unavailable
from aviary.actors.keeping.records import Records
from aviary.actors.messages.connectors import Balance
from aviary.actors.messages.trading import PositionView

if TYPE_CHECKING:
    from pathlib import Path

    from aviary.actors.core.actor import AsyncActor

KEEP_INTERVAL = 5.0
"""Seconds between two looks at whether there is something new to keep."""

KEPT_FOR = 60.0
"""Seconds after which it is kept again, with its new time, although nothing changed."""

type Balances = dict[str, Balance]
type Positions = tuple[PositionView, ...]


class LastHoldings:
    """The last news of one credential; `key_file` has its keys, which other news belong to than those of others."""

    def __init__(self, actor: AsyncActor, account: str, connector: str, key_file: Path) -> None:
        self._actor = actor
        self._records = Records(actor)
        self._subject = f"holdings/{account}/{connector}"
        self._key_file = key_file
        self._keys = ""
        self.balances: Balances | None = None
        """What was heard in this life of the connector's actor."""
        self._positions: Positions | None = None
        self._earlier: tuple[Balances | None, Positions | None] = None, None
        """What an earlier life had heard."""
        self._told_at: float | None = None
        self._news = False

    async def take_keys(self) -> None:
        """From now on, news are of the keys in the file. Those of other keys are forgotten."""
        keys = await asyncio.to_thread(_fingerprint, self._key_file)
        if keys != self._keys:
            self.balances = self._positions = self._told_at = None
            self._earlier = None, None
        self._keys = keys

    def hear(self, *, balances: Balances | None = None, positions: Positions | None = None) -> None:
        """Take news."""
        self.balances = self.balances if balances is None else balances
        self._positions = self._positions if positions is None else positions
        self._news = True
        self.touch()

    def touch(self) -> None:
        """The exchange is in reach: what it said last still holds."""
        self._told_at = self._actor.clock.monotonic()

    async def stale_balances(self) -> Balances | None:
        """The last balances, called stale; `None` if there never were any."""
        await self._recall()
        known = self._earlier[0] if self.balances is None else self.balances
        if known is None:
            return None
        return {name: one.model_copy(update={"stale": True, "age": self._age()}) for name, one in known.items()}

    async def stale_positions(self) -> Positions | None:
        """The last positions, called stale; `None` if they never were known."""
        await self._recall()
        known = self._earlier[1] if self._positions is None else self._positions
        if known is None:
            return None
        return tuple(one.model_copy(update={"stale": True, "age": self._age()}) for one in known)

    def _age(self) -> float:
        told_at = self._told_at
        return 0.0 if told_at is None else round(max(0.0, self._actor.clock.monotonic() - told_at), 3)

    async def _recall(self) -> None:
        if self._told_at is not None:
            return
        await self.take_keys()
        known = await self._records.read(lambda r: r.last_known.of(self._subject))
        if known is None or known.facts["keys"] != self._keys or self._told_at is not None:
            return
        balances, positions = known.facts["balances"], known.facts["positions"]
        self._earlier = (
            None if balances is None else {name: Balance(**row) for name, row in balances.items()},
            None if positions is None else tuple(PositionView(**row) for row in positions),
        )
        age = max(0.0, self._actor.clock.now() - known.known_at)
        self._told_at = self._actor.clock.monotonic() - age

    async def keep(self) -> None:
        """Write news down now and then, until cancelled."""
        kept_at = float("-inf")
        while True:
            await asyncio.sleep(KEEP_INTERVAL)
            told_at = self._told_at
            if self.balances is None or told_at is None or not (self._news or told_at - kept_at > KEPT_FOR):
                continue
            self._news, kept_at = False, told_at
            try:
                await self._write_down()
            except (Unavailable, ActorCrashed):
                # The next look tries again.
                self._news = True

    async def _write_down(self) -> None:
        facts, at = self._facts(), self._actor.clock.now() - self._age()
        await self._records.write(lambda r: r.last_known.keep(self._subject, facts, at=at))

    def _facts(self) -> dict[str, Any]:
        balances, positions = self.balances, self._positions
        return {
            "keys": self._keys,
            "balances": balances and {name: one.model_dump(mode="json") for name, one in balances.items()},
            "positions": None if positions is None else [one.model_dump(mode="json") for one in positions],
        }


def _fingerprint(key_file: Path) -> str:
    return hashlib.sha256(key_file.read_bytes()).hexdigest() if key_file.is_file() else ""
