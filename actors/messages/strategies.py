"""What may be asked of the library of controllers, scripts and their configurations."""

import keyword
from typing import Annotated, Any, Literal

from aviary.actors.core.message import Message, Value
from aviary.actors.core.refusal import Invalid
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator


def _not_special(name: str) -> str:
    if name.startswith("__") or keyword.iskeyword(name):
        raise ValueError(f"{name} means something to Python itself: take another name")
    return name


type ControllerType = Annotated[
    Literal["directional_trading", "market_making", "generic"],
    Field(description="The controller's type", examples=["market_making"]),
]

IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]{0,79}"

type Identifier = Annotated[
    str,
    StringConstraints(pattern=rf"^{IDENTIFIER}$"),
    AfterValidator(_not_special),
    Field(
        description="The module's name: at most 80 letters, digits and `_`, no digit first, no word of Python's"
    ),
]
"""A module's name: what `import` takes, and nothing that leads out of a folder or replaces a package."""

type ConfigName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"),
    Field(description="The configuration's name, with or without `.yml`"),
]
"""A configuration's name, with or without `.yml`; no slash, no leading dot."""

type SourceCode = Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]

type StrategyKind = Literal["controller", "script"]


INSPECTION_LIMIT = 90.0
"""Seconds for a look into a strategy, the wait for its turn included."""


MAKER = {
    "id": "maker",
    "controller_name": "pmm_simple",
    "controller_type": "market_making",
    "connector_name": "sandbox",
    "trading_pair": "BTC-USDT",
    "total_amount_quote": 1000,
    "buy_spreads": [0.001],
    "sell_spreads": [0.001],
    "executor_refresh_time": 60,
}
"""A configuration that quotes on the simulated exchange."""


class Confirmation(Value):
    """A command was carried out; the words are the released server's."""

    message: str
    """What was done, in words."""
    warnings: tuple[str, ...] = ()
    """What was left out, or could not be checked."""
    bots: tuple[str, ...] = ()
    """Bots with a copy of what was changed. They keep it."""


class SourceFile(Value):
    """A controller or a script."""

    name: str
    """The file's name without `.py`."""
    type: ControllerType | None = None
    """The controller's type; null for a script."""
    content: str
    """The Python source."""


class ListControllers(Message[dict[str, list[str]]]):
    """Query: names of controllers, by type."""


class GetController(Message[SourceFile]):
    """Query: a controller's source."""

    controller_type: ControllerType
    controller_name: Identifier = Field(examples=["pmm_simple"])


class SourceUpload(Value):
    """A source as clients send it: an object with `content`, or the bare text."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    content: SourceCode
    """The Python source, at most 1,000,000 characters; with all else in the request's body it has to fit into
    that."""
    type: ControllerType | None = None
    """The controller's type, if it is to be compared with the address; not compared by default."""

    @model_validator(mode="before")
    @classmethod
    def take_bare_text(cls, given: Any) -> Any:
        """Some released clients send the code as a JSON string."""
        return {"content": given} if isinstance(given, str) else given


class SaveController(Message[Confirmation]):
    """Command: write a controller's source; it is parsed and never run by the server."""

    controller_type: ControllerType
    controller_name: Identifier = Field(examples=["my_maker"])
    source: SourceUpload = Field(examples=[{"content": "from controllers.market_making.pmm_simple import *\n"}])
    """An object with `content`, or the bare source."""


class DeleteController(Message[Confirmation]):
    """Command: remove a controller. Bots keep the copy that they were deployed with; the answer names them."""

    controller_type: ControllerType
    controller_name: Identifier = Field(examples=["my_maker"])


class GetControllerTemplate(Message[dict[str, Any]]):
    """Query: the fields of a controller's configuration, with default, type and whether it is required."""

    handler_limit = INSPECTION_LIMIT

    controller_type: ControllerType
    controller_name: Identifier = Field(examples=["pmm_simple"])


class ValidateControllerConfig(Message[Confirmation]):
    """Query: whether a bot could run this configuration; see `CheckConfig`."""

    handler_limit = INSPECTION_LIMIT

    controller_type: ControllerType
    controller_name: Identifier = Field(examples=["pmm_simple"])
    config: dict[str, Any] = Field(examples=[MAKER])
    """The configuration's fields by name."""


class WrongConfig(Invalid):
    """A configuration that can't be run; `fields` are those that are wrong, where that is known."""

    def __init__(self, detail: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(detail, fields[0] if fields else None)
        self.fields = fields


class CheckedConfig(Value):
    """A configuration that its class takes and the world serves, as far as it could be asked."""

    config: dict[str, Any]
    """As it was given, but for what is a leftover of older clients."""
    fields: frozenset[str]
    """The fields of its class."""
    updatable: frozenset[str]
    """Those that the strategy takes over while it runs."""
    changed: frozenset[str]
    """Those whose value is another than before."""
    connectors: frozenset[str]
    """The connectors that it trades on."""
    warnings: tuple[str, ...]


class CheckConfig(Message[CheckedConfig]):
    """Query: whether a bot could run this configuration; `Invalid`, naming the field, if not.

    It is held against the class's own model, and against the world: connectors, pairs, candles and the size of orders.
    `account` adds its keys to that. `bot` takes the code that the bot was deployed with, instead of the library's.
    """

    handler_limit = INSPECTION_LIMIT

    kind: StrategyKind
    config: dict[str, Any]
    before: dict[str, Any] | None = None
    account: str | None = None
    bot: str | None = None


class ListScripts(Message[list[str]]):
    """Query: names of scripts."""


class GetScript(Message[SourceFile]):
    """Query: a script's source."""

    script_name: Identifier = Field(examples=["v2_with_controllers"])


class SaveScript(Message[Confirmation]):
    """Command: write a script's source; it is parsed and never run by the server."""

    script_name: Identifier = Field(examples=["my_script"])
    source: SourceUpload = Field(examples=[{"content": "from scripts.v2_with_controllers import *\n"}])
    """An object with `content`, or the bare source."""


class DeleteScript(Message[Confirmation]):
    """Command: remove a script. Bots keep the copy that they were deployed with; the answer names them."""

    script_name: Identifier = Field(examples=["my_script"])


class GetScriptTemplate(Message[dict[str, Any]]):
    """Query: the fields of a script's configuration with their defaults."""

    handler_limit = INSPECTION_LIMIT

    script_name: Identifier = Field(examples=["v2_with_controllers"])


class ListConfigs(Message[list[dict[str, Any]]]):
    """Query: every saved configuration of a kind. One that can't be read says so in `error`."""

    kind: StrategyKind


class GetConfig(Message[dict[str, Any]]):
    """Query: a saved configuration."""

    kind: StrategyKind
    config_name: ConfigName = Field(examples=["maker"])


class SaveConfig(Message[Confirmation]):
    """Command: save a configuration that a bot could run; see `CheckConfig`."""

    handler_limit = INSPECTION_LIMIT

    kind: StrategyKind
    config_name: ConfigName = Field(examples=["maker"])
    config: dict[str, Any] = Field(examples=[MAKER])
    """The configuration's fields by name; `script_file_name`, or `controller_type` and `controller_name`, among
    them."""


class DeleteConfig(Message[Confirmation]):
    """Command: remove a saved configuration. Bots keep their copies; the answer names them."""

    kind: StrategyKind
    config_name: ConfigName = Field(examples=["maker"])
