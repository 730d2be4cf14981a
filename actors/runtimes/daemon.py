"""A process that outlives the server: started detached, found again by the next server, and watched."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
import psutil
from aviary.actors.core.ports.process import birth_mark
from aviary.config.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TERMINATE_TIMEOUT = 10.0
"""Seconds a daemon has to end by itself before it is killed."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running process, told from a later one with the same pid by its mark of birth."""

    pid: int
    birth: str
    """Not a time of day: a step of the machine's clock must not make it another process."""

    @classmethod
    def of(cls, pid: int) -> Daemon:
        """A process that runs now; `ProcessLookupError` if there is none."""
        birth = birth_mark(pid)
        if birth is None:
            raise ProcessLookupError(f"no process {pid}")
        return cls(pid, birth)

    def is_alive(self) -> bool:
        """Whether that very process still runs (a zombie does not)."""
        try:
            status = psutil.Process(self.pid).status()
            return status != psutil.STATUS_ZOMBIE and birth_mark(self.pid) == self.birth
        except psutil.NoSuchProcess:
            return False

    async def exited(self) -> None:
        """Wait until the process has ended; there is no deadline, since this is a watch."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            if self.is_alive():
                await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._reap()

    async def terminate(self, timeout: float = TERMINATE_TIMEOUT) -> None:  # noqa: ASYNC109
        """Ask it to end, wait, and kill it if it does not."""
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout):
                await self.exited()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.exited()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if that very process still runs."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)


def start_daemon(
    argv: Sequence[str], *, folder: Path, log: Path, environment: Mapping[str, str], record: Path
) -> Daemon:
    """Start a process in a session of its own, its output appended to `log`, and note it in `record`."""
    folder.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            list(argv),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    daemon = Daemon.of(process.pid)
    try:
        # Whatever loses the record but not the process, a power failure, ends the process.
        replace_file(record, orjson.dumps({"pid": daemon.pid, "birth": daemon.birth}), durable=False)
    except OSError:
        # Nobody would find it again: the next try would start a second one beside it.
        process.kill()
        process.wait()
        raise
    # The process is watched by its pid from here on; the handle would complain at its deletion.
    process.returncode = 0
    return daemon


def find_daemon(record: Path) -> Daemon | None:
    """The process noted in `record`, if it still runs."""
    try:
        noted = orjson.loads(record.read_bytes())
        daemon = Daemon(int(noted["pid"]), str(noted["birth"]))
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    return daemon if daemon.is_alive() else None
