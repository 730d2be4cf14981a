"""What is answered about bots, in the released server's words, and what is added to them."""

from typing import Any, Literal

from aviary.actors.core.message import Value
from aviary.actors.messages.bots import BotState
from pydantic import ConfigDict, Field

type Success = Literal["success"]


class ControllerResults(Value):
    """How a controller of a bot does."""

    status: Literal["running", "stopped"]
    """Whether its bot runs."""
    performance: dict[str, Any]
    """Its results by name, in quote units: `realized_pnl_quote`, `volume_traded` and others."""
    custom_info: dict[str, Any]
    """What the controller tells of itself."""


class BotView(Value):
    """A bot as it is at present."""

    status: Literal["running", "stopped", "error"]
    """Whether it runs; `error` if it should and does not."""
    performance: dict[str, ControllerResults]
    """By the id of the controller."""
    error_logs: tuple[dict[str, Any], ...]
    """The newest lines of its log that tell of errors, oldest first."""
    general_logs: tuple[dict[str, Any], ...]
    """The newest other lines of its log, oldest first."""
    recently_active: bool
    """Whether it was heard of a moment ago."""
    source: Literal["process"]
    """What runs it."""
    state: BotState
    """The same as `status`, more finely."""
    reason: str
    """Why it is in this state, in words."""
    pid: int | None
    """The number of its process; null if there is none."""
    restarts: int
    """How often it was restarted after a crash."""
    started_at: float | None
    """When its process was started, Unix seconds."""
    quoting_after: float | None
    """Seconds from then until its connectors were ready."""
    orders_left: int | None
    """After a stop: orders of it that are still open on its exchanges; null if that is not known."""
    positions_left: tuple[dict[str, str], ...] | None
    """After a stop: what its controllers still hold, amounts in base units; null if that is not known."""


class ListedBot(BotView):
    """A bot with its name."""

    id: str
    """The bot's name."""
    name: str
    """The bot's name."""


class UnknownBot(Value):
    """That there is no such bot."""

    status: Literal["not_found"]
    """Says so."""
    error: str
    """The same in words."""


class OneBot(Value):
    """A bot, or that there is none."""

    status: Success
    """That the question was answered."""
    data: BotView | UnknownBot
    """The bot."""


class AllBots(Value):
    """Every bot that is not archived."""

    status: Success
    """That the question was answered."""
    data: dict[str, BotView]
    """By the bot's name."""


class MqttState(Value):
    """The link to the broker, and who speaks over it."""

    mqtt_connected: bool
    """Whether the link is up."""
    discovered_bots: tuple[str, ...]
    """Every bot that was ever heard."""
    active_bots: tuple[str, ...]
    """The bots that were heard in the last 30 seconds."""
    broker_host: str
    """Where the broker is."""
    broker_port: int
    """Its port."""
    broker_username: str
    """Who the server is to it; empty if it takes everybody."""
    client_state: Literal["connected", "disconnected"]
    """The same as `mqtt_connected`."""


class Mqtt(Value):
    """The link to the broker."""

    status: Success
    """That the question was answered."""
    data: MqttState
    """How it is."""


class Report(ControllerResults):
    """What a controller reported at a moment."""

    timestamp: str
    """When, ISO 8601 in UTC."""
    bot_name: str
    """The bot's name."""
    controller_id: str
    """The controller's id."""


class LatestReports(Value):
    """The last report of each controller."""

    status: Success
    """That the question was answered."""
    data: tuple[Report, ...]
    """One a controller."""


class ReportPagination(Value):
    """Where a page of reports stands."""

    next_cursor: str | None
    """What to send as `cursor` for the next page; null on the last one."""
    has_more: bool
    """Whether there is a page after this one."""
    limit: int
    """How many a page may hold."""
    interval: str
    """The stretch of which each controller shows one report."""


class ReportPage(Value):
    """A page of kept reports."""

    status: Success
    """That the question was answered."""
    data: tuple[Report, ...]
    """The reports, newest first."""
    pagination: ReportPagination
    """Where the page stands."""


class BotTrades(Value):
    """A bot's own account of its trades."""

    header: dict[str, Any]
    """Empty; clients of the released server look for it."""
    data: Any
    """What the bot says."""


class BotAnswer(Value):
    """What a bot answered."""

    success: bool
    """That it answered."""
    data: BotTrades
    """Its answer."""


class BotHistory(Value):
    """The trades of a bot."""

    status: Success
    """That the question was answered."""
    response: BotAnswer
    """What the bot answered."""


class Started(Value):
    """What became of a start."""

    success: bool
    """Whether the bot runs from now on."""
    message: str = ""
    """Why it does not; left out if it does."""


class StartAnswer(Value):
    """What became of a start."""

    status: Success
    """That the question was answered; see `response`."""
    response: Started
    """What became of it."""


class Stopped(Value):
    """What became of a stop. Only `success` and `message` if there is no such bot."""

    success: bool
    """Whether the bot stays stopped from now on."""
    message: str = ""
    """Why it does not; left out if it does."""
    state: BotState = "stopping"
    """How far it is."""
    reason: str = ""
    """Why it is in this state, in words."""
    orders_left: int | None = None
    """Orders of it that are still open on its exchanges; null if that is not known yet."""
    positions_left: tuple[dict[str, str], ...] | None = None
    """What its controllers still hold, amounts in base units; null if that is not known yet."""


class StopAnswer(Value):
    """What became of a stop."""

    status: Success
    """That the question was answered; see `response`."""
    response: Stopped
    """What became of it."""


class ArchiveDetails(Value):
    """What an archiving is about."""

    input_name: str
    """The name that was sent."""
    actual_bot_name: str
    """The bot's name."""
    container_name: str
    """The bot's name."""
    process: str = ""
    """What happens, in words; left out if nothing does."""
    active_bots: tuple[str, ...] = ()
    """The bots that there are, if there is none of this name."""
    reason: str = ""
    """Why nothing happens; left out if something does."""


class Archiving(Value):
    """That a bot is being stopped and archived, or why not."""

    status: Literal["success", "error"]
    """Whether it has begun."""
    message: str
    """The same in words."""
    details: ArchiveDetails
    """What it is about."""


class Deployed(Value):
    """A bot that was made and started."""

    success: bool
    """That it was made."""
    message: str
    """The same in words."""
    script_config_generated: str
    """The file that it runs by."""
    controllers_deployed: tuple[str, ...] = ()
    """The configurations of its controllers; left out for a script."""
    unique_instance_name: str
    """The bot's name."""
    warnings: tuple[str, ...]
    """What was left out of a configuration, or could not be checked."""


class ChangedConfig(Value):
    """What became of a change of a bot's configuration."""

    message: str
    """That it was changed, in words."""
    fields: dict[str, str]
    """Of each field: `applied`, `applies at next start` or `unchanged`."""
    warnings: tuple[str, ...]
    """What was left out, or could not be checked."""


class ChangedStrategy(Value):
    """What became of a change of a configuration that several bots may run."""

    message: str
    """That it was changed, in words."""
    bots: tuple[str, ...]
    """The bots that run it."""
    fields: dict[str, dict[str, str]]
    """By bot, of each field: `applied`, `applies at next start` or `unchanged`."""


class BotConfig(Value):
    """The configuration of a controller of a bot: the fields of its class, and these."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    id: str
    """The controller's id."""
    config_name: str = Field(alias="_config_name")
    """The file's name."""
    applies_at_next_start: tuple[str, ...] = Field(default=(), alias="_applies_at_next_start")
    """Fields whose value is not in effect before the bot is started; left out if there are none."""
    error: str = ""
    """Why the file can't be read; left out if it can."""


class Run(Value):
    """A deployment of a bot. Times are ISO 8601 in UTC."""

    id: int
    """Its number."""
    bot_name: str
    """The bot's name."""
    instance_name: str
    """The bot's name."""
    deployed_at: str
    """When it was made."""
    stopped_at: str | None
    """When it was stopped; null if it was not."""
    strategy_type: str
    """`controller` or `script`."""
    strategy_name: str
    """The script that it runs."""
    config_name: str | None
    """The file that it runs by."""
    account_name: str
    """The account whose keys it trades with."""
    image_version: str | None
    """The image that was named."""
    deployment_status: str
    """`DEPLOYED`, `FAILED` or `ARCHIVED`."""
    run_status: str
    """`CREATED`, `RUNNING`, `STOPPED` or `ERROR`."""
    deployment_config: str
    """What was asked for: JSON in a text."""
    final_status: str | None
    """How it was when it stopped: JSON in a text; null before that."""
    error_message: str | None
    """Why it failed; null if it did not."""


class RunPage(Value):
    """A page of deployments."""

    status: Success
    """That the question was answered."""
    data: tuple[Run, ...]
    """The deployments, newest first."""
    total: int
    """How many fit the question."""
    limit: int
    """How many a page may hold."""
    offset: int
    """How many of the newest were passed over."""


class OneRun(Value):
    """A deployment."""

    status: Success
    """That the question was answered."""
    data: Run
    """The deployment."""


class DeletedRun(Value):
    """That the record of a deployment was deleted."""

    status: Success
    """That it was."""
    message: str
    """The same in words."""


class RunCounts(Value):
    """Counts of deployments."""

    total_runs: int
    """All of them."""
    active_runs: int
    """Those whose bot runs."""
    strategy_type_counts: dict[str, int]
    """By type, `controller` or `script`."""
    status_counts: dict[str, int]
    """By status, such as `RUNNING`."""


class RunStatistics(Value):
    """Counts of deployments."""

    status: Success
    """That the question was answered."""
    data: RunCounts
    """The counts."""
