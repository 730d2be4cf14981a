"""The library of controllers, scripts and their configurations."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Invalid, NotFound, Unavailable
from aviary.actors.engine.launch import Job
from aviary.actors.messages.strategies import (
    ChangeConfig,
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
)
from aviary.actors.strategy_files import CONTROLLER_TYPES, StrategyFiles

if TYPE_CHECKING:
    from aviary.actors.runtimes.process import Launch

INSPECTION_TIMEOUT = 30.0
"""Seconds for importing somebody's strategy, cold; it may loop for ever."""

INSPECTIONS_AT_ONCE = 2

ENTRY = "aviary.actors.engine.strategy_inspection:main"


class StrategyLibrary(AsyncActor):
    """Keeps the files, and has strategies looked into by processes that may crash or hang."""

    def __init__(self, bots: Path, launch: Launch) -> None:
        super().__init__()
        self._bots = bots
        self._launch = launch
        self._files = StrategyFiles(bots)
        self._inspections = asyncio.Semaphore(INSPECTIONS_AT_ONCE)

    async def prepare(self) -> None:
        """Make the folders and install what is shipped."""
        await asyncio.to_thread(self._files.install_shipped)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetControllerTemplate(controller_type=kind, controller_name=name):
                return self.defer(self._controller_template(kind, name))
            case ValidateControllerConfig():
                return self.defer(self._validate(message))
            case GetScriptTemplate():
                return self.defer(self._script_template(message.script_name))
            case _:
                return self.defer(asyncio.to_thread(self._on_files, message))

    def _on_files(self, message: Any) -> Any:
        files = self._files
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
                return Confirmation(message=f"Controller '{name}' saved successfully in '{kind}'")
            case DeleteController(controller_type=kind, controller_name=name):
                files.delete(self._controller(kind, name), f"Controller '{name}' not found in '{kind}'")
                return Confirmation(message=f"Controller '{name}' deleted successfully from '{kind}'")
            case ListScripts():
                return files.list_sources(files.scripts)
            case GetScript(script_name=name):
                text = files.read_source(self._script(name), f"Script '{name}' not found")
                return SourceFile(name=name, content=text)
            case SaveScript(script_name=name):
                files.write_source(self._script(name), message.source.content)
                return Confirmation(message=f"Script '{name}' saved successfully")
            case DeleteScript(script_name=name):
                files.delete(self._script(name), f"Script '{name}' not found")
                return Confirmation(message=f"Script '{name}' deleted successfully")
            case ListConfigs(kind=config_kind):
                return files.list_configs(config_kind)
            case GetConfig(kind=config_kind, config_name=name):
                return files.read_config(config_kind, name)
            case SaveConfig(kind=config_kind, config_name=name):
                values = dict(message.config)
                if config_kind == "controller":
                    values.setdefault("id", name.removesuffix(".yml"))
                files.write_config(config_kind, name, values)
                return Confirmation(message=f"Configuration '{name}' saved successfully")
            case ChangeConfig(kind=config_kind, config_name=name):
                values = {**files.read_config(config_kind, name), **message.changes}
                files.write_config(config_kind, name, values)
                return values
            case DeleteConfig(kind=config_kind, config_name=name):
                files.delete(files.config_path(config_kind, name), f"Configuration '{name}' not found")
                return Confirmation(message=f"Configuration '{name}' deleted successfully")
            case _:
                raise TypeError(f"{type(self).__name__} does not handle {type(message).__name__}")

    def _controller(self, kind: str, name: str) -> Path:
        return self._files.controllers / kind / f"{name}.py"

    def _script(self, name: str) -> Path:
        return self._files.scripts / f"{name}.py"

    async def _controller_template(self, kind: str, name: str) -> dict[str, Any]:
        answer = await self._inspect(
            self._controller(kind, name),
            f"controllers.{kind}.{name}",
            None,
            f"Controller configuration class for '{name}' not found",
        )
        fields: dict[str, Any] = answer["fields"]
        return fields

    async def _script_template(self, name: str) -> dict[str, Any]:
        answer = await self._inspect(
            self._script(name), f"scripts.{name}", None, f"Script configuration class for '{name}' not found"
        )
        return {
            field: None if described["required"] else described["default"]
            for field, described in answer["fields"].items()
        }

    async def _validate(self, message: ValidateControllerConfig) -> Confirmation:
        kind, name = message.controller_type, message.controller_name
        answer = await self._inspect(
            self._controller(kind, name),
            f"controllers.{kind}.{name}",
            message.config,
            f"Controller configuration class for '{name}' not found",
        )
        if "invalid" in answer:
            raise Invalid(answer["invalid"])
        return Confirmation(message="Configuration is valid")

    async def _inspect(
        self, source: Path, module: str, values: dict[str, Any] | None, missing: str
    ) -> dict[str, Any]:
        if not await asyncio.to_thread(source.exists):
            raise NotFound(missing)
        async with self._inspections:
            with tempfile.TemporaryDirectory(prefix="aviary-inspection-") as place:
                folder = Path(place)
                for name in ("controllers", "scripts"):
                    (folder / name).symlink_to((self._bots / name).absolute())
                spec = {"module": module, "values": values, "answer": str(folder / "answer.json")}
                job = Job(entry=ENTRY, folder=folder, log=folder / "log", spec=spec)
                try:
                    process = await self._launch(job, None)
                except (OSError, ActorCrashed) as error:
                    raise Unavailable(f"{module} can't be inspected now: {error}", retry_after=5.0) from error
                try:
                    async with asyncio.timeout(INSPECTION_TIMEOUT):
                        await process.exited()
                except TimeoutError:
                    raise Unavailable(f"{module} did not finish its import", retry_after=60.0) from None
                finally:
                    process.kill()
                try:
                    answer: dict[str, Any] = orjson.loads((folder / "answer.json").read_bytes())
                except FileNotFoundError:
                    raise Invalid(f"{module} ends the process that imports it") from None
        if answer.get("missing"):
            raise NotFound(missing)
        if "broken" in answer:
            raise Invalid(f"{module} can't be imported: {answer['broken']}")
        return answer
