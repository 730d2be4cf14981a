"""Executors over `/ws/executors`."""

from __future__ import annotations

from typing import Any

import pytest
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import NotFound
from aviary.actors.core.simulation import Probe
from aviary.actors.messages.executors import (
    REGISTRY,
    ExecutorLogs,
    GetExecutor,
    GetExecutorLogs,
    GetExecutorsPerformance,
    GetExecutorsSummary,
    ListActiveExecutors,
    ListPositionsHeld,
    LoggedLine,
)
from aviary.http.streams import executor_hub
from aviary.supervisors.spec import ChildSpec
from front_end import FrontEnd, front_end

PATH = "/ws/executors"

LINE: dict[str, Any] = {
    "timestamp": "2026-11-25T00:00:00+00:00",
    "level": "INFO",
    "message": "begun",
    "exc_info": None,
}


class Registry:
    """A registry of executors that the test changes."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked: list[Message[Any]] = []
        self.spec = ChildSpec(REGISTRY, lambda: Probe(self._answer))

    def _answer(self, message: Message[Any]) -> object:
        self.asked.append(message)
        match message:
            case ListActiveExecutors(account_name=account):
                data = [row for row in self.rows.values() if account in {None, row["account_name"]}]
                return {"data": data, "total_count": len(data)}
            case GetExecutor(executor_id=name):
                if name not in self.rows:
                    raise NotFound("nobody")
                return self.rows[name]
            case GetExecutorsSummary():
                return {"total_active": len(self.rows)}
            case GetExecutorsPerformance(controller_id=controller):
                return {"controller_id": controller, "total_executors": len(self.rows)}
            case ListPositionsHeld():
                return {"positions": []}
            case GetExecutorLogs(level=level):
                logs = (LoggedLine(**LINE),) if level in {None, "INFO"} else ()
                return ExecutorLogs(executor_id="a", logs=logs, total_count=len(logs))
            case _:
                raise AssertionError

    def change(self, front: FrontEnd, name: str, **values: Any) -> None:
        """An executor changes, and its actor says so."""
        self.rows[name] = {"executor_id": name, "account_name": "desk", **values}
        front.system.bus.publish(f"executors/{name}/row", self.rows[name])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_hub, "SHORTEST", 0.01)


@pytest.mark.parametrize(
    ("kind", "more", "name"),
    [
        ("executors", {"filters": {"account_name": "desk"}}, "executors_"),
        ("executor_detail", {"executor_id": "a"}, "executor_detail_a"),
        ("executor_summary", {}, "executor_summary"),
        ("performance", {"controller_id": "main"}, "performance_main"),
    ],
)
async def test_each_topic_tells_at_once_and_then_only_what_changed(
    kind: str, more: dict[str, Any], name: str
) -> None:
    registry = Registry()
    async with front_end((), registry.spec) as front, front.socket(PATH) as client:
        await client.hear()
        registry.change(front, "a", status="RUNNING")
        answer = await client.ask(action="subscribe", type=kind, update_interval=0.1, **more)
        assert answer["subscription_id"].startswith(name)
        assert (answer["subscription_type"], answer["update_interval"]) == (kind, 0.5)
        first = await client.hear()
        assert (first["type"], first["subscription_id"], first["sequence"]) == (kind, answer["subscription_id"], 1)

        # The same again is no news.
        registry.change(front, "a", status="RUNNING")
        registry.change(front, "b", status="RUNNING")
        registry.change(front, "a", status="TERMINATED")
        second = await client.hear()

        assert second["sequence"] == 2
        assert second["data"] != first["data"]
        if kind == "executors":
            assert [row["status"] for row in second["data"]] == ["TERMINATED", "RUNNING"]
            assert second["total_count"] == 2


async def test_a_question_is_asked_once_for_all_who_want_its_answer() -> None:
    registry = Registry()
    async with front_end((), registry.spec) as front, front.socket(PATH) as one, front.socket(PATH) as other:
        for client in (one, other):
            await client.hear()
            await client.ask(action="subscribe", type="positions")
            assert (await client.hear())["data"] == {"positions": []}

        assert len(registry.asked) == 1
        await one.ask(action="unsubscribe", subscription_id="positions_all")
        assert (await other.ask(action="ping"))["type"] == "pong"


async def test_an_unknown_executor_is_null() -> None:
    async with front_end((), Registry().spec) as front, front.socket(PATH) as client:
        await client.hear()
        await client.ask(action="subscribe", type="executor_detail", executor_id="nosuch")
        assert (await client.hear())["data"] is None


async def test_logs_begin_with_what_there_is_and_go_on_with_new_lines_of_the_level() -> None:
    registry = Registry()
    async with front_end((), registry.spec) as front, front.socket(PATH) as client:
        await client.hear()
        await client.ask(action="subscribe", type="executor_logs", executor_id="a", update_interval=0.5)
        first = await client.hear()
        assert (first["data"], first["total_count"]) == ([LINE], 1)

        error = {**LINE, "level": "ERROR", "message": "no"}
        front.system.bus.publish("executors/a/lines", [LINE, error])
        front.system.bus.publish("executors/b/lines", [LINE])
        second = await client.hear()
        assert (second["data"], second["total_count"]) == ([LINE, error], 3)

        await client.ask(action="subscribe", type="executor_logs", executor_id="a", level="error")
        front.system.bus.publish("executors/a/lines", [LINE, error])
        third = await client.hear()
        assert (third["data"], third["total_count"]) == ([error], 1)


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "weather"},
        {"type": ["executors"]},
        {"type": "executor_detail"},
        {"type": "executor_detail", "executor_id": 7},
        {"type": "executors", "filters": {"colour": "red"}},
        {"type": "executors", "filters": "all"},
        {"type": "executors", "filters": {"status": 1}},
        {"type": "performance", "controller_id": {}},
        {"type": "executor_logs", "executor_id": "a", "level": "LOUD"},
        {"type": "executor_logs", "executor_id": "a", "limit": 0},
        {"type": "positions", "update_interval": "soon"},
    ],
)
async def test_what_makes_no_sense_is_answered_with_an_error(frame: dict[str, Any]) -> None:
    async with front_end((), Registry().spec) as front, front.socket(PATH) as client:
        await client.hear()
        assert (await client.ask(action="subscribe", **frame))["type"] == "error"
