"""How feeds are asked for."""

from collections.abc import Mapping

from aviary.actors.core.address import Address
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.system import System
from aviary.actors.markets.feed import PATIENCE, Feed, Patience
from aviary.actors.messages.feeds import FEEDS, FeedKey, FeedKind
from aviary.supervisors.backoff import FEED
from aviary.supervisors.branches.asking import have, have_no_more
from aviary.supervisors.spec import ChildSpec

TIMEOUT = 10.0
"""Seconds that starting or stopping a feed may take."""

SETTINGS = CellSettings(mailbox=2_000, handler_limit=30.0)
"""Trades wait one by one; two thousand of them are a burst that no client would follow."""


class SupervisedFeeds:
    """Starts and stops the children of the feeds' supervisor."""

    def __init__(self, system: System, host: Address, patience: Mapping[FeedKind, Patience] = PATIENCE) -> None:
        self._system = system
        self._host = host
        self._patience = patience

    async def start(self, key: FeedKey, *, resumed: bool) -> None:
        """Start a feed; nothing happens if it runs."""
        spec = ChildSpec(
            key.name,
            lambda: Feed(key, self._host, patience=self._patience[key.kind], resumed=resumed),
            restart="transient",
            backoff=FEED,
            settings=SETTINGS,
        )
        await have(self._system, FEEDS, spec, TIMEOUT)

    async def stop(self, key: FeedKey) -> bool:
        """Stop a feed; whether it ran."""
        return await have_no_more(self._system, FEEDS, key.name, TIMEOUT)
