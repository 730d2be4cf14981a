"""Bot states over `/ws/executors`."""

from __future__ import annotations

from typing import Any

import pytest
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Unavailable
from aviary.actors.core.simulation import Probe
from aviary.actors.messages.bots import BotStatus, FindBot, ListBots
from aviary.supervisors.spec import ChildSpec
from front_end import front_end

PATH = "/ws/executors"


class Bots:
    """A registry of bots that the test changes."""

    def __init__(self, **bots: BotStatus) -> None:
        self.bots = bots
        self.away = False
        self.spec = ChildSpec("bot-registry", lambda: Probe(self._answer))

    def _answer(self, message: Message[Any]) -> object:
        if self.away:
            raise Unavailable("the registry is away")
        match message:
            case ListBots():
                return dict(self.bots)
            case FindBot():
                return self.bots.get(message.bot_name)
            case _:
                raise AssertionError


async def test_all_bots_are_told_at_once_and_when_something_changed() -> None:
    bots = Bots()
    async with front_end((), bots.spec) as front, front.socket(PATH) as client:
        assert len((await client.hear())["connection_id"]) == 12
        assert await client.ask(action="subscribe", type="all_bots_status", update_interval=0.1) == {
            "type": "subscribed",
            "subscription_id": "all_bots_status",
            "subscription_type": "all_bots_status",
            "update_interval": 0.5,
        }
        first = await client.hear()
        assert list(first)[:4] == ["type", "subscription_id", "data", "bot_count"]
        assert (first["data"], first["bot_count"]) == ({}, 0)

        performance = {"pmm": {"performance": {"global_pnl_quote": 1.5}, "custom_info": {}}}
        bots.bots["mm-1"] = BotStatus(name="mm-1", state="running", performance=performance, recently_active=True)
        second = await client.hear()

        assert (second["bot_count"], second["sequence"]) == (1, 2)
        told = second["data"]["mm-1"]
        assert (told["status"], told["recently_active"]) == ("running", True)
        assert told["performance"]["pmm"] == {"status": "running", **performance["pmm"]}


async def test_one_bot_is_told_and_an_unknown_one_is_not_found() -> None:
    bots = Bots(a=BotStatus(name="a", state="stopped"))
    async with front_end((), bots.spec) as front, front.socket(PATH) as client:
        await client.hear()
        answer = await client.ask(action="subscribe", type="bot_status", bot_name="a")
        assert answer["subscription_id"] == "bot_status_a"
        known = (await client.hear())["data"]
        await client.ask(action="subscribe", type="bot_status", bot_name="b")
        unknown = (await client.hear())["data"]

        assert (known["bot_name"], known["status"]) == ("a", "stopped")
        assert unknown == {"bot_name": "b", "status": "not_found", "performance": {}, "recently_active": False}


async def test_a_registry_that_is_away_is_told_once_and_the_subscription_goes_on() -> None:
    bots = Bots()
    bots.away = True
    async with front_end((), bots.spec) as front, front.socket(PATH) as client:
        await client.hear()
        await client.ask(action="subscribe", type="all_bots_status", update_interval=0.5)
        trouble = await client.hear()
        bots.away = False

        assert (trouble["type"], trouble["message"]) == ("error", "the registry is away")
        assert (await client.hear())["type"] == "all_bots_status"


async def test_an_unknown_type_and_a_missing_name_are_errors() -> None:
    async with front_end((), Bots().spec) as front, front.socket(PATH) as client:
        await client.hear()
        unknown = await client.ask(action="subscribe", type="weather")
        missing = await client.ask(action="subscribe", type="bot_status")

        assert unknown["message"].startswith("Unknown subscription type: weather. Valid types: ['all_bots_status'")
        assert missing["message"] == "Missing required field: bot_name"


@pytest.mark.parametrize("seconds", [-1, 0, 1e308, "1", True])
async def test_an_interval_that_nobody_can_mean_is_refused(seconds: object) -> None:
    async with front_end((), Bots().spec) as front, front.socket(PATH) as client:
        await client.hear()

        answer = await client.ask(action="subscribe", type="all_bots_status", update_interval=seconds)

        assert (answer["type"], "update_interval" in answer["message"]) == ("error", True)
