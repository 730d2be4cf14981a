"""Processes that end with their server, and are ended by the next one if a killed server could not.

A process that is stopped, or hangs, does not notice that its server is gone.
"""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import orjson
from aviary.actors.core.ports.process import ChildProcess, birth_mark

log = logging.getLogger("aviary.server")


class Wards:
    """The notes about them, a small file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def note(self, process: ChildProcess) -> None:
        """Note a process before it does anything."""
        await asyncio.to_thread(self._note, process.pid, process.birth)

    def end_all(self) -> int:
        """End those that a killed server has left; how many there were. Blocks."""
        ended = 0
        for file, pid, birth in self._noted():
            process = ChildProcess.adopt(pid, birth)
            if process is not None:
                ended += process.kill()
                process.release()
            file.unlink(missing_ok=True)
        return ended

    def _note(self, pid: int, birth: str | None) -> None:
        for file, noted, born in self._noted():
            if birth_mark(noted) != born:
                file.unlink(missing_ok=True)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f"{pid}.new"
            draft.write_bytes(orjson.dumps({"pid": pid, "birth": birth}))
            draft.replace(self._folder / f"{pid}.json")
        except OSError as error:
            # On a full disk it is needed all the same, and it ends by itself unless it hangs.
            log.warning("process %d can't be noted down: %s", pid, error.strerror)

    def _noted(self) -> Iterator[tuple[Path, int, str]]:
        for file in self._folder.glob("*.json"):
            try:
                noted = orjson.loads(file.read_bytes())
                yield file, int(noted["pid"]), str(noted["birth"])
            except FileNotFoundError:
                continue
            except (ValueError, KeyError, TypeError):
                file.unlink(missing_ok=True)
