"""What a bot has on the simulated exchange, by the exchange's own books."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from bot_world import World

OPENER = Path(__file__).with_name("opener.py")


def opener(**config: Any) -> dict[str, Any]:
    """A configuration of the controller beside this file."""
    return {
        "id": f"{config['kind']}-{config['trading_pair'].split('-')[0].lower()}",
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
    """One key's trades in one pair of one market."""

    def __init__(self, world: World, key: str, connector: str, pair: str) -> None:
        self.world = world
        self.key = key
        self.market = "perpetual" if connector.endswith("perpetual") else "spot"
        self.symbol = pair.replace("-", "")

    def fills(self) -> list[dict[str, Any]]:
        """All trades, oldest first."""
        rows = self.world.run(self.world.sandbox.fills(self.key, market=self.market))
        return [row for row in rows if row["symbol"] == self.symbol]

    def held(self) -> Decimal:
        """Base units bought more than sold."""
        return sum(
            (Decimal(row["amount"]) * (1 if row["side"] == "BUY" else -1) for row in self.fills()), Decimal(0)
        )

    def price(self) -> Decimal:
        """The price of the last trade; 0 before the first."""
        fills = self.fills()
        return Decimal(fills[-1]["price"]) if fills else Decimal(0)

    def largest_order(self) -> Decimal:
        """Quote units of the largest order."""
        orders = self.world.run(self.world.sandbox.orders(self.key, market=self.market))
        amounts = [Decimal(row["amount"]) for row in orders if row["symbol"] == self.symbol]
        return max(amounts, default=Decimal(0)) * self.price()

    def dust(self) -> Decimal:
        """Quote units that may stay: what the exchange would not take as an order."""
        return Decimal(100) if self.market == "perpetual" else Decimal(10)

    def wait_until_still(self, seconds: float = 3.0, patience: float = 30.0) -> Decimal:
        """Wait until nothing has traded for a while; what is held then."""
        clock = self.world.system.clock
        began = since = clock.monotonic()
        held = self.held()
        while clock.monotonic() - since < seconds and clock.monotonic() - began < patience:
            self.world.pause(0.2)
            now = self.held()
            if now != held or now == 0:
                held, since = now, clock.monotonic()
        return held
