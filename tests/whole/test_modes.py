"""The server in its other modes: cold starts, other brokers, PostgreSQL, without the simulated exchange."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aviary.actors.runtimes.brokers import find_mosquitto
from aviary.commands.client import Refused
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


def trades(server: Server) -> None:
    """A credential, a bot that quotes, and a stop: everything of a server's day."""
    server.add_key(KEY)
    server.call("POST", "/controllers/configs/quoter", CONTROLLER)
    server.call("POST", "/bot-orchestration/deploy", {"instance_name": "m-1", "controllers_config": ["quoter"]})
    server.until("it quotes", lambda: len(server.open_orders(KEY)) == 2, patience=90)
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
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    folder = tmp_path_factory.mktemp("external")
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([binary, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    yield port
    process.terminate()
    process.wait(10)


@pytest.mark.timeout(180)
def test_without_a_template_everything_starts_cold_and_works(tmp_path: Path) -> None:
    with a_server(tmp_path / "home", TEMPLATE="false") as server:
        assert server.cell("template") == {}
        trades(server)


def test_the_pip_only_broker_carries_bots(tmp_path: Path) -> None:
    with a_server(tmp_path / "home", BROKER="iotcore") as server:
        trades(server)


def test_a_broker_of_the_user_s_own_carries_bots(tmp_path: Path, external_broker: int) -> None:
    with a_server(tmp_path / "home", BROKER_HOST="127.0.0.1", BROKER_PORT=str(external_broker)) as server:
        trades(server)
        assert not (server.home / "broker" / "daemon.json").exists()


def test_postgresql_keeps_what_sqlite_keeps(tmp_path: Path, postgresql_url: str) -> None:
    with a_server(tmp_path / "home", DATABASE_URL=postgresql_url) as server:
        trades(server)
        assert server.call("GET", "/bot-orchestration/bot-runs")["total"] == 1
        assert server.until("the journal has it", lambda: server.call("GET", "/supervision/journal")["data"])
        assert not (server.home / "aviary.sqlite").exists()


def test_without_the_simulated_exchange_the_server_is_ready_all_the_same(tmp_path: Path) -> None:
    with a_server(tmp_path / "home", SANDBOX="false") as server:
        assert server.cell("sandbox") == {}
        with pytest.raises(Refused) as refused:
            server.call("GET", "/sandbox")
        assert refused.value.status == 404
        assert "binance" in server.call("GET", "/connectors/")
