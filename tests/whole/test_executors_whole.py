"""Executors by the released client, and over the death of the whole server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import hummingbot_api_client as released
import pytest
from shapes import NUMBER, mismatches
from whole_server import Server

# The client's way to log in is on its way out of aiohttp.
pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

KEY, DESK, SPOT, PAIR = "sandbox-executors", "executor-desk", "sandbox", "BTC-USDT"

PATIENCE = 60.0

CREATED = {
    "executor_id": str,
    "executor_type": str,
    "connector_name": str,
    "trading_pair": str,
    "controller_id": str,
    "status": str,
    "created_at": str,
}

ROW = {
    **CREATED,
    "account_name": str,
    "side": str,
    "is_active": bool,
    "is_trading": bool,
    "timestamp": NUMBER,
    "net_pnl_quote": NUMBER,
    "net_pnl_pct": NUMBER,
    "cum_fees_quote": NUMBER,
    "filled_amount_quote": NUMBER,
    "error_count": int,
    "config": dict,
    "custom_info": dict,
}

type Client = Any


@pytest.fixture
async def connect(server: Server) -> AsyncIterator[Callable[[], Awaitable[Client]]]:
    """Connects released clients; each time anew, since a server that was killed comes back on another port."""
    opened: list[Client] = []

    async def open_one() -> Client:
        client = released.HummingbotAPIClient(server.client.url, "admin", "testpass")
        await client.init()
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        await client.close()


async def until(what: str, look: Callable[[], Awaitable[Any]]) -> Any:
    """Look until there is something to see."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not (seen := await look()):
                await asyncio.sleep(0.1)
            return seen
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE:g} s in vain until {what}") from None


def amount(rows: list[dict[str, Any]], side: str) -> Decimal:
    return sum((Decimal(row["amount"]) for row in rows if row["side"] == side), Decimal(0))


async def test_an_executor_from_its_kinds_over_the_death_of_the_server_to_its_held_position(
    server: Server, connect: Callable[[], Awaitable[Client]]
) -> None:
    server.call("POST", f"/accounts/add-account?account_name={DESK}")
    server.add_key(KEY, DESK)
    client = await connect()
    executors = client.executors

    kinds = [one["type"] for one in (await executors.get_available_executor_types())["executor_types"]]
    assert len(kinds) == 8
    for kind in kinds:
        schema = await executors.get_executor_config_schema(kind)
        assert {one["name"] for one in schema["fields"]} == set(schema["properties"])
        assert {one["name"] for one in schema["fields"] if one["required"]} == set(schema["required"])

    price = Decimal(str((await client.market_data.get_prices(SPOT, PAIR))["prices"][PAIR]))
    config = {
        "type": "order_executor",
        "connector_name": SPOT,
        "trading_pair": PAIR,
        "side": 1,
        "amount": "0.01",
        "execution_strategy": "LIMIT",
        "price": f"{price * Decimal('0.9'):.2f}",
    }
    with pytest.raises(Exception, match="422"):
        await executors.create_executor({**config, "amount": "NaN"}, account_name=DESK)
    async with client.ws.executors() as socket:
        name = await socket.subscribe_executors(update_interval=0.5, filters={"account_name": DESK})
        created = await executors.create_executor(config, account_name=DESK, controller_id="lone")
        assert mismatches(created, CREATED) == []
        executor_id = created["executor_id"]
        async with asyncio.timeout(PATIENCE):
            async for frame in socket:
                if frame.get("subscription_id") == name and frame.get("data"):
                    break
        assert mismatches(frame["data"][0], ROW) == []
        assert frame["total_count"] == 1

    async def rests() -> Any:
        return server.open_orders(KEY)

    resting = await until("its order rests", rests)
    server.faults("hidden_fill", 0, key=KEY, client_order_id=resting[0]["client_order_id"], fraction=0.4)

    server.kill()
    server.start()
    server.until("every branch runs", server.ready)
    client = await connect()
    executors = client.executors

    async def goes_on() -> bool:
        logs = await executors.get_executor_logs(executor_id)
        rows = server.open_orders(KEY)
        again = any("goes on after a crash" in line["message"] for line in logs["logs"])
        return again and len(rows) == 1 and Decimal(rows[0]["amount"]) == Decimal("0.006")

    await until("what was left of its order rests again", goes_on)
    found = await executors.search_executors(account_names=[DESK], executor_types=["order_executor"], limit=1)
    assert [row["executor_id"] for row in found["data"]] == [executor_id]
    assert mismatches(await executors.get_executor(executor_id), ROW) == []
    assert (await executors.get_summary())["total_active"] == 1

    stopping = await executors.stop_executor(executor_id, keep_position=True)
    assert stopping["status"] == "stopping"

    async def is_over() -> Any:
        row = await executors.get_executor(executor_id)
        held = (await executors.get_positions_summary(controller_id="lone"))["positions"]
        return row if row["status"] == "TERMINATED" and held else None

    row = await until("it is over and held", is_over)

    fills = server.exchange(f"/_sandbox/fills?key={KEY}")
    assert (row["close_type"], row["side"], row["config"]["side"]) == ("POSITION_HOLD", "BUY", "BUY")
    assert (amount(fills, "BUY"), amount(fills, "SELL")) == (Decimal("0.004"), Decimal(0))
    assert server.open_orders(KEY) == []
    held = await executors.get_position_held(SPOT, PAIR, account_name=DESK, controller_id="lone")
    assert (held["net_amount_base"], held["executor_ids"]) == (0.004, [executor_id])
    performance = await executors.get_performance_report(controller_id="lone")
    assert (performance["total_executors"], performance["active_positions"]) == (1, 1)
    await executors.clear_position_held(SPOT, PAIR, account_name=DESK, controller_id="lone")
    assert (await executors.get_positions_summary(controller_id="lone"))["total_positions"] == 0
    assert (await executors.stop_executor(executor_id))["status"] == "TERMINATED"
