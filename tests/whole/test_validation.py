"""A configuration that no bot could run is refused in the same words wherever it turns up, and changes nothing."""

from typing import Any

import pytest
import yaml
from aviary.commands.client import Refused
from sample_strategies import CONTROLLER
from whole_server import Server

KEY = "sandbox-validation"

CANDLES = """
from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
)


class FollowerConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "follower"
    candles_connector: str = None
    candles_trading_pair: str = None
    interval: str = "1m"


class Follower(DirectionalTradingControllerBase):
    def get_candles_config(self):
        return [
            CandlesConfig(
                connector=self.config.candles_connector,
                trading_pair=self.config.candles_trading_pair,
                interval=self.config.interval,
                max_records=100,
            )
        ]

    async def update_processed_data(self):
        self.processed_data["signal"] = 0

    def get_executor_config(self, trade_type, price, amount):
        return None
"""
"""A directional controller as people write them: its candles are named by fields that default to nothing."""

QUOTES = {"id": "valid", **CONTROLLER, "buy_spreads": [0.05], "sell_spreads": [0.05]}

FOLLOWS: dict[str, Any] = {
    "id": "follows",
    "controller_name": "follower",
    "controller_type": "directional_trading",
    "connector_name": "sandbox_perpetual",
    "trading_pair": "BTC-USDT",
    "total_amount_quote": 1000,
    "leverage": 5,
    "position_mode": "ONEWAY",
    "candles_connector": "sandbox_perpetual",
    "candles_trading_pair": "BTC-USDT",
    "interval": "1m",
}

WRONG: tuple[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]], ...] = (
    (QUOTES, {"connector_name": "not_a_connector"}, ("connector_name", "not_a_connector")),
    (QUOTES, {"connector_name": "Sandbox"}, ("connector_name", "sandbox")),
    (QUOTES, {"trading_pair": "NOPE-USDT"}, ("trading_pair", "NOPE-USDT", "BTC-USDT")),
    (QUOTES, {"trading_pair": "btc-usdt"}, ("trading_pair", "did you mean BTC-USDT")),
    (QUOTES, {"trading_pair": "BTCUSDT"}, ("trading_pair", "did you mean BTC-USDT")),
    (QUOTES, {"trading_pair": "BTC/USDT"}, ("trading_pair", "did you mean BTC-USDT")),
    (QUOTES, {"trading_pair": " BTC-USDT"}, ("trading_pair", "did you mean BTC-USDT")),
    (QUOTES, {"trading_pair": ""}, ("trading_pair",)),
    (QUOTES, {"total_amount_quote": -5}, ("total_amount_quote",)),
    (QUOTES, {"total_amount_quote": 0}, ("total_amount_quote",)),
    (QUOTES, {"total_amount_quote": 1}, ("total_amount_quote", "below")),
    (QUOTES, {"leverage": 0}, ("leverage",)),
    (QUOTES, {"leverage": 1000}, ("leverage",)),
    (QUOTES, {"buy_spreads": "abc"}, ("buy_spreads",)),
    (QUOTES, {"no_such_field": 5}, ("no_such_field",)),
    (FOLLOWS, {"interval": "2m"}, ("interval", "2m", "1m")),
    (FOLLOWS, {"interval": "1 minute"}, ("interval", "1m")),
    (FOLLOWS, {"candles_connector": "not_an_exchange"}, ("candles_connector", "not_an_exchange")),
    (FOLLOWS, {"candles_trading_pair": "XDC-USDT"}, ("candles_trading_pair", "XDC-USDT")),
    (FOLLOWS, {"candles_trading_pair": "btc-usdt"}, ("candles_trading_pair", "did you mean BTC-USDT")),
    (FOLLOWS, {"candles_connector": None, "candles_trading_pair": None}, ("connector", "trading_pair")),
    (FOLLOWS, {"position_mode": "DIAGONAL"}, ("position_mode",)),
)


@pytest.fixture(scope="module")
def desk(server: Server) -> Server:
    """The server with keys, a controller of somebody's, and a bot for each of two configurations."""
    for connector in ("sandbox", "sandbox_perpetual"):
        server.add_key(KEY, connector=connector)
    server.call("POST", "/accounts/add-account?account_name=poor")
    server.call("POST", "/controllers/directional_trading/follower", {"content": CANDLES})
    for config in (QUOTES, FOLLOWS):
        name = config["id"]
        server.call("POST", f"/controllers/configs/{name}", config)
        server.call("POST", "/bot-orchestration/deploy", {"instance_name": name, "controllers_config": [name]})
    for config in (QUOTES, FOLLOWS):
        server.until("it runs", lambda: state(server, config["id"]) == "running")  # noqa: B023
    return server


def state(server: Server, bot: str) -> str:
    return str(server.call("GET", f"/bot-orchestration/bots/{bot}/status")["data"]["state"])


def refusal(server: Server, method: str, path: str, body: object) -> str:
    with pytest.raises(Refused) as refused:
        server.call(method, path, body)
    assert refused.value.status == 400, refused.value.body
    return str(refused.value.body)


def files(server: Server) -> dict[str, bytes]:
    bots = server.home / "bots"
    places = [bots / "conf", *(bots / "instances" / name / "conf" for name in ("valid", "follows"))]
    return {
        str(path): path.read_bytes() for place in places for path in place.rglob("*.yml") if "fee" not in path.name
    }


@pytest.mark.parametrize(
    ("config", "change", "words"), WRONG, ids=lambda one: repr(one) if "id" not in one else ""
)
def test_a_configuration_is_refused_wherever_it_turns_up(
    desk: Server, config: dict[str, Any], change: dict[str, Any], words: tuple[str, ...]
) -> None:
    wrong = {**config, **change, "id": "wrong"}
    before = files(desk)
    bots = len(desk.call("GET", "/bot-orchestration/bots"))
    one = f"/controllers/{config['controller_type']}/{config['controller_name']}/config/validate"
    name = config["id"]

    told = {
        "validate": refusal(desk, "POST", one, wrong),
        "save": refusal(desk, "POST", "/controllers/configs/wrong", wrong),
        "change": refusal(desk, "POST", f"/controllers/bots/{name}/{name}/config", change),
        "put": refusal(desk, "PUT", f"/bot-orchestration/bots/{name}/config", change),
        "everywhere": refusal(desk, "PUT", f"/controllers/{name}/config", change),
    }
    assert files(desk) == before
    # As it may have been left by an older version, or by an editor.
    left = desk.home / "bots" / "conf" / "controllers" / "wrong.yml"
    left.write_text(yaml.safe_dump(wrong))
    script = desk.home / "bots" / "conf" / "scripts" / "wrong.yml"
    script.write_text("script_file_name: v2_with_controllers.py\ncontrollers_config: [wrong.yml]\n")
    deploy = {"instance_name": "wrong", "controllers_config": ["wrong"]}
    told["deploy"] = refusal(desk, "POST", "/bot-orchestration/deploy-v2-controllers", deploy)
    by_script = {"instance_name": "wrong", "script_config": "wrong"}
    told["script"] = refusal(desk, "POST", "/bot-orchestration/deploy-v2-script", by_script)
    left.unlink()
    script.unlink()

    for where, text in told.items():
        assert [word for word in words if word not in text] == [], (where, text)
        assert "Traceback" not in text
    assert files(desk) == before
    assert len(desk.call("GET", "/bot-orchestration/bots")) == bots
    assert state(desk, name) == "running"


def test_a_deployment_without_keys_is_refused_by_the_name_of_the_connector(desk: Server) -> None:
    deploy = {"instance_name": "b", "credentials_profile": "poor", "controllers_config": ["follows"]}

    told = refusal(desk, "POST", "/bot-orchestration/deploy-v2-controllers", deploy)

    assert "credentials_profile" in told or "credentials" in told
    assert "sandbox_perpetual" in told


def test_what_is_good_is_called_good_and_leftovers_are_told(desk: Server) -> None:
    one = "/controllers/market_making/pmm_simple/config/validate"

    plain = desk.call("POST", one, QUOTES)
    old = desk.call("POST", one, {**QUOTES, "candles_config": [], "config_name": "x"})
    saved = desk.call(
        "POST", "/controllers/configs/old", {**QUOTES, "id": "old", "candles_config": [], "markets": {}}
    )

    assert (plain["message"], plain["warnings"]) == ("Configuration is valid", [])
    assert ["candles_config" in warning or "config_name" in warning for warning in old["warnings"]] == [True, True]
    assert len(saved["warnings"]) == 2
    assert "candles_config" not in desk.call("GET", "/controllers/configs/old")
    desk.call("DELETE", "/controllers/configs/old")


def test_an_exchange_that_does_not_answer_is_no_reason_to_refuse(desk: Server) -> None:
    desk.faults("http_5xx", 60)
    try:
        answer = desk.call("POST", "/controllers/configs/later", {**QUOTES, "id": "later", "stop_loss": 0.2})
    finally:
        desk.exchange_call("DELETE", "/_sandbox/faults")

    assert answer["message"]
    desk.call("DELETE", "/controllers/configs/later")


def test_a_change_says_of_each_field_what_became_of_it(desk: Server) -> None:
    answer = desk.call("POST", "/controllers/bots/follows/follows/config", {"take_profit": 0.05, "interval": "5m"})

    assert answer["fields"] == {"take_profit": "applied", "interval": "applies at next start"}
    desk.call("POST", "/controllers/bots/follows/follows/config", {"interval": "1m"})
    (config,) = desk.call("GET", "/controllers/bots/follows/configs")
    assert "_applies_at_next_start" not in config


def test_a_refused_change_says_of_each_field_that_it_was_not_made(desk: Server) -> None:
    with pytest.raises(Refused) as refused:
        desk.call("POST", "/controllers/bots/follows/follows/config", {"take_profit": 0.05, "interval": "2m"})

    assert refused.value.status == 400
    assert "interval" in str(refused.value.body)
