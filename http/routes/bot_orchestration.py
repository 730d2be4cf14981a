"""Bots: deploying, running, watching and archiving them; in the released server's forms and the documented ones."""

from typing import Any

from aviary.actors.messages.bots import (
    BotStatus,
    DeleteRun,
    DeployBot,
    DeployControllers,
    DeployScript,
    FindBot,
    GetBotHistory,
    GetLatestPerformance,
    GetMqttState,
    GetPerformanceHistory,
    GetRun,
    GetRunStatistics,
    ListBots,
    ListRuns,
    StartBot,
    StopAndArchiveBot,
    StopBot,
    UpdateBotConfig,
)
from aviary.http.routing import Row
from aviary.http.views.bots import (
    AllBots,
    Archiving,
    BotHistory,
    ChangedConfig,
    DeletedRun,
    Deployed,
    LatestReports,
    ListedBot,
    Mqtt,
    OneBot,
    OneRun,
    ReportPage,
    RunPage,
    RunStatistics,
    StartAnswer,
    Started,
    StopAnswer,
    Stopped,
)

REGISTRY = "bot-registry"
ROOT = "/bot-orchestration"

STOP_TIMEOUT = 160.0
"""Seconds for a stop that is waited for."""

HISTORY_TIMEOUT = 130.0

DEPLOY_TIMEOUT = 85.0
"""Seconds for checking what is deployed, and for making the bot."""

CHANGE_TIMEOUT = 100.0
"""Seconds for checking a change of a bot's configuration, and for the bot to take it over."""

RUNNING = frozenset({"starting", "settling", "running", "degraded", "stopping"})

BROKEN = frozenset({"failed", "backing_off"})
"""It should run and does not."""


def status_view(status: BotStatus) -> dict[str, Any]:
    """A bot as clients of the released server read it, with what they pass over added."""
    live = status.state in RUNNING
    return {
        "status": "running" if live else "error" if status.state in BROKEN else "stopped",
        "performance": {
            controller_id: {
                "status": "running" if live else "stopped",
                "performance": report.get("performance", {}),
                "custom_info": report.get("custom_info", {}),
            }
            for controller_id, report in status.performance.items()
        },
        "error_logs": status.error_logs,
        "general_logs": status.general_logs,
        "recently_active": status.recently_active,
        "source": "process",
        **status.model_dump(
            include={
                "state",
                "reason",
                "pid",
                "restarts",
                "started_at",
                "quoting_after",
                "orders_left",
                "positions_left",
            }
        ),
    }


def _all(statuses: dict[str, BotStatus], _: ListBots) -> dict[str, Any]:
    return {"status": "success", "data": {name: status_view(status) for name, status in statuses.items()}}


def _one(status: BotStatus | None, message: FindBot) -> dict[str, Any]:
    if status is None:
        return {"status": "success", "data": {"status": "not_found", "error": f"Bot {message.bot_name} not found"}}
    return {"status": "success", "data": status_view(status)}


def _response(answer: dict[str, Any], _: object) -> dict[str, Any]:
    return {"status": "success", "response": answer}


def _data(answer: object, _: object) -> dict[str, Any]:
    return {"status": "success", "data": answer}


def _history(answer: dict[str, Any], _: object) -> dict[str, Any]:
    # One envelope is the released server's, the other the bot's own.
    return {"status": "success", "response": {"success": True, "data": {"header": {}, "data": answer}}}


def _list(statuses: dict[str, BotStatus], _: ListBots) -> list[dict[str, Any]]:
    return [{"id": name, "name": name, **status_view(status)} for name, status in statuses.items()]


ROWS = (
    Row("GET", f"{ROOT}/status", ListBots, REGISTRY, reply=_all, answers=AllBots),
    Row("GET", f"{ROOT}/mqtt", GetMqttState, REGISTRY, reply=_data, answers=Mqtt),
    Row(
        "GET",
        f"{ROOT}/controller-performance-latest",
        GetLatestPerformance,
        REGISTRY,
        reply=_data,
        answers=LatestReports,
    ),
    Row("GET", f"{ROOT}/controller-performance-history", GetPerformanceHistory, REGISTRY, answers=ReportPage),
    Row(
        "GET",
        f"{ROOT}/{{bot_name}}/status",
        FindBot,
        REGISTRY,
        fixed={"lenient": True},
        reply=_one,
        answers=OneBot,
    ),
    Row(
        "GET",
        f"{ROOT}/{{bot_name}}/history",
        GetBotHistory,
        REGISTRY,
        reply=_history,
        timeout=HISTORY_TIMEOUT,
        answers=BotHistory,
    ),
    Row(
        "POST",
        f"{ROOT}/start-bot",
        StartBot,
        REGISTRY,
        fixed={"lenient": True},
        reply=_response,
        answers=StartAnswer,
    ),
    Row(
        "POST",
        f"{ROOT}/stop-bot",
        StopBot,
        REGISTRY,
        fixed={"lenient": True},
        reply=_response,
        timeout=STOP_TIMEOUT,
        answers=StopAnswer,
    ),
    Row("GET", f"{ROOT}/bot-runs", ListRuns, REGISTRY, answers=RunPage),
    Row("GET", f"{ROOT}/bot-runs/stats", GetRunStatistics, REGISTRY, answers=RunStatistics),
    Row("GET", f"{ROOT}/bot-runs/{{bot_run_id}}", GetRun, REGISTRY, answers=OneRun),
    Row("DELETE", f"{ROOT}/bot-runs/{{bot_run_id}}", DeleteRun, REGISTRY, answers=DeletedRun),
    Row(
        "POST",
        f"{ROOT}/stop-and-archive-bot/{{bot_name}}",
        StopAndArchiveBot,
        REGISTRY,
        query=frozenset({"skip_order_cancellation", "archive_locally", "s3_bucket"}),
        answers=Archiving,
    ),
    Row(
        "POST",
        f"{ROOT}/deploy-v2-controllers",
        DeployControllers,
        REGISTRY,
        timeout=DEPLOY_TIMEOUT,
        answers=Deployed,
    ),
    Row("POST", f"{ROOT}/deploy-v2-script", DeployScript, REGISTRY, timeout=DEPLOY_TIMEOUT, answers=Deployed),
    # The documented forms.
    Row("GET", f"{ROOT}/bots", ListBots, REGISTRY, reply=_list, answers=tuple[ListedBot, ...]),
    Row(
        "POST",
        f"{ROOT}/deploy",
        DeployBot,
        REGISTRY,
        status=201,
        names={"account_name": "credentials_profile"},
        timeout=DEPLOY_TIMEOUT,
        answers=Deployed,
    ),
    Row(
        "PUT",
        f"{ROOT}/bots/{{id}}/config",
        UpdateBotConfig,
        REGISTRY,
        names={"id": "bot_name"},
        whole="changes",
        query=frozenset({"controller"}),
        timeout=CHANGE_TIMEOUT,
        answers=ChangedConfig,
    ),
    Row("POST", f"{ROOT}/bots/{{id}}/start", StartBot, REGISTRY, names={"id": "bot_name"}, answers=Started),
    Row(
        "POST",
        f"{ROOT}/bots/{{id}}/stop",
        StopBot,
        REGISTRY,
        names={"id": "bot_name"},
        timeout=STOP_TIMEOUT,
        answers=Stopped,
    ),
    Row(
        "GET",
        f"{ROOT}/bots/{{id}}/status",
        FindBot,
        REGISTRY,
        names={"id": "bot_name"},
        reply=_one,
        answers=OneBot,
    ),
)
