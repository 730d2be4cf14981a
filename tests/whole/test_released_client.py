"""The released client package against a whole server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import hummingbot_api_client as released
import pytest
from sample_strategies import CONTROLLER as QUOTES
from sample_strategies import controller_source, script_source
from shapes import NUMBER, Each, mismatches
from whole_server import Server

# The client's way to log in is on its way out of aiohttp.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

KEY = "sandbox-released"
DESK, SPOT, PERPETUAL, PAIR = "client-desk", "sandbox", "sandbox_perpetual", "BTC-USDT"

PATIENCE = 45.0

CONTROLLER = {"id": "client_pmm", **QUOTES}
TINY_CONTROLLER, TINY_SCRIPT = controller_source("small"), script_source("small")

type Client = Any


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    client = released.HummingbotAPIClient(server.client.url, "admin", "testpass")
    await client.init()
    yield client
    await client.close()


@pytest.fixture(scope="module")
def desk(server: Server) -> str:
    """An account whose two connectors take orders."""
    server.call("POST", "/accounts", {"name": DESK})
    for connector in (SPOT, PERPETUAL):
        server.add_key(KEY, DESK, connector)
    for connector in (SPOT, PERPETUAL):
        address = f"/accounts/{DESK}/connectors/{connector}"
        server.until("it takes orders", lambda: server.call("GET", address)["phase"] == "ready")  # noqa: B023
    return DESK


async def until(what: str, look: Callable[[], Awaitable[Any]]) -> Any:
    """Look until there is something to see."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not (seen := await look()):
                await asyncio.sleep(0.1)
            return seen
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE:g} s in vain until {what}") from None


async def test_accounts_and_credentials(client: Client) -> None:
    accounts = client.accounts

    await accounts.add_account("client-accounts")
    await accounts.add_credential(
        "client-accounts", SPOT, {"sandbox_api_key": KEY, "sandbox_api_secret": "secret"}
    )
    listed = await accounts.list_accounts()
    held = await accounts.list_account_credentials("client-accounts")
    await accounts.delete_credential("client-accounts", SPOT)
    left = await accounts.list_account_credentials("client-accounts")
    await accounts.delete_account("client-accounts")

    assert {"master_account", "client-accounts"} <= set(listed)
    assert (held, left) == ([SPOT], [])
    assert "client-accounts" not in await accounts.list_accounts()


async def test_connectors(client: Client) -> None:
    connectors = client.connectors

    assert {SPOT, PERPETUAL} <= set(await connectors.list_connectors())
    assert set(await connectors.get_config_map(SPOT)) == {"sandbox_api_key", "sandbox_api_secret"}
    assert PAIR in await connectors.get_trading_rules(SPOT)
    assert set(await connectors.get_trading_rules(SPOT, [PAIR, "ETH-USDT"])) == {PAIR, "ETH-USDT"}
    assert "LIMIT" in (await connectors.get_supported_order_types(SPOT))["supported_order_types"]


async def test_orders_and_trades(client: Client, desk: str) -> None:
    trading = client.trading

    resting = await trading.place_order(desk, SPOT, PAIR, "BUY", 0.01, order_type="LIMIT", price=40000.0)
    bought = await trading.place_order(desk, SPOT, PAIR, "BUY", 0.01)

    async def active() -> set[str]:
        page = await trading.get_active_orders(account_names=[desk], connector_names=[SPOT], trading_pairs=[PAIR])
        return {order["order_id"] for order in page["data"]}

    async def traded() -> bool:
        page = await trading.get_trades(account_names=[desk], trading_pairs=[PAIR], trade_types=["BUY"])
        return bought["order_id"] in {trade["order_id"] for trade in page["data"]}

    assert resting["order_id"] in await active()
    assert await until("the trade is told", traded)
    await trading.cancel_order(desk, SPOT, resting["order_id"])
    assert resting["order_id"] not in await active()
    cancelled = await trading.search_orders(account_names=[desk], status="CANCELLED", limit=10)
    assert resting["order_id"] in {order["order_id"] for order in cancelled["data"]}
    recent = await trading.get_recent_trades(PAIR, desk)
    assert bought["order_id"] in str(recent)


async def test_positions(client: Client, desk: str) -> None:
    trading = client.trading

    await trading.set_position_mode(desk, PERPETUAL, "ONEWAY")
    assert (await trading.get_position_mode(desk, PERPETUAL))["position_mode"] == "ONEWAY"
    await trading.set_leverage(desk, PERPETUAL, PAIR, 5)
    await trading.place_order(desk, PERPETUAL, PAIR, "BUY", 0.02, position_action="OPEN")

    async def held() -> Any:
        page = await trading.get_positions(account_names=[desk], connector_names=[PERPETUAL])
        return page["data"]

    position = (await until("the position is there", held))[0]
    assert (position["side"], position["amount"], position["leverage"]) == ("LONG", 0.02, 5)
    assert await trading.get_open_positions(desk)
    assert (await trading.get_funding_payments(account_names=[desk]))["data"] == []
    await trading.place_order(desk, PERPETUAL, PAIR, "SELL", 0.02, position_action="CLOSE")

    async def gone() -> bool:
        return not await held()

    assert await until("the position is gone", gone)


async def test_portfolio(client: Client, desk: str) -> None:
    portfolio = client.portfolio

    state = await portfolio.get_state([desk], refresh=True)
    distribution = await portfolio.get_distribution([desk], [SPOT])
    shares = await portfolio.get_accounts_distribution()

    async def kept() -> Any:
        history = await portfolio.get_history([desk], limit=1, interval="1h")
        return set(history["data"][0]["state"][desk]) == {SPOT, PERPETUAL} if history["data"] else None

    assert await until("what the account holds is kept", kept)
    assert set(state[desk]) == {SPOT, PERPETUAL}
    assert {"USDT", "BTC"} <= {row["token"] for row in distribution["distribution"]}
    assert desk in {row["account"] for row in shares["distribution"]}
    assert await portfolio.get_total_value(desk) > 0
    assert (await portfolio.get_token_holdings("BTC", desk))["total_units"] > 0
    assert (await portfolio.get_portfolio_summary(desk))["total_value"] > 0


async def test_candles_and_prices(client: Client) -> None:
    market = client.market_data

    candles = await market.get_candles(SPOT, PAIR, "1m", 20)
    history = await market.get_historical_candles(PERPETUAL, PAIR, "1h", 1795010400, 1795096800)
    days = await market.get_candles_last_days(SPOT, PAIR, 1)
    prices = await market.get_prices(SPOT, [PAIR, "ETH-USDT"])
    one = await market.get_prices(SPOT, PAIR)
    funding = await market.get_funding_info(PERPETUAL, PAIR)
    tickers = await market.get_tickers([SPOT, PERPETUAL], refresh=True)
    rates = await market.get_rates([PAIR, "SOL-ETH"])

    assert len(candles) == 20
    # Both ends belong to the stretch.
    assert len(history) == 25
    assert 24 <= len(days) <= 25
    assert set(prices["prices"]) == {PAIR, "ETH-USDT"}
    assert set(one["prices"]) == {PAIR}
    assert funding["mark_price"] > 0
    assert tickers["tickers"][SPOT][PAIR]["volume"] >= 0
    assert set(tickers["errors"]) == {PERPETUAL}
    assert rates["rates"].keys() == {PAIR, "SOL-ETH"}
    assert all(rate > 0 for rate in rates["rates"].values())
    assert {SPOT, PERPETUAL} <= set(await market.get_available_candle_connectors())
    assert f"candles_{SPOT}_{PAIR}_1m" in await market.get_active_feeds()
    assert (await market.get_market_data_settings())["feed_timeout"] > 0


async def test_order_books(client: Client) -> None:
    market = client.market_data

    book = await market.get_order_book(SPOT, PAIR, 5)
    worst = await market.get_price_for_volume(SPOT, PAIR, 1.0, is_buy=True)
    volume = await market.get_volume_for_price(SPOT, PAIR, 1e6, is_buy=True)
    quote = await market.get_price_for_quote_volume(SPOT, PAIR, 5000.0, is_buy=True)
    whole = await market.get_quote_volume_for_price(SPOT, PAIR, 1e6, is_buy=True)
    average = await market.get_vwap_for_volume(SPOT, PAIR, 1.0, is_buy=False)

    assert len(book["bids"]) == len(book["asks"]) == 5
    assert worst["result_price"] >= book["bids"][0]["price"]
    assert volume["result_volume"] > 1
    assert quote["result_price"] > 0
    assert whole["result_quote_volume"] > 5000
    assert average["average_price"] > 0
    assert (await market.add_trading_pair(SPOT, "SOL-USDT"))["success"]
    assert (await market.get_order_book_diagnostics(SPOT))["has_order_book_tracker"]
    assert (await market.restart_order_book_tracker(SPOT))["success"]
    assert (await market.remove_trading_pair(SPOT, "SOL-USDT"))["success"]


async def test_controllers_and_their_configurations(client: Client) -> None:
    controllers = client.controllers
    config = {"id": "small_1", "controller_name": "small", "controller_type": "generic", "size": 4}

    await controllers.create_or_update_controller("generic", "small", {"content": TINY_CONTROLLER})
    assert "small" in (await controllers.list_controllers())["generic"]
    assert (await controllers.get_controller("generic", "small"))["content"] == TINY_CONTROLLER
    assert "size" in await controllers.get_controller_config_template("generic", "small")
    await controllers.validate_controller_config("generic", "small", config)
    await controllers.create_or_update_controller_config("small_1", config)
    assert (await controllers.get_controller_config("small_1"))["size"] == 4
    assert "small_1" in {one["id"] for one in await controllers.list_controller_configs()}
    await controllers.delete_controller_config("small_1")
    await controllers.delete_controller("generic", "small")
    assert "small" not in (await controllers.list_controllers())["generic"]


async def test_scripts_and_their_configurations(client: Client) -> None:
    scripts = client.scripts

    await scripts.create_or_update_script("small", {"content": TINY_SCRIPT})
    assert "small" in await scripts.list_scripts()
    assert (await scripts.get_script("small"))["content"] == TINY_SCRIPT
    assert (await scripts.get_script_config_template("small"))["script_file_name"] == "small.py"
    await scripts.create_or_update_script_config("small_1", {"script_file_name": "small.py"})
    assert (await scripts.get_script_config("small_1"))["script_file_name"] == "small.py"
    assert "small_1" in {one["config_name"] for one in await scripts.list_script_configs()}
    await scripts.delete_script_config("small_1")
    await scripts.delete_script("small")
    assert "small" not in await scripts.list_scripts()


async def test_a_bot_from_its_deployment_to_the_archive(client: Client, desk: str) -> None:
    bots = client.bot_orchestration
    await client.controllers.create_or_update_controller_config("client_pmm", CONTROLLER)

    deployed = await bots.deploy_v2_controllers(
        "client-bot", desk, ["client_pmm"], max_global_drawdown_quote=500.0
    )
    assert deployed["success"]
    name = deployed["unique_instance_name"]

    async def state() -> str:
        return str((await bots.get_bot_status(name))["data"]["status"])

    async def reports() -> Any:
        latest = await bots.get_latest_controller_performance(name)
        return await state() == "running" and latest["data"]

    report = (await until("the bot reports", reports))[0]
    assert (report["bot_name"], report["controller_id"]) == (name, "client_pmm")
    assert name in (await bots.get_active_bots_status())["data"]
    configs = await client.controllers.get_bot_controller_configs(name)
    assert [config["id"] for config in configs] == ["client_pmm"]
    await client.controllers.update_bot_controller_config(name, "client_pmm", {"executor_refresh_time": 61})
    history = await bots.get_controller_performance_history(bot_name=name, controller_id="client_pmm", limit=5)
    assert history["status"] == "success"

    async with client.ws.executors() as socket:
        await socket.subscribe_all_bots_status(update_interval=0.5)
        told = await asyncio.wait_for(socket.receive(), PATIENCE)
    assert told["data"][name]["status"] == "running"

    runs = await bots.get_bot_runs(bot_name=name, include_final_status=True)
    run = await bots.get_bot_run(runs["data"][0]["id"])
    assert run["data"]["bot_name"] == name

    assert (await bots.stop_bot(name))["response"]["success"]

    async def stopped() -> bool:
        return await state() == "stopped"

    await until("the bot has stopped", stopped)
    assert (await bots.start_bot(name))["response"]["success"]

    async def running() -> bool:
        return await state() == "running"

    await until("the bot runs again", running)
    archived = await bots.stop_and_archive_bot(name)
    assert archived["status"] == "success"

    async def away() -> bool:
        return name not in (await bots.get_active_bots_status())["data"]

    await until("the bot is archived", away)


async def test_a_script_is_deployed(client: Client, desk: str) -> None:
    bots = client.bot_orchestration
    await client.controllers.create_or_update_controller_config(
        "client_script", {**CONTROLLER, "id": "client_script"}
    )
    await client.scripts.create_or_update_script_config(
        "client_script",
        {"script_file_name": "v2_with_controllers.py", "controllers_config": ["client_script.yml"]},
    )

    deployed = await bots.deploy_v2_script(
        "client-script", desk, script="v2_with_controllers", script_config="client_script"
    )
    name = deployed.get("unique_instance_name", "")
    runs = (await bots.get_bot_runs(bot_name=name))["data"]
    await bots.stop_and_archive_bot(name)

    async def archived() -> bool:
        return (await bots.get_bot_status(name))["data"]["status"] == "not_found"

    await until("it is archived", archived)
    await bots.delete_bot_run(runs[0]["id"])

    assert deployed["success"]
    assert (await bots.get_bot_runs(bot_name=name))["data"] == []


async def test_market_data_over_a_websocket(client: Client) -> None:
    wanted = {"candles", "order_book", "trades"}

    async with client.ws.market_data() as socket:
        assert (await socket.ping())["type"] == "pong"
        book = await socket.subscribe_order_book(PERPETUAL, PAIR, depth=3, update_interval=0.5)
        seen: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE):
            while "order_book" not in seen:
                told = await socket.receive()
                seen[told["type"]] = told["data"]
    async with client.ws.market_data() as socket:
        await socket.subscribe_candles(SPOT, PAIR, max_records=5, update_interval=0.5)
        async with asyncio.timeout(PATIENCE):
            while "candles" not in seen:
                told = await socket.receive()
                seen[told["type"]] = told["data"]
    async with client.ws.market_data() as socket:
        await socket.subscribe_trades(PERPETUAL, PAIR, update_interval=0.5)
        async with asyncio.timeout(PATIENCE):
            while not wanted <= set(seen):
                told = await socket.receive()
                seen[told["type"]] = told["data"]

    assert book == f"order_book_{PERPETUAL}_{PAIR}"
    assert mismatches(seen["order_book"], {"bids": [[NUMBER]], "asks": [[NUMBER]]}) == []
    assert len(seen["order_book"]["bids"]) == 3
    assert len(seen["candles"]) == 5
    assert mismatches(seen["candles"], [Each(NUMBER)]) == []
    assert {trade["side"] for trade in seen["trades"]} <= {"buy", "sell"}


async def test_a_subscription_and_its_end(client: Client) -> None:
    async with client.ws.executors() as socket:
        name = await socket.subscribe_all_bots_status(update_interval=60.0)
        # The client takes the next frame for the answer, so the first status has to be out of the way.
        told = await asyncio.wait_for(socket.receive(), PATIENCE)
        await socket.unsubscribe(name)

    assert told["type"] == "all_bots_status"


async def test_wrong_requests_become_the_clients_errors(client: Client, server: Server) -> None:
    with pytest.raises(Exception, match="'nosuch'") as refused:
        await client.accounts.list_account_credentials("nosuch")
    assert refused.value.status == 404

    stranger = released.HummingbotAPIClient(server.client.url, "admin", "wrong")
    await stranger.init()
    try:
        with pytest.raises(Exception, match="Incorrect username or password") as closed:
            await stranger.accounts.list_accounts()
        with pytest.raises(RuntimeError, match="Authentication failed"):
            async with stranger.ws.market_data():
                pass
    finally:
        await stranger.close()
    assert closed.value.status == 401
