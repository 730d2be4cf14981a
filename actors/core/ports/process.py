"""A process that is watched, measured and ended by its id, be it a child of ours or not.

Processes forked from the template, and bots adopted after a restart of the server, are nobody's children
here, so nothing can be waited for in the usual way: a pidfd tells the end of any process, and cannot be
fooled by an id that has been given to another one since.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

POLL_INTERVAL = 0.2
"""Seconds between two looks at a process on platforms without pidfds."""

ExitStatusSource = Callable[[int], Awaitable[int | None]]
"""Tells the exit status of a process that has ended, if whoever reaped it knows; answers within a second."""


def birth_mark(pid: int) -> str | None:
    """What tells this process from a later one with the same id: `None` if there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists() or not psutil.pid_exists(pid):
            return None
        return f"{psutil.Process(pid).create_time():.2f}"
    except ProcessLookupError:
        return None
    # Field 22 of stat(5): the start time after boot, in clock ticks; two fields precede the last bracket.
    return f"{boot}:{fields[19]}"


class ChildProcess:
    """A handle on one process."""

    def __init__(self, pid: int, pidfd: int | None, exit_status_of: ExitStatusSource | None = None) -> None:
        self.pid = pid
        self.birth = birth_mark(pid)
        """Survives in a database: `adopt` needs it."""
        self._pidfd = pidfd
        self._exit_status_of = exit_status_of
        self._ended: asyncio.Future[None] | None = None
        self._status: int | None = None

    @classmethod
    def of(cls, pid: int, exit_status_of: ExitStatusSource | None = None) -> "ChildProcess":
        """A handle on a running process; `ProcessLookupError` if there is none."""
        return cls(pid, os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None, exit_status_of)

    @classmethod
    def adopt(cls, pid: int, birth: str) -> "ChildProcess | None":
        """A handle on a process that was started earlier, or `None` if it has ended."""
        try:
            process = cls.of(pid)
        except ProcessLookupError:
            return None
        if process.birth == birth and process.alive:
            return process
        process.release()
        return None

    @property
    def alive(self) -> bool:
        """Whether the process runs. A zombie does not."""
        if self._ended is not None and self._ended.done():
            return False
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE and (
                birth_mark(self.pid) == self.birth
            )
        except psutil.NoSuchProcess:
            return False

    async def exited(self) -> int | None:
        """Wait for the end; the exit status, `None` if it cannot be known."""
        if self._ended is None:
            loop = asyncio.get_running_loop()
            self._ended = loop.create_future()
            if self._pidfd is not None:
                loop.add_reader(self._pidfd, self._reap)
        if self._pidfd is None and not self._ended.done():
            while self.alive:  # noqa: ASYNC110 - without pidfds nothing can be awaited
                await asyncio.sleep(POLL_INTERVAL)
            self._reap()
        await asyncio.shield(self._ended)
        if self._status is None and self._exit_status_of is not None:
            self._status = await self._exit_status_of(self.pid)
        return self._status

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            _, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status)
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        self.release()

    def signal(self, number: int) -> bool:
        """Send a signal; whether the process was there to get it."""
        if self._ended is not None and self._ended.done():
            return False
        try:
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, number)
            elif birth_mark(self.pid) == self.birth:
                os.kill(self.pid, number)
            else:
                return False
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> bool:
        """End the process at once."""
        return self.signal(signal.SIGKILL)

    def terminate(self) -> bool:
        """Ask the process to end."""
        return self.signal(signal.SIGTERM)

    def rss(self) -> int:
        """Resident memory in bytes, shared pages included; 0 after the end. Cheap."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    def memory(self) -> int:
        """Proportional memory (PSS) in bytes, 0 after the end. Costs the kernel some milliseconds.

        Pages shared with other processes count by their share.
        """
        try:
            full = psutil.Process(self.pid).memory_full_info()
        except psutil.NoSuchProcess:
            return 0
        return int(getattr(full, "pss", 0) or full.rss)

    def release(self) -> None:
        """Let go of the handle; the process is left alone."""
        if self._pidfd is not None:
            if self._ended is not None and not self._ended.done():
                self._ended.get_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
