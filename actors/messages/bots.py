"""What may be asked of bots and of their registry, and what they say."""

from collections.abc import Hashable
from decimal import Decimal
from typing import Annotated, Any, Literal

from aviary.actors.core.message import Message, Value
from aviary.actors.core.refusal import Invalid
from aviary.actors.messages.names import OptionalMoment
from pydantic import ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

type BotState = Literal[
    "starting", "settling", "running", "degraded", "backing_off", "stopping", "stopped", "archived", "failed"
]
"""`settling`: orders of an earlier life are being cancelled, nothing is quoted yet. `degraded`: it runs and could not
trade. `failed`: it can't start, for a reason that time does not heal, and is not tried any more."""

BOT_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}"

type BotName = Annotated[
    str,
    StringConstraints(pattern=rf"^{BOT_NAME}$"),
    Field(description="A bot's name: at most 80 letters, digits, `_` and `-`", examples=["maker-1"]),
]
"""A bot is a folder, an MQTT topic level and part of a client id; 80 characters, no dot, no slash."""

type FileStem = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
"""The name of a configuration, with or without `.yml`."""

type NamedBot = Annotated[
    str, StringConstraints(max_length=300), Field(description="The bot's name", examples=["maker-1"])
]
"""As a client sends it: looked up, never made a path of."""

type Profile = Annotated[
    FileStem,
    Field(
        description="The account whose keys it trades with; `master_account` by default",
        examples=["master_account"],
    ),
]

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
    """The bot's name, to which the moment is appended unless `exact_name` is set."""
    credentials_profile: Profile = "master_account"
    controllers_config: Annotated[tuple[FileStem, ...], Field(min_length=1, max_length=100, examples=[["maker"]])]
    """The saved configurations of its controllers, 1 to 100, with or without `.yml`."""
    max_global_drawdown_quote: Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 18)] | None = None
    """Loss of all controllers together, from their best result, at which the bot stops trading, in quote units;
    no limit by default."""
    max_controller_drawdown_quote: Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 18)] | None = None
    """Loss of one controller, from its best result, at which it is stopped, in quote units; no limit by
    default."""
    image: ShortText = "hummingbot/hummingbot:latest"
    """Kept in the run's record; the process runtime runs the installed hummingbot."""
    script_config: ShortText | None = None
    """Taken from released clients, and without effect."""
    headless: bool = True
    """Taken from released clients, and without effect: bots have no screen."""
    exact_name: bool = False
    """Take the name as it is instead of appending the moment."""


class DeployScript(Message[dict[str, Any]]):
    """Command: make a bot that runs a V2 script, and start it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"script_config": "loader"}]})

    handler_limit = DEPLOY_LIMIT

    instance_name: BotName
    """The bot's name, to which the moment is appended unless `exact_name` is set."""
    credentials_profile: Profile = "master_account"
    script: FileStem | None = None
    """The script's name; by default the one that `script_config` names."""
    script_config: FileStem | None = None
    """The saved configuration that it runs by, with or without `.yml`; none by default."""
    image: ShortText = "hummingbot/hummingbot:latest"
    """Kept in the run's record, and without effect."""
    headless: bool = True
    """Taken from released clients, and without effect: bots have no screen."""
    exact_name: bool = False
    """Whether to take the name as it is; by default the moment is appended."""


class DeployBot(Message[dict[str, Any]]):
    """Command: make and start a bot, of controllers or of a script, whichever is named.

    A given `instance_name` is taken as it is; without one it is made of what is deployed and the moment.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"instance_name": "maker-1", "controllers_config": ["maker"]}]}
    )

    handler_limit = DEPLOY_LIMIT

    instance_name: BotName | None = None
    """The bot's name, taken as it is; by default it is made of what is deployed and the moment."""
    credentials_profile: Profile = "master_account"
    controller: FileStem | None = None
    """The saved configuration of its only controller, with or without `.yml`; see `controllers_config` for
    several."""
    controllers_config: Annotated[tuple[FileStem, ...], Field(max_length=100)] = ()
    """The saved configurations of its controllers, at most 100, with or without `.yml`; none by default."""
    script: FileStem | None = None
    """The script that it runs instead of controllers; none by default."""
    script_config: FileStem | None = None
    """The saved configuration that its script runs by, with or without `.yml`; none by default."""
    max_global_drawdown_quote: Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 18)] | None = None
    """Loss of all controllers together, from their best result, at which the bot stops trading, in quote units;
    no limit by default."""
    max_controller_drawdown_quote: Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 18)] | None = None
    """Loss of one controller, from its best result, at which it is stopped, in quote units; no limit by
    default."""
    image: ShortText = "hummingbot/hummingbot:latest"
    """Kept in the run's record, and without effect."""


class StartBot(Message[dict[str, Any]]):
    """Command: start a stopped bot."""

    handler_limit = DEPLOY_LIMIT

    bot_name: NamedBot
    lenient: SkipJsonSchema[bool] = False
    """An unknown bot is an answer and no refusal, as clients of the released server expect."""
    log_level: ShortText | None = None
    """Taken from released clients, and without effect."""
    script: ShortText | None = None
    """Taken from released clients, and without effect: a bot runs what it was deployed with."""
    conf: ShortText | None = None
    """Taken from released clients, and without effect: a bot runs by what it was deployed with."""
    async_backend: bool = True
    """Taken from released clients, and without effect."""
    is_quickstart: bool = False
    """Taken from released clients, and without effect."""


class StopBot(Message[dict[str, Any]]):
    """Command: stop a bot; it stays stopped."""

    handler_limit = STOP_LIMIT

    bot_name: NamedBot
    lenient: SkipJsonSchema[bool] = False
    """An unknown bot is an answer and no refusal, as clients of the released server expect."""
    skip_order_cancellation: bool = False
    """Whether to leave its orders on the exchange; by default they are cancelled."""
    async_backend: bool = True
    """Whether to answer at once, the default; otherwise the answer comes when the bot has stopped."""


class ListBots(Message[dict[str, BotStatus]]):
    """Query: every bot that is not archived, by name."""


class FindBot(Message[BotStatus | None]):
    """Query: one bot; `NotFound` if there is none of this name, or `None` for the lenient."""

    bot_name: NamedBot
    lenient: SkipJsonSchema[bool] = False
    """An unknown bot is an answer and no refusal, as clients of the released server expect."""


class GetBotHistory(Message[dict[str, Any]]):
    """Query: the trades of a bot."""

    handler_limit = ANSWER_LIMIT

    bot_name: NamedBot
    days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """Only trades of the last days; all of them by default."""
    verbose: bool = False
    """Whether to tell all columns; by default not."""
    precision: Annotated[int, Field(ge=0, le=50)] | None = None
    """Digits after the point; those of the bot's own setting by default."""
    timeout: Annotated[float, Field(gt=0, le=120)] = 30.0
    """Seconds to wait for the bot, at most 120; 30 by default."""


class GetMqttState(Message[dict[str, Any]]):
    """Query: the link to the broker and the bots that speak over it."""


class StopAndArchiveBot(Message[dict[str, Any]]):
    """Command: stop a bot, keep its data in the archive and remove it."""

    bot_name: NamedBot
    skip_order_cancellation: bool = True
    """Whether to leave its orders on the exchange, the default; otherwise they are cancelled."""
    archive_locally: bool = True
    """Has to be true, the default: archives are kept in the local folder."""
    s3_bucket: str | None = None
    """Has to be left out: archives are kept in the local folder."""


class UpdateStrategy(Message[dict[str, Any]]):
    """Command: change fields of a saved controller configuration, and of every bot that was deployed with it.

    All of it or nothing.
    """

    handler_limit = CHANGE_LIMIT

    controller_id: str = Field(examples=["maker"])
    """The name of the saved configuration, with or without `.yml`."""
    changes: dict[str, Any] = Field(examples=[{"executor_refresh_time": 30}])
    """The fields to change, by name; the others stay."""


class UpdateBotConfig(Message[dict[str, Any]]):
    """Command: change fields of a bot's controller configuration, all of them or none.

    Answers of each field whether it was applied, or applies when the bot is started the next time. `ChangeRefused`.
    """

    handler_limit = CHANGE_LIMIT

    bot_name: NamedBot
    controller: str | None = Field(default=None, examples=["maker"])
    """The name of the configuration, with or without `.yml`; that of the only one there is by default."""
    changes: dict[str, Any] = Field(examples=[{"executor_refresh_time": 30}])
    """The fields to change, by name; the others stay."""


class GetBotConfigs(Message[list[dict[str, Any]]]):
    """Query: the controller configurations of a bot."""

    bot_name: NamedBot


class GetLatestPerformance(Message[list[dict[str, Any]]]):
    """Query: the newest result of each controller of each bot."""

    bot_name: ShortText | None = None
    """Only of this bot; of all by default."""


class GetPerformanceHistory(Message[dict[str, Any]]):
    """Query: kept results, newest first. Moments are ISO or Unix seconds; `cursor` is a page's `next_cursor`."""

    bot_name: ShortText | None = None
    """Only of this bot; of all by default."""
    controller_id: str | None = None
    """Only of this controller; of all by default."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """How many a page may hold, 1 to 1000; 100 by default."""
    cursor: str | None = None
    """The `next_cursor` of the page before; the first page by default."""
    start_time: OptionalMoment = None
    """Only what is not older; by default from the beginning."""
    end_time: OptionalMoment = None
    """Only what is not newer; by default until now."""
    interval: str = Field(default="5m", json_schema_extra={"pattern": "^(1m|5m|15m|30m|1h|4h|12h|1d)$"})
    """At most one result of a controller in each: `1m`, `5m` (the default), `15m`, `30m`, `1h`, `4h`, `12h` or
    `1d`."""


# Runs


class ListRuns(Message[dict[str, Any]]):
    """Query: deployments, newest first."""

    bot_name: ShortText | None = None
    """Only of this bot; of all by default."""
    account_name: str | None = None
    """Only of this account; of all by default."""
    strategy_type: str | None = None
    """Only `controller`, or only `script`; both by default."""
    strategy_name: str | None = None
    """Only of this script or loader; of all by default."""
    run_status: str | None = None
    """Only `CREATED`, `RUNNING`, `STOPPED` or `ERROR`; all by default."""
    deployment_status: str | None = None
    """Only `DEPLOYED`, `FAILED` or `ARCHIVED`; all by default."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """How many a page may hold, 1 to 1000; 100 by default."""
    offset: Annotated[int, Field(ge=0, le=10**9)] = 0
    """How many of the newest to pass over; none by default."""


class GetRun(Message[dict[str, Any]]):
    """Query: one deployment."""

    bot_run_id: int = Field(examples=[1])
    """The run's number, as `/bot-orchestration/bot-runs` lists it."""


class DeleteRun(Message[dict[str, Any]]):
    """Command: forget the record of a deployment whose bot is not running."""

    bot_run_id: int = Field(examples=[1])
    """The run's number, as `/bot-orchestration/bot-runs` lists it."""


class GetRunStatistics(Message[dict[str, Any]]):
    """Query: counts of deployments."""


class BringUp(Message[None]):
    """Command, of the registry to itself: finish what a crash interrupted and start what should run."""

    handler_limit = DEPLOY_LIMIT
