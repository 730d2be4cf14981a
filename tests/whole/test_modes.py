"""The server in its other modes: cold starts, other brokers, PostgreSQL, without the simulated exchange."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aviary.actors.runtimes.brokers import find_mosquitto
from aviary.commands.client import Refused
from ports import free_port
from whole_server import Server

KEY = "sandbox-modes"

CONTROLLER = {
    "id": "quoter",
    "controller_name": "pmm_simple",
    "controller_type": "market_making",
    "connector_name": "sandbox",
    "trading_pair": "BTC-USDT",
    "total_amount_quote": 500,
    "buy_spreads": [0.01],
    "sell_spreads": [0.01],
    "executor_refresh_time": 60,
}


@contextmanager
def a_server(home: Path, **more: str) -> Iterator[Server]:
    server = Server(home, **more)
    try:
        server.start()
        server.until("every branch runs", server.ready)
        yield server
    finally:
        server.end()


def takes_an_order(server: Server) -> None:
    """A credential, an order that rests, and its cancel."""
    server.add_key(KEY)
    order = {
        "account_name": "master_account",
        "connector_name": "sandbox",
        "trading_pair": "BTC-USDT",
        "trade_type": "BUY",
        "order_type": "LIMIT",
        "amount": 0.001,
        "price": 20_000,
    }
    server.until("it takes orders", lambda: phase(server) == "ready")
    placed = server.call("POST", "/trading/orders", order)["order_id"]
    server.until(
        "the order rests", lambda: [row["client_order_id"] for row in server.open_orders(KEY)] == [placed]
    )
    server.call("POST", f"/trading/master_account/sandbox/orders/{placed}/cancel")
    server.until("no order is left", lambda: not server.open_orders(KEY))


def phase(server: Server) -> str:
    return str(server.call("GET", "/accounts/master_account/connectors/sandbox")["phase"])


def runs_a_bot(server: Server) -> None:
    """A bot that quotes, is heard of, and is stopped."""
    server.add_key(KEY)
    server.call("POST", "/controllers/configs/quoter", CONTROLLER)
    server.call("POST", "/controllers/quoter/deploy", {"instance_name": "m-1"})
    server.until("it quotes", lambda: len(server.open_orders(KEY)) == 2)
    server.until(
        "it is heard", lambda: server.call("GET", "/bot-orchestration/bots/m-1/status")["data"]["performance"]
    )
    server.call("POST", "/bot-orchestration/bots/m-1/stop")
    server.until("no order is left", lambda: not server.open_orders(KEY))


@pytest.fixture(scope="module")
def external_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a mosquitto that is none of ours."""
    binary = find_mosquitto()
    if binary is None:
        pytest.skip("mosquitto is not installed: run .ci/services")
    port = free_port()
    folder = tmp_path_factory.mktemp("external")
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([binary, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    yield port
    process.terminate()
    process.wait(10)


def test_bots_run_on_postgresql_with_a_broker_of_the_user_s_own_and_without_a_template(
    tmp_path: Path, external_broker: int, postgresql_url: str
) -> None:
    modes = {
        "BROKER_HOST": "127.0.0.1",
        "BROKER_PORT": str(external_broker),
        "DATABASE_URL": postgresql_url,
        "TEMPLATE": "false",
    }
    with a_server(tmp_path / "home", **modes) as server:
        assert server.cell("template") == {}
        runs_a_bot(server)
        assert server.call("GET", "/bot-orchestration/bot-runs")["total"] == 1
        assert server.until("the journal has it", lambda: server.call("GET", "/supervision/journal")["data"])
        assert not (server.home / "broker" / "daemon.json").exists()
        assert not (server.home / "aviary.sqlite").exists()


def test_the_pip_only_broker_serves(tmp_path: Path) -> None:
    with a_server(tmp_path / "home", BROKER="iotcore") as server:
        takes_an_order(server)
        assert server.cell("broker/link")["state"] == "running"
        assert server.call("GET", "/supervision/alarms")["standing"] == []


def test_without_the_simulated_exchange_the_server_is_ready_all_the_same(tmp_path: Path) -> None:
    with a_server(tmp_path / "home", SANDBOX="false") as server:
        assert server.cell("sandbox") == {}
        with pytest.raises(Refused) as refused:
            server.call("GET", "/sandbox")
        assert refused.value.status == 404
        # The first list is made by a process that starts cold.
        assert "binance" in server.until("the connectors are listed", lambda: server.call("GET", "/connectors/"))
