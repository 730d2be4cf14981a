"""What may be asked of bots and of their registry, and what they say."""

from collections.abc import Hashable
from decimal import Decimal
from typing import Annotated, Any, Literal

from aviary.actors.core.message import Message, Value
from aviary.actors.core.refusal import Invalid
from aviary.actors.messages.moments import WrittenMoment
from pydantic import Field, StringConstraints

type BotState = Literal[
    "starting", "settling", "running", "degraded", "backing_off", "stopping", "stopped", "archived", "failed"
]
"""`settling`: orders of an earlier life are being cancelled, nothing is quoted yet. `degraded`: it runs and could not
trade. `failed`: it can't start, for a reason that time does not heal, and is not tried any more."""

BOT_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}"

type BotName = Annotated[str, StringConstraints(pattern=rf"^{BOT_NAME}$")]
"""A bot is a folder, an MQTT topic level and part of a client id; 80 characters, no dot, no slash."""

type FileStem = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
"""The name of a configuration, with or without `.yml`."""

type ShortText = Annotated[str, StringConstraints(max_length=300)]
"""A name as a client sends it: compared or noted down, never made a path of."""


STOP_LIMIT = 170.0
"""Seconds for a stop that is waited for: over MQTT, by SIGTERM, by SIGKILL, and settling what is left."""

ANSWER_LIMIT = 150.0
"""Seconds for an answer of a bot itself; the caller's own time-out is shorter."""

DEPLOY_LIMIT = 90.0
"""Seconds for a deployment, and for bringing all bots up."""


CHANGE_LIMIT = 120.0
"""Seconds for checking a change, and for a running bot to take it over."""


# What a bot says


class BotSpoke(Message[None]):
    """Event: a bot published something."""

    kind: Literal["performance", "hb", "log", "events", "notify", "status_updates"]
    payload: dict[str, Any]

    def conflation_key(self) -> Hashable | None:
        """Of results and heartbeats only the newest counts."""
        return self.kind if self.kind in {"performance", "hb"} else None


class ChangeRefused(Invalid):
    """A change of a bot's configuration that is not carried out; `fields` says of each field what became of it."""

    def __init__(self, detail: str, field: str | None, fields: dict[str, str]) -> None:
        super().__init__(detail, field)
        self.fields = fields


# What one bot is asked


class BotStatus(Value):
    """A bot as it is now."""

    name: str
    state: BotState
    reason: str = ""
    """Why it is in this state, in words."""
    performance: dict[str, Any] = Field(default_factory=dict)
    """The newest performance message: by controller id, `performance` and `custom_info`."""
    error_logs: tuple[dict[str, Any], ...] = ()
    general_logs: tuple[dict[str, Any], ...] = ()
    """The newest entries, oldest first."""
    recently_active: bool = False
    pid: int | None = None
    incarnation: int = 0
    restarts: int = 0
    started_at: float | None = None
    """Unix seconds of the process's start."""
    quoting_after: float | None = None
    """Seconds from the process's start to its connectors being ready."""
    orders_left: int | None = None
    """After a stop: orders of the bot that are still open on its exchanges; `None` if that is not known."""
    positions_left: tuple[dict[str, str], ...] | None = None
    """After a stop: what its controllers still hold (`controller_id`, `connector_name`, `trading_pair`, `side`,
    `amount` in base units); `None` if that is not known."""


class GetBotStatus(Message[BotStatus]):
    """Query: state, results and newest log lines."""


class RunBot(Message[BotStatus]):
    """Command: run from now on, also after crashes and restarts of the server. Idempotent."""


class HaltBot(Message[BotStatus]):
    """Command: stop, and stay stopped. Answers at once; `wait` makes it answer when the bot has stopped."""

    handler_limit = STOP_LIMIT

    skip_order_cancellation: bool = False
    wait: bool = False


class AskBot(Message[dict[str, Any]]):
    """Command: pass a command of hummingbot's own on to the running bot and answer with its reply."""

    handler_limit = ANSWER_LIMIT

    command: Literal["status", "config", "history", "import", "balance/limit", "balance/paper"]
    data: dict[str, Any] = Field(default_factory=dict)
    timeout: float = 30.0


class CheckPulse(Message[None]):
    """Command, of a bot actor to itself: see whether the process still lives."""

    control = True


# What the registry is asked


class DeployControllers(Message[dict[str, Any]]):
    """Command: make a bot that runs controllers by `v2_with_controllers`, and start it."""

    handler_limit = DEPLOY_LIMIT

    instance_name: BotName
    credentials_profile: FileStem = "master_account"
    controllers_config: Annotated[tuple[FileStem, ...], Field(min_length=1, max_length=100)]
    max_global_drawdown_quote: Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 18)] | None = None
    max_controller_drawdown_quote: Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 18)] | None = None
    image: ShortText = "hummingbot/hummingbot:latest"
    """Kept in the run's record; the process runtime runs the installed hummingbot."""
    script_config: ShortText | None = None
    headless: bool = True
    exact_name: bool = False
    """Take the name as it is instead of appending the moment."""


class DeployScript(Message[dict[str, Any]]):
    """Command: make a bot that runs a V2 script, and start it."""

    handler_limit = DEPLOY_LIMIT

    instance_name: BotName
    credentials_profile: FileStem = "master_account"
    script: FileStem | None = None
    script_config: FileStem | None = None
    image: ShortText = "hummingbot/hummingbot:latest"
    headless: bool = True
    exact_name: bool = False


class DeployBot(Message[dict[str, Any]]):
    """Command: make and start a bot, of controllers or of a script, whichever is named.

    A given `instance_name` is taken as it is; without one it is made of what is deployed and the moment.
    """

    handler_limit = DEPLOY_LIMIT

    instance_name: BotName | None = None
    credentials_profile: FileStem = "master_account"
    controller: FileStem | None = None
    controllers_config: Annotated[tuple[FileStem, ...], Field(max_length=100)] = ()
    script: FileStem | None = None
    script_config: FileStem | None = None
    max_global_drawdown_quote: Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 18)] | None = None
    max_controller_drawdown_quote: Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 18)] | None = None
    image: ShortText = "hummingbot/hummingbot:latest"


class StartBot(Message[dict[str, Any]]):
    """Command: start a stopped bot."""

    handler_limit = DEPLOY_LIMIT

    bot_name: ShortText
    lenient: bool = False
    """An unknown bot is an answer and no refusal, as clients of the released server expect."""
    log_level: ShortText | None = None
    script: ShortText | None = None
    conf: ShortText | None = None
    async_backend: bool = True
    is_quickstart: bool = False


class StopBot(Message[dict[str, Any]]):
    """Command: stop a bot; it stays stopped."""

    handler_limit = STOP_LIMIT

    bot_name: ShortText
    lenient: bool = False
    skip_order_cancellation: bool = False
    async_backend: bool = True


class ListBots(Message[dict[str, BotStatus]]):
    """Query: every bot that is not archived, by name."""


class FindBot(Message[BotStatus | None]):
    """Query: one bot; `NotFound` if there is none of this name, or `None` for the lenient."""

    bot_name: ShortText
    lenient: bool = False


class GetBotHistory(Message[dict[str, Any]]):
    """Query: the trades of a bot."""

    handler_limit = ANSWER_LIMIT

    bot_name: ShortText
    days: Annotated[int, Field(ge=0, le=36_500)] = 0
    verbose: bool = False
    precision: Annotated[int, Field(ge=0, le=50)] | None = None
    timeout: Annotated[float, Field(gt=0, le=120)] = 30.0


class GetMqttState(Message[dict[str, Any]]):
    """Query: the link to the broker and the bots that speak over it."""


class StopAndArchiveBot(Message[dict[str, Any]]):
    """Command: stop a bot, keep its data in the archive and remove it."""

    bot_name: ShortText
    skip_order_cancellation: bool = True
    archive_locally: bool = True
    s3_bucket: str | None = None


class UpdateStrategy(Message[dict[str, Any]]):
    """Command: change fields of a saved controller configuration, and of every bot that was deployed with it.

    All of it or nothing.
    """

    handler_limit = CHANGE_LIMIT

    controller_id: str
    changes: dict[str, Any]


class UpdateBotConfig(Message[dict[str, Any]]):
    """Command: change fields of a bot's controller configuration, all of them or none.

    Answers of each field whether it was applied, or applies when the bot is started the next time. `ChangeRefused`.
    """

    handler_limit = CHANGE_LIMIT

    bot_name: ShortText
    controller: str | None = None
    """`None` for the only one there is."""
    changes: dict[str, Any]


class GetBotConfigs(Message[list[dict[str, Any]]]):
    """Query: the controller configurations of a bot."""

    bot_name: ShortText


class GetLatestPerformance(Message[list[dict[str, Any]]]):
    """Query: the newest result of each controller of each bot."""

    bot_name: ShortText | None = None


class GetPerformanceHistory(Message[dict[str, Any]]):
    """Query: kept results, newest first. Moments are ISO or Unix seconds; `cursor` is a page's `next_cursor`."""

    bot_name: ShortText | None = None
    controller_id: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: WrittenMoment | None = None
    start_time: WrittenMoment | None = None
    end_time: WrittenMoment | None = None
    interval: Literal["1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d"] = "5m"


# Runs


class ListRuns(Message[dict[str, Any]]):
    """Query: deployments, newest first."""

    bot_name: ShortText | None = None
    account_name: str | None = None
    strategy_type: str | None = None
    strategy_name: str | None = None
    run_status: str | None = None
    deployment_status: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Annotated[int, Field(ge=0, le=10**9)] = 0


class GetRun(Message[dict[str, Any]]):
    """Query: one deployment."""

    bot_run_id: int


class DeleteRun(Message[dict[str, Any]]):
    """Command: forget the record of a deployment whose bot is not running."""

    bot_run_id: int


class GetRunStatistics(Message[dict[str, Any]]):
    """Query: counts of deployments."""


class BringUp(Message[None]):
    """Command, of the registry to itself: finish what a crash interrupted and start what should run."""

    handler_limit = DEPLOY_LIMIT
