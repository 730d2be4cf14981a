"""Whatever is sent, to any route: a clear no, nothing written, nothing crashed."""

import gzip
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, get_args, get_origin

import orjson
import pytest
from aviary.http.routes.all import ROWS
from aviary.http.routing import Row
from raw_http import Caller, basic
from whole_server import Server

KEY = "sandbox-bad-input"

SECRET = "hunter2-tr0ub4dor"

CLEAR = range(400, 500)

GOOD: dict[str, str] = {
    "account_name": "master_account",
    "connector_name": "sandbox",
    "name": "sandbox",
    "id": "nosuch",
    "pair": "BTC-USDT",
    "bot_name": "nosuch",
    "bot_run_id": "1",
    "config_name": "nosuch",
    "controller_type": "generic",
    "controller_name": "nosuch",
    "script_name": "nosuch",
    "client_order_id": "nosuch",
}
"""What makes a path whole where another part of it is bad."""

BAD_NAMES = ("..%2F..%2Fetc", "%2Fetc%2Fpasswd", "..%5C..", "a%00b", "a%0Ab", "n" * 300, "%2E%2E", "%2E")
"""Encoded, as they stand in a path."""

BAD_BODIES = (
    b"{",
    b"[1, 2",
    b'"\\ud800"',
    b"\xff\xfe\x00",
    b"nul",
    b"{'a': 1}",
    b'{"a": 1} x',
    b"[" * 100_000,
)
"""No JSON at all."""

WRONG_BODIES = (b"[]", b"[{}]", b"7", b"true", b'"text"')
"""JSON, but no object."""


def named(row: Row) -> str:
    return f"{row.method} {row.path}"


BODIED = [row for row in ROWS if row.takes_body]
NAMED = [row for row in ROWS if row.placeholders]
WRITERS = [row for row in BODIED if row.whole is None]


def target(row: Row, **instead: str) -> str:
    path = row.path
    for name in row.placeholders:
        path = path.replace(f"{{{name}}}", instead.get(name, GOOD[name]))
    return path


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
        for path in home.parent.rglob("*")
        if not passing & set(path.relative_to(home.parent).parts) and not path.name.startswith(OTHERS)
    )
    connection = sqlite3.connect(f"file:{home / 'aviary.sqlite'}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        # The journal grows on its own; crashes are looked for below.
        counts = {
            table: connection.execute(f'select count(*) from "{table}"').fetchone()[0]
            for table in tables
            if "journal" not in table
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
    yield caller
    caller.close()


@pytest.fixture(autouse=True)
def world(caller: Caller, server: Server) -> Iterator[None]:
    """Around each test: nothing is different afterwards."""
    assert caller
    before = look(server)
    yield
    after = look(server)
    assert after.files == before.files
    assert after.rows == before.rows
    assert after.orders == before.orders
    assert after.troubles == before.troubles
    for address, restarts in after.restarts.items():
        assert restarts == before.restarts.get(address, 0), address
    assert set(before.restarts) <= set(after.restarts)


def no(caller: Caller, method: str, where: str, content: bytes | None = None, **more: Any) -> str | None:
    """What is wrong with a refusal, `None` if it is a clear one."""
    answer = caller.send(method, where, content, **more)
    label = f"{method} {where[:80]} {(content or b'')[:60]!r} -> {answer.status} {answer.text[:200]}"
    if answer.status not in CLEAR:
        return f"not refused: {label}"
    if not isinstance(answer.body, dict) or not answer.body.get("detail"):
        return f"without a detail: {label}"
    if "Traceback" in answer.text or SECRET in answer.text or 'File "' in answer.text:
        return f"tells too much: {label}"
    return None


def told(caller: Caller, method: str, where: str, content: object) -> tuple[int, list[str]]:
    """The status of a refusal, and the fields it names."""
    answer = caller.send(method, where, orjson.dumps(content) if not isinstance(content, bytes) else content)
    detail = answer.body["detail"]
    if isinstance(detail, str):
        return answer.status, [detail]
    return answer.status, [".".join(str(part) for part in one["loc"]) for one in detail]


# Every route


@pytest.mark.parametrize("row", NAMED, ids=named)
def test_a_tricky_name_in_a_path_is_refused(caller: Caller, row: Row) -> None:
    tried = [
        no(caller, row.method, target(row, **{name: bad}), b"{}" if row.takes_body else None)
        for name in row.placeholders
        for bad in BAD_NAMES
    ]

    assert [wrong for wrong in tried if wrong] == []


@pytest.mark.parametrize("row", BODIED, ids=named)
def test_a_body_that_is_not_json_is_refused(caller: Caller, row: Row) -> None:
    tried = [no(caller, row.method, target(row), body) for body in BAD_BODIES]

    assert [wrong for wrong in tried if wrong] == []


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

WHOLE = [row for row in BODIED if row.whole in {"config", "changes", "source"}]


@pytest.mark.parametrize("row", WHOLE, ids=named)
def test_a_configuration_that_nobody_could_mean_is_refused(caller: Caller, row: Row) -> None:
    where = target(row, controller_type="market_making", controller_name="pmm_simple")
    tried = [no(caller, row.method, where, orjson.dumps(odd)) for odd in ODD_CONFIGS]

    assert [wrong for wrong in tried if wrong] == []


@pytest.mark.parametrize("row", WRITERS, ids=named)
def test_a_body_that_is_no_object_is_refused(caller: Caller, row: Row) -> None:
    tried = [no(caller, row.method, target(row), body) for body in WRONG_BODIES]

    assert [wrong for wrong in tried if wrong] == []


@pytest.mark.parametrize("row", BODIED, ids=named)
def test_a_body_of_ten_megabytes_is_refused(caller: Caller, row: Row) -> None:
    huge = b'{"account_name": "' + b"x" * 10_000_000 + b'"}'

    assert no(caller, row.method, target(row), huge) is None


STRANGERS = (
    None,
    basic("admin", "wrong"),
    basic("", ""),
    basic("admin", ""),
    "Basic",
    "Basic !!!",
    "Bearer x",
    "Basic " + "A" * 5000,
)


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_nobody_gets_in_without_the_password(caller: Caller, row: Row) -> None:
    for credentials in STRANGERS:
        answer = caller.send(row.method, target(row), b"{}", credentials=credentials)

        assert answer.status == 401
        assert answer.body["detail"]
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def fields(row: Row) -> list[tuple[str, str]]:
    """The fields that a client may send in the body, with what they are called there."""
    named_in_path = {row.names.get(name, name) for name in row.placeholders}
    called = {target: name for name, target in row.names.items() if name not in row.placeholders}
    return [
        (field, called.get(field, field))
        for field in row.message.model_fields
        if field not in named_in_path and field not in row.fixed
    ]


def mentions(annotation: Any, kinds: tuple[Any, ...]) -> bool:
    """Whether a type speaks of one of these."""
    inner = getattr(annotation, "__value__", annotation)
    return inner in kinds or get_origin(inner) in kinds or any(mentions(part, kinds) for part in get_args(inner))


def typed(row: Row, *kinds: Any) -> list[str]:
    """What the fields of these types are called in the body or query."""
    return [called for field, called in fields(row) if mentions(row.message.model_fields[field].annotation, kinds)]


WRONG_TYPED = [
    (row, called)
    for row in WRITERS
    for _, called in fields(row)
    if called not in row.query and called not in typed(row, Any, dict)
]

NUMBERS_IN_BODY = [
    (row, name) for row in WRITERS for name in typed(row, int, float, Decimal) if name not in row.query
]

NUMBERS_IN_QUERY = [(row, name) for row in ROWS if not row.takes_body for name in typed(row, int, float, Decimal)]

TEXTS_IN_BODY = [
    (row, name)
    for row in WRITERS
    for name in typed(row, str)
    if name not in row.query and name not in typed(row, dict, list, tuple)
]

ABSURD = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e400",
    b"-1e400",
    b"1" + b"0" * 400,
    b'"NaN"',
    b'"Infinity"',
    b"-1",
)


def ids(one: object) -> str:
    return named(one) if isinstance(one, Row) else str(one)


@pytest.mark.parametrize(("row", "name"), WRONG_TYPED, ids=ids)
def test_a_field_of_a_wrong_type_is_named(caller: Caller, row: Row, name: str) -> None:
    for value in ({"deep": {"er": 1}}, [[["x"]]]):
        status, where = told(caller, row.method, target(row), {name: value})

        assert status == 422
        assert any(name in one for one in where), where


@pytest.mark.parametrize(("row", "name"), NUMBERS_IN_BODY, ids=ids)
def test_an_absurd_number_in_a_body_is_refused(caller: Caller, row: Row, name: str) -> None:
    for number in ABSURD:
        status, where = told(caller, row.method, target(row), b'{"%s": %s}' % (name.encode(), number))

        assert status == 422, number
        # NaN and the like are no JSON: there is no field yet.
        assert any(name in one for one in where) or where == ["body.0"], (number, where)


@pytest.mark.parametrize(("row", "name"), NUMBERS_IN_QUERY, ids=ids)
def test_an_absurd_number_in_a_query_is_named(caller: Caller, row: Row, name: str) -> None:
    for number in ("NaN", "inf", "1e400", "-1e400", "1" + "0" * 400, "-1", "many", "", "0x10"):
        answer = caller.send(row.method, f"{target(row)}?{name}={number}")

        assert answer.status == 422, (number, answer.text[:200])
        assert any(one["loc"][-1] == name for one in answer.body["detail"]), answer.text[:200]


@pytest.mark.parametrize(("row", "name"), TEXTS_IN_BODY, ids=ids)
def test_a_text_that_is_too_long_is_named(caller: Caller, row: Row, name: str) -> None:
    status, where = told(caller, row.method, target(row), {name: "n" * 5000})

    assert status == 422
    assert any(name in one for one in where), where


@pytest.mark.parametrize(("row", "name"), TEXTS_IN_BODY, ids=ids)
def test_a_text_that_holds_a_nul_does_no_harm(caller: Caller, row: Row, name: str) -> None:
    answer = caller.send(row.method, target(row), orjson.dumps({name: "a\x00b"}))

    # Filters find nothing, and a cursor that is not known is the first page.
    assert answer.status in CLEAR or answer.status == 200, answer.text


# What makes sense to a machine and not to an exchange, or to anybody

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
    ("POST", f"{ORDERS}/active", {"account_names": ["nosuch"]}, "nosuch"),
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
    ("POST", "/scripts/__main__", {"content": "x = 1"}, "__main__"),
    ("POST", "/scripts/json", {"content": "x = 1"}, "json"),
    ("POST", "/controllers/generic/None", {"content": "x = 1"}, "None"),
    ("POST", "/controllers/market_making/random", {"content": "x = 1"}, "random"),
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

    assert no(caller, method, where, content) is None
    assert word in caller.send(method, where, content).text


# Below the routes

ODD_TARGETS = (
    "/nosuch",
    "//",
    "/accounts/../supervision/tree/..",
    "/accounts//credentials",
    "/accounts/%2e%2e/credentials",
    "/%00",
    "/controllers/configs/..%2f..%2f..%2fetc%2fpasswd",
    "/" + "a/" * 500,
)


@pytest.mark.parametrize("where", ODD_TARGETS, ids=lambda where: where[:40])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH", "TRACE"])
def test_a_target_that_leads_nowhere_is_refused(caller: Caller, method: str, where: str) -> None:
    assert no(caller, method, where) is None


def test_a_target_that_is_too_long_is_refused(caller: Caller) -> None:
    answer = caller.send("GET", "/accounts/?" + "a=" * 40_000)

    assert answer.status in CLEAR
    assert "Traceback" not in answer.text


def test_a_body_that_grows_when_it_is_unpacked_is_refused(caller: Caller) -> None:
    bomb = gzip.compress(b" " * 50_000_000)

    for content, encoding in ((bomb, "gzip"), (b"not packed", "gzip"), (b"{}", "br"), (bomb[:100], "deflate")):
        assert no(caller, "POST", "/trading/orders", content, headers={"Content-Encoding": encoding}) is None


def test_nesting_too_deep_is_refused(caller: Caller) -> None:
    for depth in (300, 2000):
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        for where in (
            "/controllers/configs/deep",
            "/scripts/configs/deep",
            "/controllers/generic/x/config/validate",
        ):
            assert no(caller, "POST", where, deep) is None


def test_no_secret_reaches_a_log(caller: Caller, server: Server) -> None:
    for method, where, body, _ in SENSELESS:
        if SECRET in repr(body):
            caller.send(method, where, orjson.dumps(body))

    written = [path for path in server.home.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert written == []
