"""Has strategies looked into by processes of their own, which may crash or hang."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from aviary.actors.core.refusal import Invalid, NotFound, Unavailable
from aviary.actors.engine.launch import Job
from aviary.actors.messages.strategies import WrongConfig
from aviary.actors.strategy_files import write_yaml

if TYPE_CHECKING:
    from aviary.actors.runtimes.process import Launch

INSPECTION_TIMEOUT = 30.0
"""Seconds for importing somebody's strategy, cold; it may loop for ever."""

INSPECTIONS_AT_ONCE = 2

ENTRY = "aviary.actors.engine.strategy_inspection:main"

CODE = ("controllers", "scripts")
"""The folders with code, of the library and of each bot."""


class Inspector:
    """Looks into the code under a folder: the library's, or what a bot was deployed with."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._turn = asyncio.Semaphore(INSPECTIONS_AT_ONCE)

    async def fields(self, code: Path, module: str, missing: str) -> dict[str, Any]:
        """The fields of the module's configuration. `NotFound(missing)`; `Invalid` for what can't be imported."""
        answer = await self._look(code, module, missing, {})
        fields: dict[str, Any] = answer["fields"]
        return fields

    async def examine(
        self, code: Path, module: str, missing: str, values: dict[str, Any], before: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """What the module's class makes of a configuration; `WrongConfig` in its words if it does not take it.

        `before` is the configuration that it would replace: the answer says in `changed` what differs.
        """
        answer = await self._look(
            code, module, missing, {"values": values} | ({} if before is None else {"before": before})
        )
        if "invalid" in answer:
            raise WrongConfig(answer["invalid"], tuple(answer["wrong"]))
        return answer

    async def _look(
        self, code: Path, module: str, missing: str, given: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        source = code.joinpath(*module.split(".")).with_suffix(".py")
        if not await asyncio.to_thread(source.exists):
            raise NotFound(missing)
        async with self._turn:
            with tempfile.TemporaryDirectory(prefix="aviary-inspection-") as place:
                answer = await self._answer(Path(place), code, module, given)
        if answer.get("missing"):
            raise NotFound(missing)
        if "broken" in answer:
            raise Invalid(f"{module} can't be imported: {answer['broken']}")
        return answer

    async def _answer(
        self, folder: Path, code: Path, module: str, given: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        for name in CODE:
            (folder / name).symlink_to((code / name).absolute())
        spec: dict[str, Any] = {"module": module, "answer": str(folder / "answer.json")}
        for name, values in given.items():
            # As a file, since that is how the bot will read it.
            spec[name] = str(folder / f"{name}.yml")
            await asyncio.to_thread(write_yaml, folder / f"{name}.yml", values)
        process = await self._launch(Job(entry=ENTRY, folder=folder, log=folder / "log", spec=spec), None)
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
        return answer
