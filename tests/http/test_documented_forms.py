"""The documented routes of bots: whichever is called, the registry is asked the same."""

from __future__ import annotations

from typing import Any

import pytest
from aviary.actors.core.simulation import Probe
from aviary.actors.messages.bots import DeployBot, StartBot, StopBot, UpdateBotConfig, UpdateStrategy
from aviary.http.routes.all import ROWS
from aviary.supervisors.spec import ChildSpec
from front_end import front_end

DEPLOYED = {"instance_name": "a-1", "account_name": "desk"}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (
            "/bot-orchestration/deploy",
            {**DEPLOYED, "controllers_config": ["quoter"], "max_global_drawdown_quote": 5},
            DeployBot(
                instance_name="a-1",
                credentials_profile="desk",
                controllers_config=("quoter",),
                max_global_drawdown_quote=5,
            ),
        ),
        (
            "/controllers/quoter/deploy",
            {**DEPLOYED, "controller": "another"},
            DeployBot(instance_name="a-1", credentials_profile="desk", controller="quoter"),
        ),
        (
            "/scripts/run",
            {**DEPLOYED, "script": "v2_with_controllers", "script_config": "quoting"},
            DeployBot(
                instance_name="a-1",
                credentials_profile="desk",
                script="v2_with_controllers",
                script_config="quoting",
            ),
        ),
        ("/scripts/run", {"script": "x"}, DeployBot(credentials_profile="master_account", script="x")),
    ],
)
async def test_every_way_to_deploy_is_one_message(path: str, body: dict[str, Any], message: DeployBot) -> None:
    assert await asked("POST", path, body) == (201, message)


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "/bot-orchestration/bots/b/start", None, StartBot(bot_name="b")),
        ("POST", "/bot-orchestration/bots/b/stop", None, StopBot(bot_name="b")),
        ("PUT", "/bot-orchestration/bots/b/config", {"x": 1}, UpdateBotConfig(bot_name="b", changes={"x": 1})),
        (
            "POST",
            "/controllers/bots/b/c/config",
            {"bot_name": 1},
            UpdateBotConfig(bot_name="b", controller="c", changes={"bot_name": 1}),
        ),
        ("PUT", "/controllers/c/config", {"x": 1}, UpdateStrategy(controller_id="c", changes={"x": 1})),
    ],
)
async def test_a_bot_in_the_path_is_the_bot_of_the_message(
    method: str, path: str, body: dict[str, Any] | None, message: Any
) -> None:
    assert await asked(method, path, body) == (200, message)


async def asked(method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
    """The status of the answer, and the one message that reached the registry."""
    registry = Probe(lambda _message: {})
    async with front_end(ROWS, ChildSpec("bot-registry", lambda: registry)) as front:
        status, _, _ = await front.call(method, path, **({} if body is None else {"json": body}))
    (message,) = registry.received
    return status, message
