"""Accounts, connectors, orders and holdings over real HTTP, in the forms that released clients read."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from account_world import Exchange, World
from aiohttp import web
from aviary.config.settings import Settings
from aviary.http.app import create_app
from aviary.http.routes import accounts, connectors, portfolio, trading
from pydantic import SecretStr

pytestmark = pytest.mark.whole

ROWS = (*accounts.ROWS, *connectors.ROWS, *portfolio.ROWS, *trading.ROWS)


class Client:
    """Sends requests with the right password."""

    def __init__(self, runner: asyncio.Runner, url: str) -> None:
        self._runner = runner
        self._url = url

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        return self._runner.run(self._send(method, path, body, more))

    async def _send(self, method: str, path: str, body: Any, more: dict[str, Any]) -> tuple[int, Any]:
        login = {"Authorization": aiohttp.encode_basic_auth("ann", "correct horse")}
        if body is not None:
            more["json"] = body
        async with (
            aiohttp.ClientSession(headers=login) as session,
            session.request(method, self._url + path, **more) as response,
        ):
            return response.status, await response.json()


@pytest.fixture(scope="session")
def client(session_world: World) -> Iterator[Client]:
    settings = Settings(username="ann", password=SecretStr("correct horse"))
    with asyncio.Runner() as runner:
        served = web.AppRunner(create_app(session_world.system, settings, ROWS))
        runner.run(served.setup())
        runner.run(web.TCPSite(served, "127.0.0.1", 0).start())
        yield Client(runner, f"http://127.0.0.1:{served.addresses[0][1]}")
        runner.run(served.cleanup())


@pytest.fixture
def desk(world: World, exchange: Exchange, client: Client, account: str) -> str:
    """An account with keys for the spot market."""
    assert client("POST", "/accounts/add-account", params={"account_name": account})[0] == 201
    keys = {"sandbox_api_key": exchange.key(), "sandbox_api_secret": "secret"}
    status, answer = client("POST", f"/accounts/add-credential/{account}/sandbox", keys)
    assert (status, answer) == (201, {"message": "Connector credentials added successfully."})
    world.wait_until_ready(f"accounts/{account}/sandbox")
    return account


@pytest.fixture(scope="module")
def quiet_desk(session_world: World, exchange: Exchange) -> str:
    """An account that is ready to trade and never does."""
    session_world.connect("quiet-desk", exchange.key())
    return "quiet-desk"


def limit_order(account: str, **changes: Any) -> dict[str, Any]:
    where = {"account_name": account, "connector_name": "sandbox", "trading_pair": "BTC-USDT"}
    return {**where, "trade_type": "BUY", "amount": 0.01, "order_type": "LIMIT", "price": 20000, **changes}


def test_an_order_s_life_in_the_released_form(desk: str, client: Client) -> None:
    status, placed = client("POST", "/trading/orders", limit_order(desk))
    order_id = placed["order_id"]
    assert status == 201
    assert placed == {
        "order_id": order_id,
        "account_name": desk,
        "connector_name": "sandbox",
        "trading_pair": "BTC-USDT",
        "trade_type": "BUY",
        "amount": "0.01",
        "order_type": "LIMIT",
        "price": "20000",
        "status": "submitted",
        "state": "open",
    }

    status, active = client("POST", "/trading/orders/active", {"account_names": [desk]})
    assert status == 200
    row = active["data"][0]
    assert (row["order_id"], row["amount"], row["price"], row["status"]) == (order_id, 0.01, 20000.0, "OPEN")
    assert active["pagination"] == {"limit": 100, "has_more": False, "next_cursor": None, "total_count": 1}

    status, cancelled = client("POST", f"/trading/{desk}/sandbox/orders/{order_id}/cancel")
    assert (status, cancelled["status"]) == (200, "success")
    assert cancelled["message"] == f"Order cancellation initiated for {order_id}"
    status, found = client("POST", "/trading/orders/search", {"account_names": [desk], "status": "CANCELLED"})
    assert [one["order_id"] for one in found["data"]] == [order_id]


def test_the_documented_forms_are_served_too(desk: str, client: Client) -> None:
    order_id = client("POST", "/trading/orders", limit_order(desk))[1]["order_id"]

    assert desk in client("GET", "/accounts")[1]
    active = client("GET", "/trading/orders", params={"account_names": desk})[1]
    assert [row["order_id"] for row in active["data"]] == [order_id]
    assert client("DELETE", f"/trading/orders/{order_id}")[1]["state"] == "cancelled"
    assert client("GET", "/trading/positions", params={"account_names": desk})[1]["data"] == []
    assert client("GET", "/trading/history", params={"account_names": desk})[1]["data"] == []
    assert client("GET", f"/accounts/{desk}/balances")[1]["sandbox"]["USDT"]["total"] == 100000.0
    assert client("GET", "/portfolio/balances", params={"account_names": desk})[1][desk]["sandbox"]
    assert client("GET", "/connectors/sandbox")[1]["name"] == "sandbox"
    assert client("GET", f"/accounts/{desk}/connectors/sandbox")[1]["phase"] == "ready"
    assert client("GET", f"/accounts/{desk}/connectors/binance")[0] == 404
    assert "BTC-USDT" in client("GET", "/connectors/sandbox/markets")[1]["trading_pairs"]
    assert client("POST", "/accounts", {"account_name": f"{desk}-b"})[0] == 201
    assert client("DELETE", f"/accounts/{desk}-b")[0] == 200


def test_the_catalogue_in_the_released_form(client: Client) -> None:
    assert "sandbox" in client("GET", "/connectors/")[1]
    assert client("GET", "/connectors/sandbox/config-map")[1] == {
        "sandbox_api_key": {"type": "SecretStr", "required": True},
        "sandbox_api_secret": {"type": "SecretStr", "required": True},
    }
    answer = client("GET", "/connectors/sandbox/order-types")[1]
    assert (answer["connector"], "LIMIT" in answer["supported_order_types"]) == ("sandbox", True)
    status, rules = client("GET", "/connectors/sandbox/trading-rules", params={"trading_pairs": "BTC-USDT"})
    assert status == 200
    assert set(rules) == {"BTC-USDT"}
    assert isinstance(rules["BTC-USDT"]["min_order_size"], float)
    assert rules["BTC-USDT"]["buy_order_collateral_token"] == "USDT"


def test_the_portfolio_in_the_released_form(desk: str, client: Client) -> None:
    body = {"account_names": [desk], "refresh": True, "skip_gateway": True}
    state = client("POST", "/portfolio/state", body)[1]

    usdt = next(row for row in state[desk]["sandbox"] if row["token"] == "USDT")
    assert usdt == {
        "token": "USDT",
        "units": 1e5,
        "price": 1.0,
        "value": 1e5,
        "available_units": 1e5,
        "stale": False,
        "age": 0.0,
    }
    shares = client("POST", "/portfolio/distribution", {"account_names": [desk]})[1]
    assert shares["token_count"] == len(state[desk]["sandbox"])
    accounts = client("GET", "/portfolio/accounts-distribution")[1]
    assert accounts["account_count"] == len(accounts["distribution"])
    (ours,) = [row for row in accounts["distribution"] if row["account"] == desk]
    assert ours["total_value"] > usdt["value"]


@pytest.mark.parametrize(
    ("changes", "status", "where"),
    [
        ({"trade_type": "HOLD"}, 422, "trade_type"),
        ({"amount": -1}, 422, "amount"),
        ({"amount": 0}, 422, "amount"),
        ({"amount": "NaN"}, 422, "amount"),
        ({"amount": "1e400"}, 422, "amount"),
        ({"amount": True}, 422, "amount"),
        ({"amount": {"a": 1}}, 422, "amount"),
        ({"price": "Infinity"}, 422, "price"),
        ({"order_type": "STOP"}, 422, "order_type"),
        ({"trading_pair": "../BTC"}, 422, "trading_pair"),
        ({"account_name": "x" * 300}, 422, "account_name"),
        ({"account_name": "../x"}, 404, None),
        ({"account_name": "nosuch"}, 404, None),
        ({"connector_name": "nosuch"}, 404, None),
        ({"trading_pair": "NO-SUCH"}, 400, None),
        ({"price": None}, 400, None),
        ({"amount": 0.00002}, 400, None),
    ],
)
def test_a_bad_order_is_a_clear_no(
    quiet_desk: str, client: Client, changes: dict[str, Any], status: int, where: str | None
) -> None:
    answered, body = client("POST", "/trading/orders", limit_order(quiet_desk, **changes))

    assert answered == status, body
    if where is None:
        assert isinstance(body["detail"], str)
    else:
        assert body["detail"][0]["loc"] == ["body", where]
    assert client("POST", "/trading/orders/search", {"account_names": [quiet_desk]})[1]["data"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/accounts/add-account?account_name=../x", None, 400),
        ("POST", "/accounts/add-account", None, 422),
        ("POST", "/accounts/delete-account?account_name=nosuch", None, 404),
        ("POST", "/accounts/delete-account?account_name=master_account", None, 400),
        ("GET", "/accounts/nosuch/credentials", None, 404),
        ("GET", "/accounts/..%2Fx/credentials", None, 422),
        ("POST", "/accounts/add-credential/nosuch/sandbox", {"sandbox_api_key": "a"}, 404),
        ("POST", "/accounts/add-credential/master_account/nosuch", {"api_key": "a"}, 404),
        ("POST", "/accounts/add-credential/master_account/sandbox", {"sandbox_api_key": "a"}, 400),
        ("POST", "/accounts/add-credential/master_account/sandbox", [1], 422),
        ("POST", "/accounts/add-credential/master_account/sandbox", {"sandbox_api_key": {"a": 1}}, 422),
        ("POST", "/accounts/add-credential/master_account/..%2F..%2Fx", {"api_key": "a"}, 422),
        ("POST", "/accounts/delete-credential/master_account/nosuch", None, 404),
        ("GET", "/connectors/nosuch/trading-rules", None, 404),
        ("GET", "/connectors/nosuch/config-map", None, 404),
        ("GET", "/connectors/sandbox/trading-rules?trading_pairs=NO-SUCH", None, 404),
        ("POST", "/trading/orders/search", {"status": "STRANGE"}, 400),
        ("POST", "/trading/orders/search", {"limit": 0}, 422),
        ("POST", "/trading/orders/search", {"account_names": ["nosuch"]}, 404),
        ("POST", "/trading/orders/search", {"start_time": "NaN"}, 422),
        ("POST", "/trading/trades", {"trade_types": ["HOLD"]}, 400),
        ("POST", "/trading/master_account/nosuch/leverage", {"trading_pair": "BTC-USDT", "leverage": 5}, 404),
        ("POST", "/trading/master_account/sandbox/leverage", {"trading_pair": "BTC-USDT", "leverage": 500}, 422),
        ("DELETE", "/trading/orders/nosuch", None, 404),
        ("POST", "/portfolio/state", {"account_names": ["nosuch"]}, 404),
    ],
)
def test_bad_input_is_a_clear_no(client: Client, method: str, path: str, body: Any, status: int) -> None:
    answered, answer = client(method, path, body)

    assert answered == status, answer
    assert answer["detail"]


def test_a_secret_is_never_said_back(client: Client) -> None:
    body = {"sandbox_api_key": "hush-hush-key", "sandbox_api_secret": ["hush-hush-secret"]}
    status, answer = client("POST", "/accounts/add-credential/master_account/sandbox", body)
    assert status == 422
    assert "hush-hush" not in json.dumps(answer)

    body = {"sandbox_api_key": "hush-hush-key", "sandbox_api_secret": "hush-hush-secret"}
    status, answer = client("POST", "/accounts/add-credential/master_account/sandbox", body)
    assert status == 400
    assert "hush-hush" not in json.dumps(answer)


@pytest.mark.parametrize("path", ["orders/search", "orders/active", "trades", "positions", "funding-payments"])
def test_a_cursor_that_no_page_had_is_refused_by_name(client: Client, path: str) -> None:
    for cursor in ("zzz", "0:", "-1", "1.5:x"):
        status, answer = client("POST", f"/trading/{path}", {"cursor": cursor})

        assert status == 400
        assert "cursor" in answer["detail"]


def test_pages_of_orders_follow_one_another(desk: str, client: Client) -> None:
    placed = [
        client("POST", "/trading/orders", limit_order(desk, price=20000 + n))[1]["order_id"] for n in range(3)
    ]

    seen: list[str] = []
    cursor: str | None = None
    while True:
        body = {"account_names": [desk], "limit": 2, "cursor": cursor}
        page = client("POST", "/trading/orders/active", body)[1]
        seen += [row["order_id"] for row in page["data"]]
        cursor = page["pagination"]["next_cursor"]
        if not page["pagination"]["has_more"]:
            break

    assert sorted(seen) == sorted(placed)
