"""Has strategies looked into by processes of their own, which may crash or hang."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from aviary.actors.core.refusal import ActorCrashed, Invalid, NotFound, Unavailable
from aviary.actors.engine.processes.launch import Job
from aviary.actors.messages.strategies import WrongConfig
from aviary.actors.strategies.files import write_yaml

if TYPE_CHECKING:
    from aviary.actors.runtimes.process import Launch

INSPECTION_TIMEOUT = 30.0
"""Seconds for importing somebody's strategy, cold; it may loop for ever."""

INSPECTIONS_AT_ONCE = 2

TURN_PATIENCE = 20.0
"""Seconds that an inspection waits for its turn."""

HUNG_FOR = 60.0
"""Seconds for which code that hung is not imported again, unless it was changed: others wait for their turn."""

ENTRY = "aviary.actors.engine.strategies.inspection:main"

CODE = ("controllers", "scripts")
"""The folders with code, of the library and of each bot."""


class _Hung(Exception):
    """Somebody's code does not come to an end."""


class Inspector:
    """Looks into the code under a folder: the library's, or what a bot was deployed with."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._turn = asyncio.Semaphore(INSPECTIONS_AT_ONCE)
        self._hung: dict[tuple[Path, int], float] = {}
        """Files with the moment of their last change, and until when they are left alone; seconds of the loop."""

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
        version = await asyncio.to_thread(_version, source)
        if version is None:
            raise NotFound(missing)
        now = asyncio.get_running_loop().time()
        self._hung = {hung: until for hung, until in self._hung.items() if until > now}
        if version in self._hung:
            raise Unavailable(f"{module} did not finish its import", retry_after=self._hung[version] - now)
        await self._wait_for_turn(module)
        try:
            with tempfile.TemporaryDirectory(prefix="aviary-inspection-") as place:
                answer = await self._answer(Path(place), code, module, given)
        except _Hung:
            self._hung[version] = asyncio.get_running_loop().time() + HUNG_FOR
            raise Unavailable(f"{module} did not finish its import", retry_after=HUNG_FOR) from None
        finally:
            self._turn.release()
        if answer.get("missing"):
            raise NotFound(missing)
        if "broken" in answer:
            raise Invalid(f"{module} can't be imported: {answer['broken']}")
        return answer

    async def _wait_for_turn(self, module: str) -> None:
        try:
            async with asyncio.timeout(TURN_PATIENCE):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable(
                f"{module} could not be looked into: too many others are", retry_after=10.0
            ) from None

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
        try:
            process = await self._launch(Job(entry=ENTRY, folder=folder, log=folder / "log", spec=spec), None)
        except (OSError, ActorCrashed) as error:
            raise Unavailable(f"{module} can't be inspected now: {error}", retry_after=5.0) from error
        try:
            async with asyncio.timeout(INSPECTION_TIMEOUT):
                await process.exited()
        except TimeoutError:
            raise _Hung from None
        finally:
            process.kill()
        try:
            answer: dict[str, Any] = orjson.loads((folder / "answer.json").read_bytes())
        except FileNotFoundError:
            raise Invalid(f"{module} ends the process that imports it") from None
        return answer


def _version(source: Path) -> tuple[Path, int] | None:
    """A file and the moment of its last change; `None` if there is none."""
    try:
        return source, source.stat().st_mtime_ns
    except OSError:
        return None
