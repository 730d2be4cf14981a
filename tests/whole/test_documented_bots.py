"""The documented routes of bots, over HTTP, with real bots."""

from collections.abc import Iterator
from typing import Any

import pytest
from aviary.commands.client import Refused
from whole_server import Server

KEY = "sandbox-documented"

CONTROLLER = {
    "id": "quoter",
    "controller_name": "pmm_simple",
    "controller_type": "market_making",
    "connector_name": "sandbox",
    "trading_pair": "ETH-USDT",
    "total_amount_quote": 500,
    "buy_spreads": [0.01],
    "sell_spreads": [0.01],
    "executor_refresh_time": 60,
}

SCRIPT = {"script_file_name": "v2_with_controllers.py", "controllers_config": ["quoter.yml"]}


@pytest.fixture(scope="module")
def desk(server: Server) -> Server:
    """The server with a key, a controller's configuration and a script's."""
    server.add_key(KEY)
    server.call("POST", "/controllers/configs/quoter", CONTROLLER)
    server.call("POST", "/scripts/configs/quoting", SCRIPT)
    return server


@pytest.fixture(autouse=True)
def _stop_bots(desk: Server) -> Iterator[None]:
    yield
    for bot in desk.call("GET", "/bot-orchestration/bots"):
        if bot["state"] != "stopped":
            desk.call("POST", f"/bot-orchestration/bots/{bot['name']}/stop")
    desk.until("no order is left", lambda: not desk.open_orders(KEY))
    desk.until(
        "every bot has stopped", lambda: all(not bot["pid"] for bot in desk.call("GET", "/bot-orchestration/bots"))
    )


def quotes(server: Server) -> bool:
    return len(server.open_orders(KEY)) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/bot-orchestration/deploy", {"instance_name": "a-1", "controllers_config": ["quoter"]}),
        ("/controllers/quoter/deploy", {"instance_name": "a-2"}),
        ("/scripts/run", {"instance_name": "a-3", "script": "v2_with_controllers", "script_config": "quoting"}),
    ],
)
def test_a_bot_that_is_deployed_over_a_documented_route_quotes(
    desk: Server, path: str, body: dict[str, Any]
) -> None:
    desk.call("POST", path, {**body, "credentials_profile": "master_account"})

    desk.until("it quotes", lambda: quotes(desk))

    status = desk.call("GET", f"/bot-orchestration/bots/{body['instance_name']}/status")["data"]
    assert status["state"] in {"starting", "running"}


def test_a_changed_configuration_takes_effect_in_the_running_bot(desk: Server) -> None:
    desk.call("POST", "/bot-orchestration/deploy", {"instance_name": "b-1", "controllers_config": ["quoter"]})
    desk.until("it quotes", lambda: quotes(desk))

    desk.call("PUT", "/bot-orchestration/bots/b-1/config", {"manual_kill_switch": True})

    desk.until("its orders are gone", lambda: not desk.open_orders(KEY))


@pytest.mark.parametrize(
    ("change", "word"),
    [({"total_amount_quote": "much"}, "total_amount_quote"), ({"buy_spreads": "wide"}, "buy_spreads")],
)
def test_an_impossible_configuration_is_refused_before_anything_is_made(
    desk: Server, change: dict[str, Any], word: str
) -> None:
    before = {bot["name"] for bot in desk.call("GET", "/bot-orchestration/bots")}

    with pytest.raises(Refused) as refused:
        desk.call("POST", "/controllers/configs/wrong", {**CONTROLLER, **change, "id": "wrong"})
        desk.call("POST", "/bot-orchestration/deploy", {"instance_name": "c-1", "controllers_config": ["wrong"]})

    assert 400 <= refused.value.status < 500
    assert word in str(refused.value.body)
    assert {bot["name"] for bot in desk.call("GET", "/bot-orchestration/bots")} == before
