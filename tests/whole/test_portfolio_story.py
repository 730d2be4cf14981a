"""A deposit, a trade and a kill -9, as the history and the performance of a portfolio tell them."""

from collections.abc import Iterator
from typing import Any

import pytest
from whole_server import Server

KEY = "sandbox-story"

DOLLARS = {"global_token_name": "USDT", "global_token_symbol": "US$"}


@pytest.fixture
def eager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes a snapshot every six seconds."""
    server = Server(tmp_path_factory.mktemp("story"), ACCOUNT_UPDATE_INTERVAL="0.1")
    server.start()
    server.until("every branch runs", server.ready)
    yield server
    server.end()


def told(server: Server) -> dict[str, Any]:
    total: dict[str, Any] | None = server.call("GET", "/portfolio/performance")["total"]
    return total or {}


def newest(server: Server) -> dict[str, Any]:
    page = server.call("POST", "/portfolio/history", {"limit": 1})["data"]
    return page[0] if page else {}


@pytest.mark.timeout(240)
def test_deposits_are_no_profit_and_a_restart_forgets_nothing(eager: Server) -> None:
    eager.add_key(KEY)
    first = eager.until("something is kept", lambda: newest(eager))
    held = {row["token"]: row for row in first["state"]["master_account"]["sandbox"]}
    rates = eager.call("POST", "/rate-oracle/rates", {"trading_pairs": ["BTC-USDT", "BTC-ETH"]})
    eager.call("PUT", "/rate-oracle/config", {"global_token": DOLLARS})

    assert held["BTC"]["price"] == pytest.approx(rates["rates"]["BTC-USDT"], rel=0.1)
    assert rates["details"]["BTC-ETH"]["path"]["pairs"] == ["ETH-BTC"]

    eager.exchange_call("POST", "/_sandbox/deposits", {"key": KEY, "asset": "USDT", "change": 5000})
    after = eager.until("the deposit is seen", lambda: told(eager).get("net_flow") and told(eager))
    assert after["net_flow"] == pytest.approx(5000, abs=0.01)
    assert (after["untold_flow"], after["flows_told"]) == (0, True)
    assert after["end_value"] == pytest.approx(after["start_value"] + 5000 + after["profit"])

    order = {"connector_name": "sandbox", "trading_pair": "BTC-USDT", "trade_type": "BUY", "amount": 0.05}
    eager.call("POST", "/trading/orders", {"account_name": "master_account", "order_type": "MARKET", **order})
    eager.until("its fee is counted", lambda: told(eager)["fees"])

    def seen() -> Any:
        rows = newest(eager)["state"]["master_account"]["sandbox"]
        return next(row["units"] for row in rows if row["token"] == "BTC") > held["BTC"]["units"]

    eager.until("what was bought is kept", seen)
    before = newest(eager)["timestamp"]
    eager.kill()
    eager.start()
    eager.until("every branch runs", eager.ready)
    eager.until("it goes on", lambda: newest(eager).get("timestamp", before) > before)

    again = told(eager)
    assert again["net_flow"] == pytest.approx(5000, abs=0.01)
    assert again["start_value"] == after["start_value"]
    assert again["fees_value"] > 0
    assert again["end_time"] > after["end_time"]
    assert eager.call("GET", "/rate-oracle/config")["global_token"] == DOLLARS
