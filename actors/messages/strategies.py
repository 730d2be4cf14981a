"""What may be asked of the library of controllers, scripts and their configurations."""

from typing import Annotated, Any, Literal

from aviary.actors.core.message import Message, Value
from pydantic import ConfigDict, StringConstraints, model_validator

type ControllerType = Literal["directional_trading", "market_making", "generic"]

type Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,79}$")]
"""A module's name: what `import` takes, and nothing that leads out of a folder."""

type ConfigName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
"""A configuration's name, with or without `.yml`; no slash, no leading dot."""

type SourceCode = Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]

type StrategyKind = Literal["controller", "script"]


INSPECTION_LIMIT = 90.0
"""Seconds for a look into a strategy, the wait for its turn included."""


class Confirmation(Value):
    """A command was carried out; the words are the released server's."""

    message: str


class SourceFile(Value):
    """A controller or a script."""

    name: str
    type: ControllerType | None = None
    content: str


class ListControllers(Message[dict[str, list[str]]]):
    """Query: names of controllers, by type."""


class GetController(Message[SourceFile]):
    """Query: a controller's source."""

    controller_type: ControllerType
    controller_name: Identifier


class SourceUpload(Value):
    """A source as clients send it: an object with `content`, or the bare text."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    content: SourceCode
    type: ControllerType | None = None

    @model_validator(mode="before")
    @classmethod
    def take_bare_text(cls, given: Any) -> Any:
        """Some released clients send the code as a JSON string."""
        return {"content": given} if isinstance(given, str) else given


class SaveController(Message[Confirmation]):
    """Command: write a controller's source; it is parsed and never run by the server."""

    controller_type: ControllerType
    controller_name: Identifier
    source: SourceUpload


class DeleteController(Message[Confirmation]):
    """Command: remove a controller."""

    controller_type: ControllerType
    controller_name: Identifier


class GetControllerTemplate(Message[dict[str, Any]]):
    """Query: the fields of a controller's configuration, with default, type and whether it is required."""

    handler_limit = INSPECTION_LIMIT

    controller_type: ControllerType
    controller_name: Identifier


class ValidateControllerConfig(Message[Confirmation]):
    """Query: whether the controller would take this configuration; `Invalid` with its own words if not."""

    handler_limit = INSPECTION_LIMIT

    controller_type: ControllerType
    controller_name: Identifier
    config: dict[str, Any]


class ListScripts(Message[list[str]]):
    """Query: names of scripts."""


class GetScript(Message[SourceFile]):
    """Query: a script's source."""

    script_name: Identifier


class SaveScript(Message[Confirmation]):
    """Command: write a script's source; it is parsed and never run by the server."""

    script_name: Identifier
    source: SourceUpload


class DeleteScript(Message[Confirmation]):
    """Command: remove a script."""

    script_name: Identifier


class GetScriptTemplate(Message[dict[str, Any]]):
    """Query: the fields of a script's configuration with their defaults."""

    handler_limit = INSPECTION_LIMIT

    script_name: Identifier


class ListConfigs(Message[list[dict[str, Any]]]):
    """Query: every saved configuration of a kind. One that can't be read says so in `error`."""

    kind: StrategyKind


class GetConfig(Message[dict[str, Any]]):
    """Query: a saved configuration."""

    kind: StrategyKind
    config_name: ConfigName


class SaveConfig(Message[Confirmation]):
    """Command: save a configuration."""

    kind: StrategyKind
    config_name: ConfigName
    config: dict[str, Any]


class ChangeConfig(Message[dict[str, Any]]):
    """Command: change fields of a saved configuration; answers the whole of it."""

    kind: StrategyKind
    config_name: ConfigName
    changes: dict[str, Any]


class DeleteConfig(Message[Confirmation]):
    """Command: remove a saved configuration."""

    kind: StrategyKind
    config_name: ConfigName
