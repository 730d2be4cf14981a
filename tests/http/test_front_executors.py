"""How refusals of executors are told over REST."""

from typing import Any

from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Invalid
from aviary.actors.core.simulation import Probe
from aviary.actors.messages.executors import (
    REGISTRY,
    ConfigRefused,
    CreateExecutor,
    ExecutorLogs,
    GetExecutorLogs,
    LoggedLine,
    SearchExecutors,
    StopExecutor,
    StoppedExecutor,
)
from aviary.http.routes.executors import ROWS
from aviary.supervisors.spec import ChildSpec
from front_end import front_end

WRONG = {
    "loc": ["body", "executor_config", "triple_barrier_config", "stop_loss"],
    "msg": "stop_loss (-1) must be greater than 0",
    "type": "value_error",
    "input": "-1",
}


def line(text: str) -> LoggedLine:
    return LoggedLine(timestamp="2026-11-25T00:00:00+00:00", level="INFO", message=text, exc_info=None)


def answer(message: Message[Any]) -> object:
    match message:
        case CreateExecutor():
            raise ConfigRefused((WRONG,))
        case SearchExecutors():
            raise Invalid("cursor: none of our pages gave this one", "cursor")
        case StopExecutor(executor_id=name, keep_position=keep):
            return StoppedExecutor(executor_id=name, status="stopping", keep_position=keep)
        case GetExecutorLogs(executor_id=name, level=level, limit=limit):
            return ExecutorLogs(executor_id=name, logs=(line(f"{level} {limit}"),), total_count=1)
        case _:
            raise AssertionError


async def test_a_wrong_configuration_is_told_field_by_field() -> None:
    async with front_end(ROWS, ChildSpec(REGISTRY, lambda: Probe(answer))) as front:
        status, body, _ = await front.call("POST", "/executors/", json={"executor_config": {"type": "x"}})
        assert (status, body) == (422, {"detail": [WRONG]})

        status, body, _ = await front.call("POST", "/executors/", json={"account_name": "desk"})
        assert (status, body["detail"][0]["loc"]) == (422, ["body", "executor_config"])

        for nonsense in ({"limit": 0}, {"limit": 1001}, {"cursor": 7}, {"executor_types": {}}, {"status": []}):
            status, body, _ = await front.call("POST", "/executors/search", json=nonsense)
            assert (status, body["detail"][0]["loc"]) == (422, ["body", *nonsense])
        status, body, _ = await front.call("POST", "/executors/search", json={"cursor": "0:"})
        assert (status, body["detail"][0]["loc"]) == (422, ["body", "cursor"])


async def test_a_stop_and_logs_as_released_clients_ask_for_them() -> None:
    async with front_end(ROWS, ChildSpec(REGISTRY, lambda: Probe(answer))) as front:
        status, body, _ = await front.call("POST", "/executors/a/stop", json={})
        assert (status, body["status"], body["keep_position"]) == (200, "stopping", False)

        _, body, _ = await front.call("GET", "/executors/a/logs?limit=7&level=error")
        assert [one["message"] for one in body["logs"]] == ["ERROR 7"]
        status, body, _ = await front.call("GET", "/executors/a/logs?level=LOUD")
        assert (status, body["detail"][0]["loc"]) == (422, ["query", "level"])
