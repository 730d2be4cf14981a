"""The library of controllers, scripts and their configurations."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import Invalid, NotFound
from aviary.actors.messages.strategies import (
    IDENTIFIER,
    CheckConfig,
    CheckedConfig,
    Confirmation,
    DeleteConfig,
    DeleteController,
    DeleteScript,
    GetConfig,
    GetController,
    GetControllerTemplate,
    GetScript,
    GetScriptTemplate,
    ListConfigs,
    ListControllers,
    ListScripts,
    SaveConfig,
    SaveController,
    SaveScript,
    SourceFile,
    ValidateControllerConfig,
    WrongConfig,
)
from aviary.actors.strategies.checks import WorldCheck
from aviary.actors.strategies.files import CONTROLLER_TYPES, StrategyFiles
from aviary.actors.strategies.inspector import Inspector
from aviary.actors.strategies.users import StrategyUsers

if TYPE_CHECKING:
    from pathlib import Path

    from aviary.actors.runtimes.process import Launch

OUR_NOTES = ("_config_name", "_applies_at_next_start")
"""What we add to the configurations of bots when they are read, and clients send back."""


MAX_ID = 100
"""Characters of a controller's id."""

_IDENTIFIER = re.compile(IDENTIFIER)


class StrategyLibrary(AsyncActor):
    """Keeps the files, and has strategies looked into by processes that may crash or hang."""

    keeps_nothing = True

    def __init__(self, bots: Path, launch: Launch) -> None:
        super().__init__()
        self._bots = bots
        self._files = StrategyFiles(bots)
        self._users = StrategyUsers(bots)
        self._launch = launch

    async def prepare(self) -> None:
        """Make the folders and install what is shipped."""
        self._inspector = Inspector(self._launch)
        self._world = WorldCheck(self)
        await asyncio.to_thread(self._files.install_shipped)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetControllerTemplate(controller_type=kind, controller_name=name):
                return self.defer(self._controller_template(kind, name))
            case GetScriptTemplate():
                return self.defer(self._script_template(message.script_name))
            case ValidateControllerConfig():
                return self.defer(self._validate(message))
            case CheckConfig():
                return self.defer(self._check(message))
            case SaveConfig():
                return self.defer(self._save(message))
            case _:
                return self.defer(asyncio.to_thread(self._on_files, message))

    def _on_files(self, message: Any) -> Any:
        files, users = self._files, self._users
        match message:
            case ListControllers():
                return {kind: files.list_sources(files.controllers / kind) for kind in CONTROLLER_TYPES}
            case GetController(controller_type=kind, controller_name=name):
                missing = f"Controller '{name}' not found in '{kind}'"
                return SourceFile(
                    name=name, type=kind, content=files.read_source(self._controller(kind, name), missing)
                )
            case SaveController(controller_type=kind, controller_name=name):
                sent = message.source.type
                if sent is not None and sent != kind:
                    raise Invalid(f"Controller type mismatch: URL has '{kind}', body has '{sent}'", "type")
                files.write_source(self._controller(kind, name), message.source.content)
                bots = users.of_module(f"controllers.{kind}.{name}")
                return _confirmed(f"Controller '{name}' saved successfully in '{kind}'", bots)
            case DeleteController(controller_type=kind, controller_name=name):
                files.delete(self._controller(kind, name), f"Controller '{name}' not found in '{kind}'")
                bots = users.of_module(f"controllers.{kind}.{name}")
                return _confirmed(f"Controller '{name}' deleted successfully from '{kind}'", bots)
            case ListScripts():
                return files.list_sources(files.scripts)
            case GetScript(script_name=name):
                text = files.read_source(self._script(name), f"Script '{name}' not found")
                return SourceFile(name=name, content=text)
            case SaveScript(script_name=name):
                files.write_source(self._script(name), message.source.content)
                return _confirmed(f"Script '{name}' saved successfully", users.of_module(f"scripts.{name}"))
            case DeleteScript(script_name=name):
                files.delete(self._script(name), f"Script '{name}' not found")
                return _confirmed(f"Script '{name}' deleted successfully", users.of_module(f"scripts.{name}"))
            case ListConfigs(kind=config_kind):
                return files.list_configs(config_kind)
            case GetConfig(kind=config_kind, config_name=name):
                return files.read_config(config_kind, name)
            case DeleteConfig(kind=config_kind, config_name=name):
                files.delete(files.config_path(config_kind, name), f"Configuration '{name}' not found")
                bots = users.of_config(config_kind, name.removesuffix(".yml"))
                return _confirmed(f"Configuration '{name}' deleted successfully", bots)
            case _:
                raise TypeError(f"{type(self).__name__} does not handle {type(message).__name__}")

    def _controller(self, kind: str, name: str) -> Path:
        return self._files.controllers / kind / f"{name}.py"

    def _script(self, name: str) -> Path:
        return self._files.scripts / f"{name}.py"

    async def _controller_template(self, kind: str, name: str) -> dict[str, Any]:
        missing = f"Controller configuration class for '{name}' not found"
        return await self._inspector.fields(self._bots, f"controllers.{kind}.{name}", missing)

    async def _script_template(self, name: str) -> dict[str, Any]:
        missing = f"Script configuration class for '{name}' not found"
        fields = await self._inspector.fields(self._bots, f"scripts.{name}", missing)
        return {
            field: None if described["required"] else described["default"] for field, described in fields.items()
        }

    # Configurations

    async def _validate(self, message: ValidateControllerConfig) -> Confirmation:
        kind, name = message.controller_type, message.controller_name
        values = {"controller_type": kind, "controller_name": name, **message.config}
        for field, told in (("controller_type", kind), ("controller_name", name)):
            if values[field] != told:
                raise Invalid(
                    f"{field}: the address says '{told}', the configuration {values[field]!r:.100}", field
                )
        missing = f"Controller configuration class for '{name}' not found"
        checked = await self._checked(
            f"controllers.{kind}.{name}", missing, CheckConfig(kind="controller", config=values)
        )
        return Confirmation(message="Configuration is valid", warnings=checked.warnings)

    async def _check(self, message: CheckConfig) -> CheckedConfig:
        config = message.config
        if message.kind == "script":
            file = str(config.get("script_file_name", "")).removesuffix(".py")
            if not _IDENTIFIER.fullmatch(file):
                raise Invalid("script_file_name: it names no script", "script_file_name")
            missing = f"Script configuration class for '{file}' not found"
            return await self._checked(f"scripts.{file}", missing, message)
        kind, name = config.get("controller_type"), str(config.get("controller_name", ""))
        if kind not in CONTROLLER_TYPES:
            told = ", ".join(CONTROLLER_TYPES)
            raise Invalid(f"controller_type: {kind!r:.100} is none of {told}", "controller_type")
        if not _IDENTIFIER.fullmatch(name):
            raise Invalid("controller_name: it names no controller", "controller_name")
        missing = f"Controller configuration class for '{name}' not found"
        return await self._checked(f"controllers.{kind}.{name}", missing, message)

    async def _checked(self, module: str, missing: str, message: CheckConfig) -> CheckedConfig:
        code = self._bots if message.bot is None else self._bots / "instances" / message.bot
        values = {name: value for name, value in message.config.items() if name not in OUR_NOTES}
        name = values.get("id", "")
        if isinstance(name, str) and not (name.isprintable() and len(name) <= MAX_ID):
            raise WrongConfig(f"id: not a name of at most {MAX_ID} characters that can be seen", ("id",))
        examined = await self._inspector.examine(code, module, missing, values, message.before)
        keys = None if message.account is None else await asyncio.to_thread(self._keys, message.account)
        warnings = [f"{name} was left out: this version has no such field" for name in examined["dropped"]]
        warnings += await self._world.check(values, examined, keys)
        if examined["unclear"] is not None:
            warnings.append(f"what it needs could not all be found out: {examined['unclear']}")
        return CheckedConfig(
            config={name: value for name, value in values.items() if name not in examined["dropped"]},
            fields=frozenset(examined["fields"]),
            updatable=frozenset(examined["updatable"]),
            changed=frozenset(examined["changed"]),
            connectors=frozenset(examined["markets"]),
            warnings=tuple(warnings),
        )

    def _keys(self, account: str) -> tuple[str, frozenset[str]]:
        folder = self._bots / "credentials" / account
        if not folder.is_dir():
            raise NotFound(f"Account '{account}' not found")
        return account, frozenset(path.stem for path in (folder / "connectors").glob("*.yml"))

    async def _save(self, message: SaveConfig) -> Confirmation:
        kind, name = message.kind, message.config_name
        values = dict(message.config)
        if kind == "controller":
            values.setdefault("id", name.removesuffix(".yml"))
        checked = await self._check(CheckConfig(kind=kind, config=values))
        await asyncio.to_thread(self._files.write_config, kind, name, checked.config)
        bots = await asyncio.to_thread(self._users.of_config, kind, name.removesuffix(".yml"))
        return _confirmed(f"Configuration '{name}' saved successfully", bots, checked.warnings)


def _confirmed(message: str, bots: tuple[str, ...], warnings: tuple[str, ...] = ()) -> Confirmation:
    if bots:
        kept = f"bots keep the copy that they were deployed with: {', '.join(bots)}"
        warnings = (*warnings, kept)
    return Confirmation(message=message, warnings=warnings, bots=bots)
