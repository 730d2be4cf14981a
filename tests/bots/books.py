"""What a bot has on the simulated exchange, by the exchange's own books."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from bot_world import World

OPENER = Path(__file__).with_name("opener.py")

LET_GO = Decimal(130)
"""Quote units that may be left of a controller: twice the largest amount that the exchange takes no order for."""


def opener(**config: Any) -> dict[str, Any]:
    """A configuration of the controller beside this file, named after what it does."""
    names = (config["kind"], config["trading_pair"].split("-")[0], config["connector_name"].partition("_")[2])
    return {
        "id": "-".join(name.lower() for name in names if name),
        "controller_name": "opener",
        "controller_type": "generic",
        **config,
    }


def install(world: World) -> None:
    """Upload the controller."""
    folder = world.bots / "controllers" / "generic"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").touch()
    (folder / "opener.py").write_text(OPENER.read_text())


class Books:
    """One key's trades in one pair of one market; in HEDGE mode of one side of it."""

    def __init__(self, world: World, key: str, connector: str, pair: str, side: str | None = None) -> None:
        self.world = world
        self.key = key
        self.market = "perpetual" if connector.endswith("perpetual") else "spot"
        self.pair = pair
        self.base = pair.split("-", maxsplit=1)[0]
        self.side = side

    def fills(self) -> list[dict[str, Any]]:
        """All trades, oldest first."""
        rows = self.world.run(self.world.sandbox.fills(self.key, market=self.market))
        return [
            row
            for row in rows
            if row["symbol"] == self.pair.replace("-", "") and self.side in {None, row["position_side"]}
        ]

    def held(self) -> Decimal:
        """Base units bought more than sold, but for fees."""
        held = Decimal(0)
        for row in self.fills():
            held += Decimal(row["amount"]) * (1 if row["side"] == "BUY" else -1)
            if row["fee_asset"] == self.base:
                held -= Decimal(row["fee"])
        return held

    def price(self) -> Decimal:
        """The price of the last trade; 0 before the first."""
        fills = self.fills()
        return Decimal(fills[-1]["price"]) if fills else Decimal(0)

    def value(self) -> Decimal:
        """Quote units held, whichever way."""
        return abs(self.held()) * self.price()

    def wait_until_still(self, seconds: float = 3.0, patience: float = 30.0) -> Decimal:
        """Wait until something is held and nothing has traded for a while; what is held then."""
        clock = self.world.system.clock
        began = since = clock.monotonic()
        held = self.held()
        while clock.monotonic() - since < seconds and clock.monotonic() - began < patience:
            self.world.pause(0.2)
            now = self.held()
            if now != held or now == 0:
                held, since = now, clock.monotonic()
        return held
