"""What a killed bot had bought is its next life's own: neither forgotten nor bought a second time."""

import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sample_strategies import CONTROLLER as QUOTES
from whole_server import Server

CONTROLLER = {
    **QUOTES,
    # So far from the market that nothing is filled unless the market is pushed.
    "buy_spreads": [0.03],
    "sell_spreads": [0.03],
    "take_profit": 0.1,
    "stop_loss": 0.2,
    "time_limit": 3600,
    "executor_refresh_time": 3600,
    "leverage": 5,
    "position_mode": "ONEWAY",
}


class Trader:
    """A bot of one connector, and its books on the exchange."""

    def __init__(self, server: Server, connector: str) -> None:
        self.server = server
        self.connector = connector
        self.market = "perpetual" if connector.endswith("perpetual") else "spot"
        self.key = f"sandbox-exposure-{self.market}"
        self.name = ""

    def deploy(self) -> None:
        config = f"pmm_{self.market}"
        self.server.add_key(self.key, connector=self.connector)
        self.server.call(
            "POST",
            f"/controllers/configs/{config}",
            {**CONTROLLER, "id": config, "connector_name": self.connector},
        )
        deployed = self.server.call(
            "POST",
            "/bot-orchestration/deploy-v2-controllers",
            {
                "instance_name": f"exposure-{self.market}",
                "credentials_profile": "master_account",
                "controllers_config": [f"{config}.yml"],
            },
        )
        self.name = deployed["unique_instance_name"]

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.server.call("GET", f"/bot-orchestration/bots/{self.name}/status")["data"]
        return status

    def sides(self) -> list[str]:
        """The sides of the open orders."""
        return sorted(order["side"] for order in self.server.open_orders(self.key) if self._is_here(order))

    def held(self) -> Decimal:
        """Base units that the key holds: a position, or a balance."""
        if self.market == "perpetual":
            rows = self.server.exchange(f"/_sandbox/positions?key={self.key}")
            return sum((Decimal(row["amount"]) for row in rows), Decimal(0))
        balances = self.server.exchange(f"/_sandbox/balances?key={self.key}")["spot"]["BTC"]
        return Decimal(balances["free"]) + Decimal(balances["locked"])

    def kill(self) -> None:
        """End the bot's process, and wait for the next life to trade."""
        before = self.status()["pid"]
        os.kill(before, signal.SIGKILL)
        self.server.until("another process runs", lambda: self.status()["pid"] not in {None, 0, before})
        self.server.until("it trades", lambda: self.status()["state"] == "running" and len(self.sides()) > 1)

    def fill_the_bid(self) -> None:
        """Let the market fall below the bot's bid, until its exit rests on the exchange instead."""
        self.server.faults("price_shock", 60, market=self.market, percent=-4)
        self.server.until("its exit rests on the exchange", lambda: self.sides() == ["SELL", "SELL"])
        self.server.exchange_call("DELETE", "/_sandbox/faults")

    def _is_here(self, order: dict[str, Any]) -> bool:
        return bool(order["market"] == self.market)


@pytest.fixture(scope="module", params=["sandbox", "sandbox_perpetual"])
def trader(server: Server, request: pytest.FixtureRequest) -> Iterator[Trader]:
    trader = Trader(server, request.param)
    trader.deploy()
    server.until("it quotes both sides", lambda: trader.sides() == ["BUY", "SELL"])
    return trader


def test_what_dead_lives_bought_is_taken_over_with_its_exit(trader: Trader) -> None:
    flat = trader.held()

    trader.fill_the_bid()
    bought = trader.held()
    assert bought > flat

    for _ in range(2):
        trader.kill()

        assert (trader.held(), trader.sides()) == (bought, ["SELL", "SELL"])
