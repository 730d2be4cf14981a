"""What makes sense to a machine and to nobody else: a clear no, nothing written, nothing crashed.

What no actor is asked about is refused by the front end, and proved there.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import orjson
import pytest
from aviary.http.routes.all import ROWS
from aviary.http.routing import Row
from raw_http import Caller
from whole_server import Server

KEY = "sandbox-bad-input"

SECRET = "hunter2-tr0ub4dor"

CLEAR = range(400, 500)

GROWING = ("journal", "last_known", "portfolio_snapshots", "sqlite_sequence")
"""Tables that grow on their own; crashes are looked for by themselves."""

OTHERS = ("aviary.sqlite", "mosquitto.db")
"""Files that come and go by themselves."""


@dataclass(frozen=True, slots=True)
class World:
    """What may not change: files, rows of the database, restarts, crashes."""

    files: frozenset[str]
    rows: dict[str, int]
    restarts: dict[str, int]
    troubles: int
    orders: int


def look(server: Server) -> World:
    """The world as it is now, but for logs, sockets and the database's own files."""
    home = server.home
    passing = {"logs", "run", "__pycache__"}
    files = frozenset(
        str(path.relative_to(home.parent))
        for path in (*home.rglob("*"), *home.parent.iterdir())
        if not passing & set(path.relative_to(home.parent).parts) and not path.name.startswith(OTHERS)
    )
    connection = sqlite3.connect(f"file:{home / 'aviary.sqlite'}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        counts = {
            table: connection.execute(f'select count(*) from "{table}"').fetchone()[0]
            for table in tables
            if table not in GROWING
        }
    finally:
        connection.close()
    cells = server.call("GET", "/supervision/tree")["actors"]
    crashes = server.call("GET", "/supervision/journal?kind=crash&limit=1000")["data"]
    return World(
        files=files,
        rows=counts,
        restarts={cell["address"]: cell["restarts"] for cell in cells},
        troubles=len(crashes) + server.call("GET", "/supervision/dead-letters")["total"],
        orders=len(server.open_orders(KEY)),
    )


@pytest.fixture(scope="module")
def caller(server: Server) -> Iterator[Caller]:
    """A caller of a server with an account; at the end nothing may have changed."""
    for connector in ("sandbox", "sandbox_perpetual"):
        server.add_key(KEY, connector=connector)
        address = f"/accounts/master_account/connectors/{connector}"
        server.until("it takes orders", lambda: server.call("GET", address)["phase"] == "ready")  # noqa: B023
    caller = Caller(server)
    before = look(server)
    yield caller
    caller.close()
    # A file that is being replaced has a neighbour for a moment.
    server.until("every file is as it was", lambda: look(server).files == before.files, patience=20)
    after = look(server)
    assert after.rows == before.rows
    assert after.orders == before.orders
    assert after.troubles == before.troubles
    for address, restarts in after.restarts.items():
        assert restarts == before.restarts.get(address, 0), address
    assert set(before.restarts) <= set(after.restarts)


def no(caller: Caller, method: str, where: str, content: bytes | None, word: str = "") -> str | None:
    """What is wrong with a refusal, `None` if it is a clear one that says the word."""
    answer = caller.send(method, where, content)
    label = f"{method} {where[:80]} {(content or b'')[:60]!r} -> {answer.status} {answer.text[:200]}"
    if answer.status not in CLEAR:
        return f"not refused: {label}"
    if not isinstance(answer.body, dict) or not answer.body.get("detail"):
        return f"without a detail: {label}"
    if word not in answer.text:
        return f"without {word}: {label}"
    if "Traceback" in answer.text or SECRET in answer.text or 'File "' in answer.text:
        return f"tells too much: {label}"
    return None


ODD_CONFIGS: tuple[object, ...] = (
    {},
    {"": 1},
    {"id": []},
    {"id": "\0"},
    {"controller_name": {}},
    {"controller_name": "\0", "controller_type": "market_making"},
    {"controller_name": "../x", "controller_type": "market_making"},
    {"controller_name": "x" * 300, "controller_type": "market_making"},
    {"controller_name": "x", "controller_type": []},
    {"script_file_name": []},
    {"script_file_name": "../x"},
    {"script_file_name": "x" * 300},
    {"script_file_name": "v2_with_controllers.py", "controllers_config": {"a": 1}},
    {"script_file_name": "v2_with_controllers.py", "controllers_config": [["a"]]},
    {"!!python/object": 1},
    {"stop_loss": 2**64 - 1},
    {"deep": [[[[[[{}]]]]]]},
    {"x" * 1000: 1},
)
"""Configurations and changes that nobody could mean, and that are no sources either."""

WHOLE = [row for row in ROWS if row.whole in {"config", "changes", "source"}]

PLACES = {"controller_type": "market_making", "controller_name": "pmm_simple"}


@pytest.mark.parametrize("row", WHOLE, ids=lambda row: f"{row.method} {row.path}")
def test_a_configuration_that_nobody_could_mean_is_refused(caller: Caller, row: Row) -> None:
    where = row.path
    for name in row.placeholders:
        where = where.replace(f"{{{name}}}", PLACES.get(name, "nosuch"))
    tried = [no(caller, row.method, where, orjson.dumps(odd)) for odd in ODD_CONFIGS]

    assert [wrong for wrong in tried if wrong] == []


ORDER = {
    "account_name": "master_account",
    "connector_name": "sandbox",
    "trading_pair": "BTC-USDT",
    "trade_type": "BUY",
    "order_type": "LIMIT",
    "amount": 0.01,
    "price": 40000,
}
PAIR = {"connector_name": "sandbox", "trading_pair": "BTC-USDT"}
LEVERAGE = {"trading_pair": "BTC-USDT", "leverage": 5}
DEPLOY = {"instance_name": "b", "credentials_profile": "master_account", "controllers_config": ["nosuch"]}
SCRIPT = {"instance_name": "b", "credentials_profile": "master_account", "script": "v2_with_controllers"}
LOADER = {"script_file_name": "v2_with_controllers.py"}
QUOTES = {"controller_name": "pmm_simple", "controller_type": "market_making", "id": "x", **PAIR}
RUN = {"name": "b", "account_name": "master_account", "script": "v2_with_controllers"}

ORDERS, HERE, SWAPS = (
    "/trading/orders",
    "/trading/master_account/sandbox",
    "/trading/master_account/sandbox_perpetual",
)
BOTS, CREDENTIAL = "/bot-orchestration", "/accounts/add-credential/master_account/sandbox"

SENSELESS: tuple[tuple[str, str, object, str], ...] = (
    *(
        ("POST", ORDERS, {**ORDER, "amount": amount}, "amount")
        for amount in (0, -1, "-0.01", "1e40", None, "much", True)
    ),
    *(("POST", ORDERS, {**ORDER, "price": price}, "price") for price in (0, -1, "1e40", "cheap", True)),
    ("POST", ORDERS, {**ORDER, "amount": 1e-12}, "amount"),
    ("POST", ORDERS, {**ORDER, "price": 1e-12}, "Price"),
    ("POST", ORDERS, {**ORDER, "price": None}, "Price"),
    ("POST", ORDERS, {**ORDER, "account_name": "nosuch"}, "nosuch"),
    ("POST", ORDERS, {**ORDER, "account_name": "../master_account"}, "account"),
    ("POST", ORDERS, {**ORDER, "connector_name": "nosuch"}, "nosuch"),
    ("POST", ORDERS, {**ORDER, "connector_name": "../sandbox"}, "connector"),
    ("POST", ORDERS, {**ORDER, "trading_pair": "NO-SUCH"}, "NO-SUCH"),
    ("POST", ORDERS, {**ORDER, "trading_pair": "../x-USDT"}, "trading_pair"),
    ("POST", ORDERS, {**ORDER, "trade_type": "HOLD"}, "trade_type"),
    ("POST", ORDERS, {**ORDER, "order_type": "WISH"}, "order_type"),
    ("POST", ORDERS, {**ORDER, "position_action": "DANCE"}, "position_action"),
    ("POST", ORDERS, {}, "account_name"),
    ("POST", f"{ORDERS}/active", {"limit": 0}, "limit"),
    ("POST", f"{ORDERS}/search", {"limit": 1001}, "limit"),
    ("POST", f"{ORDERS}/search", {"start_time": -1}, "start_time"),
    ("DELETE", f"{ORDERS}/nosuch", None, "nosuch"),
    ("POST", f"{HERE}/orders/nosuch/cancel", None, "nosuch"),
    ("POST", "/trading/nosuch/sandbox/orders/x/cancel", None, "nosuch"),
    ("POST", "/trading/master_account/nosuch/orders/x/cancel", None, "nosuch"),
    ("POST", "/trading/close-position", {**PAIR, "account_name": "nosuch"}, "nosuch"),
    ("POST", "/trading/close-position", {**PAIR, "account_name": "master_account", "amount": -1}, "amount"),
    *(
        ("POST", f"{SWAPS}/leverage", {**LEVERAGE, "leverage": leverage}, "leverage")
        for leverage in (0, -1, 126, 1.5, "high", True, None)
    ),
    ("POST", f"{SWAPS}/leverage", {**LEVERAGE, "trading_pair": "NO-SUCH"}, "NO-SUCH"),
    ("POST", f"{HERE}/leverage", LEVERAGE, "sandbox"),
    ("POST", f"{SWAPS}/position-mode", {"position_mode": "DIAGONAL"}, "DIAGONAL"),
    ("POST", f"{HERE}/position-mode", {"position_mode": "HEDGE"}, "sandbox"),
    ("POST", "/trading/nosuch/nosuch/position-mode", {"position_mode": "DIAGONAL"}, "DIAGONAL"),
    ("POST", "/portfolio/history", {"interval": "7m"}, "interval"),
    ("POST", "/portfolio/history", {"limit": 1001}, "limit"),
    ("POST", "/portfolio/history", {"start_time": "soon"}, "start_time"),
    ("POST", "/portfolio/history", {"start_time": 20, "end_time": 10}, "start_time"),
    ("POST", "/portfolio/history", {"cursor": "1795358760-000000000000"}, "cursor"),
    ("GET", "/portfolio/history?cursor=0%3A", None, "cursor"),
    ("GET", "/portfolio/performance?interval=1y", None, "interval"),
    ("GET", "/portfolio/performance?end_time=-1", None, "end_time"),
    ("GET", "/rate-oracle/rate/BTCUSDT", None, "trading_pair"),
    ("GET", "/rate-oracle/rate-async/BTC-", None, "trading_pair"),
    ("POST", "/rate-oracle/rates", {}, "trading_pairs"),
    ("POST", "/rate-oracle/rates", {"trading_pairs": ["BTC-USDT"] * 201}, "trading_pairs"),
    ("PUT", "/rate-oracle/config", {"rate_oracle_source": {"name": "nosuch"}}, "nosuch"),
    ("PUT", "/rate-oracle/config", {"rate_oracle_source": {}}, "name"),
    ("PUT", "/rate-oracle/config", {"global_token": {"global_token_name": ""}}, "global_token_name"),
    ("PUT", "/rate-oracle/config", {"source": "binance"}, "rate_oracle_source"),
    ("GET", "/market-data/tickers?max_age=-1", None, "max_age"),
    ("POST", "/market-data/rates", {"trading_pairs": ["BTC-USDT"], "connector": "nosuch"}, "nosuch"),
    ("POST", "/accounts/add-account?account_name=a%2Fb", None, "account"),
    ("POST", "/accounts/add-account?account_name=..", None, "account"),
    ("POST", "/accounts/add-account?account_name=a%00b", None, "account"),
    ("POST", f"/accounts/add-account?account_name={'n' * 300}", None, "account"),
    ("POST", "/accounts/add-account", None, "account_name"),
    ("POST", "/accounts", {"name": "../x"}, "account"),
    ("POST", "/accounts/delete-account?account_name=master_account", None, "master_account"),
    ("POST", "/accounts/delete-account?account_name=..", None, "'..'"),
    ("GET", "/accounts/nosuch/credentials", None, "nosuch"),
    ("POST", "/accounts/add-credential/nosuch/sandbox", {}, "nosuch"),
    ("POST", "/accounts/add-credential/master_account/nosuch", {"x": SECRET}, "nosuch"),
    ("POST", CREDENTIAL, {}, "sandbox_api_key"),
    ("POST", CREDENTIAL, {"sandbox_api_key": KEY}, "sandbox_api_secret"),
    ("POST", CREDENTIAL, {"sandbox_api_key": KEY, "sandbox_api_secret": {"x": SECRET}}, "sandbox_api_secret"),
    ("POST", CREDENTIAL, {"sandbox_api_key": "bad", "sandbox_api_secret": SECRET}, "key"),
    ("POST", CREDENTIAL, {"sandbox_api_key": KEY, "sandbox_api_secret": "s", "more": SECRET}, "more"),
    ("POST", CREDENTIAL, {"sandbox_api_key": f"{SECRET}\nx", "sandbox_api_secret": "s"}, "sandbox_api_key"),
    ("POST", CREDENTIAL, {"sandbox_api_key": KEY, "sandbox_api_secret": f"{SECRET}\0"}, "sandbox_api_secret"),
    ("POST", CREDENTIAL, [SECRET], "body"),
    ("POST", CREDENTIAL, SECRET, "body"),
    ("PUT", "/accounts/nosuch", {"credentials": {"sandbox": {"sandbox_api_key": SECRET}}}, "nosuch"),
    ("PUT", "/accounts/master_account", {"credentials": {"sandbox": SECRET}}, "credentials"),
    ("PUT", "/accounts/master_account", {"credentials": {"sandbox": [SECRET]}}, "credentials"),
    ("PUT", "/accounts/master_account", {"credentials": {"../x": {"k": SECRET}}}, "credentials"),
    ("POST", "/accounts/delete-credential/master_account/nosuch", None, "nosuch"),
    ("GET", "/connectors/nosuch/trading-rules", None, "nosuch"),
    ("GET", "/connectors/sandbox/trading-rules?trading_pairs=NO-SUCH", None, "NO-SUCH"),
    *(
        ("POST", f"/market-data/{what}", {**PAIR, **change}, "nosuch" if "connector_name" in change else "NO-SUCH")
        for what in ("candles", "order-book", "trading-pair/add")
        for change in ({"connector_name": "nosuch"}, {"trading_pair": "NO-SUCH"})
    ),
    ("POST", "/market-data/prices", {"connector_name": "sandbox", "trading_pairs": []}, "trading_pairs"),
    ("POST", "/market-data/order-book", {**PAIR, "depth": 0}, "depth"),
    ("POST", "/market-data/candles", {**PAIR, "max_records": 10**9}, "max_records"),
    ("POST", "/market-data/candles", {**PAIR, "interval": "7m"}, "7m"),
    ("POST", "/market-data/historical-candles", {**PAIR, "start_time": 2, "end_time": 1}, "time"),
    (
        "POST",
        "/market-data/historical-candles",
        {**PAIR, "interval": "1s", "start_time": 0, "end_time": 1e9},
        "candles",
    ),
    ("POST", "/market-data/order-book/price-for-volume", {**PAIR, "is_buy": True, "volume": -1}, "volume"),
    ("POST", "/market-data/order-book/restart/nosuch", None, "nosuch"),
    ("GET", "/market-data/ticker/NO-SUCH?connector=sandbox", None, "NO-SUCH"),
    ("GET", "/market-data/ticker/A:B-$C:D?connector=sandbox", None, "A:B-$C:D"),
    ("GET", "/market-data/ticker/BTC-USDT?connector=nosuch", None, "nosuch"),
    ("POST", f"{BOTS}/deploy-v2-controllers", DEPLOY, "nosuch"),
    ("POST", f"{BOTS}/deploy-v2-controllers", {**DEPLOY, "instance_name": "../b"}, "instance_name"),
    ("POST", f"{BOTS}/deploy-v2-controllers", {**DEPLOY, "credentials_profile": "../b"}, "credentials_profile"),
    ("POST", f"{BOTS}/deploy-v2-controllers", {**DEPLOY, "controllers_config": ["../../x"]}, "x"),
    ("POST", f"{BOTS}/deploy-v2-controllers", {**DEPLOY, "controllers_config": []}, "controllers_config"),
    ("POST", f"{BOTS}/deploy-v2-script", {**SCRIPT, "script": "nosuch"}, "nosuch"),
    ("POST", f"{BOTS}/deploy-v2-script", {**SCRIPT, "script": "../../nosuch"}, "nosuch"),
    ("POST", f"{BOTS}/deploy-v2-script", {**SCRIPT, "script_config": "../nosuch"}, "nosuch"),
    ("POST", f"{BOTS}/deploy-v2-script", {**SCRIPT, "credentials_profile": "nosuch"}, "nosuch"),
    ("POST", "/scripts/run", {**RUN, "script": "nosuch"}, "nosuch"),
    ("POST", f"{BOTS}/bots/nosuch/start", None, "nosuch"),
    ("POST", f"{BOTS}/bots/nosuch/stop", None, "nosuch"),
    ("GET", f"{BOTS}/bots/nosuch/status", None, "nosuch"),
    ("PUT", f"{BOTS}/bots/nosuch/config", {"x": 1}, "nosuch"),
    ("GET", f"{BOTS}/nosuch/history", None, "nosuch"),
    ("GET", f"{BOTS}/bot-runs/0", None, "0"),
    ("GET", f"{BOTS}/bot-runs/many", None, "bot_run_id"),
    ("GET", f"{BOTS}/controller-performance-history?interval=7x", None, "interval"),
    ("GET", f"{BOTS}/controller-performance-history?start_time=yesterday", None, "start_time"),
    ("GET", "/controllers/bots/nosuch/configs", None, "nosuch"),
    ("GET", "/controllers/nosuch/x", None, "controller_type"),
    ("POST", "/controllers/generic/x", {"content": "def ("}, "content"),
    ("POST", "/controllers/generic/x", {"content": 7}, "content"),
    ("POST", "/controllers/generic/x", {}, "content"),
    ("POST", "/scripts/x", {"content": ""}, "content"),
    ("POST", "/controllers/generic/__init__", {"content": "x = 1"}, "__init__"),
    ("POST", "/scripts/__init__", {"content": "x = 1"}, "__init__"),
    ("POST", "/scripts/class", {"content": "x = 1"}, "class"),
    ("POST", "/controllers/configs/x", {}, "controller_type"),
    ("POST", "/scripts/configs/x", {}, "script_file_name"),
    ("POST", "/scripts/configs/x", {"script_file_name": "n" * 300}, "script_file_name"),
    ("POST", "/scripts/configs/x", {**LOADER, "controllers_config": 5}, "controllers_config"),
    ("POST", "/scripts/configs/x", {**LOADER, "no_such_field": 5}, "no_such_field"),
    ("POST", "/scripts/configs/x", {**LOADER, "max_global_drawdown_quote": -1}, "max_global_drawdown_quote"),
    *(
        (method, where, {**QUOTES, **change}, word)
        for method, where in (
            ("POST", "/controllers/configs/x"),
            ("POST", "/controllers/market_making/pmm_simple/config/validate"),
        )
        for change, word in (
            ({"controller_name": "n" * 300}, "controller_name"),
            ({"controller_name": {"a": 1}}, "controller_name"),
            ({"controller_type": []}, "controller_type"),
            ({"connector_name": "nosuch"}, "connector_name"),
            ({"connector_name": "nosuch" * 1000}, "connector_name"),
            ({"trading_pair": "NO-SUCH"}, "trading_pair"),
            ({"trading_pair": "n" * 5000}, "trading_pair"),
            ({"total_amount_quote": "1e1000000"}, "total_amount_quote"),
            ({"total_amount_quote": -5}, "total_amount_quote"),
            ({"buy_spreads": "abc"}, "buy_spreads"),
            ({"leverage": 10**18}, "leverage"),
            ({"id": {"a": 1}}, "id"),
            ({"no_such_field": 2**63}, "no_such_field"),
        )
    ),
    ("POST", "/controllers/configs/x", "text", "body"),
    ("POST", "/scripts/configs/x", [1], "body"),
    ("GET", "/supervision/journal?limit=0", None, "limit"),
    ("POST", "/supervision/restart", {"address": "nosuch"}, "nosuch"),
    ("POST", "/supervision/release-poison", {"address": "nosuch", "message_kind": "x"}, "nosuch"),
)


@pytest.mark.parametrize(
    ("method", "where", "body", "word"), SENSELESS, ids=lambda one: one if isinstance(one, str) else None
)
def test_a_request_that_makes_no_sense_is_refused_with_a_reason(
    caller: Caller, method: str, where: str, body: object, word: str
) -> None:
    content = None if body is None else orjson.dumps(body)

    assert no(caller, method, where, content, word) is None


def test_no_secret_reaches_a_log(caller: Caller, server: Server) -> None:
    for method, where, body, _ in SENSELESS:
        if SECRET in repr(body):
            caller.send(method, where, orjson.dumps(body))

    looked_at = 0
    for path in server.home.rglob("*"):
        # A file that is being replaced is looked at under its own name.
        with suppress(FileNotFoundError):
            if path.is_file():
                looked_at += 1
                assert SECRET.encode() not in path.read_bytes(), path
    assert looked_at > 0
