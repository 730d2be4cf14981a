"""With a database that can't be read every route says so, or answers what it knows without it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from aviary.http.routes.all import ROWS
from aviary.http.routing import Row
from raw_http import Caller
from whole_server import Server

KEY = "sandbox-unreadable"

PARTS = {
    "account_name": "master_account",
    "connector_name": "sandbox",
    "name": "sandbox",
    "bot_name": "mm-1",
    "bot_run_id": "1",
    "config_name": "nosuch",
    "controller_type": "market_making",
    "controller_name": "pmm_simple",
    "script_name": "v2_with_controllers",
    "client_order_id": "nosuch",
    "pair": "BTC-USDT",
}

WRITES = ("/deploy", "/start", "/stop", "/add", "/delete", "/restart", "-account", "/leverage", "/position-mode")
"""Parts of paths of requests that change something."""

UNREADABLE = {
    "orders": "UPDATE orders SET amount = 'much'",
    "fills": "UPDATE fills SET price = 'dear'",
    "bots": "UPDATE bots SET spec = '{'",
    "bot_runs": "UPDATE bot_runs SET deployed_at = 'long ago'",
    "controller_performance": "UPDATE controller_performance SET performance = '{'",
    "journal": "UPDATE journal SET mailbox = 'full'",
}
"""A change of each table that leaves the file sound and its rows meaningless."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with an order, a fill, a bot's run, and whatever happened at its start."""
    server = Server(tmp_path / "home")
    server.start()
    server.until("every branch runs", server.ready)
    server.until("it has keys", lambda: server.add_key(KEY) or True)
    server.until("it trades", lambda: server.call("POST", "/trading/orders", order()))
    server.until("it is filled", lambda: server.call("POST", "/trading/trades", {})["data"])
    yield server
    server.end()


def order() -> dict[str, str]:
    return {
        "account_name": "master_account",
        "connector_name": "sandbox",
        "trading_pair": "BTC-USDT",
        "trade_type": "BUY",
        "order_type": "MARKET",
        "amount": "0.001",
    }


def reads() -> Iterator[Row]:
    for row in ROWS:
        if row.method == "GET" or (row.method == "POST" and not row.whole and not any(w in row.path for w in WRITES)):
            yield row


def troubles(server: Server) -> list[str]:
    """What is no answer, nor a refusal in words."""
    caller = Caller(server)
    found = []
    for row in reads():
        path = row.path
        for name in row.placeholders:
            account = name == "id" and path.startswith("/accounts")
            path = path.replace(f"{{{name}}}", "master_account" if account else PARTS.get(name, "mm-1"))
        answer = caller.send(row.method, path, b"{}" if row.method == "POST" else None)
        refused = isinstance(answer.body, dict) and answer.body.get("detail")
        if answer.status not in {200, 400, 404, 422, 503} or (answer.status != 200 and not refused):
            found.append(f"{row.method} {path}: {answer.status} {answer.text[:100]}")
    caller.close()
    return found


def test_no_route_answers_with_an_internal_error(server: Server) -> None:
    assert troubles(server) == []
    with sqlite3.connect(server.home / "aviary.sqlite", timeout=20) as connection:
        moment = 1.0
        connection.execute("INSERT INTO bots VALUES ('mm-1', 'stopped', 'process', '{}', NULL, ?, ?)", (moment, moment))
        connection.execute(
            "INSERT INTO bot_runs (bot_name, instance_name, deployed_at, strategy_type, strategy_name, account_name,"
            " deployment_status, run_status, deployment_config) VALUES ('mm-1', 'mm-1', ?, 'script', 's', 'a', 'D',"
            " 'STOPPED', '{}')",
            (moment,),
        )
        connection.execute(
            "INSERT INTO controller_performance (bot_name, controller_id, at, performance) VALUES ('mm-1', 'c', ?, '{}')",
            (moment,),
        )
        for change in UNREADABLE.values():
            connection.execute(change)
    connection.close()

    assert troubles(server) == []
    caller = Caller(server)
    answer = caller.send("POST", "/trading/orders/search", b"{}")
    assert (answer.status, "a row can't be read" in answer.text) == (503, True)

    with (server.home / "aviary.sqlite").open("r+b") as file:
        file.write(b"\x55" * (server.home / "aviary.sqlite").stat().st_size)

    assert troubles(server) == []
    answer = caller.send("POST", "/trading/orders/search", orjson.dumps({}))
    assert (answer.status, "the database" in answer.text) == (503, True)
    caller.close()
