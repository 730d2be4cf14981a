"""The server's handle on the template process, from which engine processes are forked."""

import asyncio
import os
import socket
from collections import OrderedDict
from pathlib import Path
from typing import Any

import orjson
from aviary.actors.core.ports.patience import OwnTime, in_own_time
from aviary.actors.core.ports.process import ChildProcess
from aviary.actors.engine.processes.spawn import start_python
from aviary.config.clock import SystemClock

FORK_TIMEOUT = 3.0
"""Seconds of the template's own. A fork takes some ten milliseconds; one that needs longer hangs and is killed."""

LONGEST_FORK = 20.0
"""Seconds by the clock after which it is killed, however little of a processor it had."""

LONGEST_WARM_UP = 5.0
"""How many times as long as planned a warm-up may take by the clock, if the template gets little of a processor."""

EXIT_STATUS_TIMEOUT = 1.0
"""Seconds the template has to tell of an end; both see it at the same moment."""

REMEMBERED_EXITS = 4096
"""Exit codes kept for children nobody has asked about yet."""

MESSAGE_SIZE = 65_536
CONTROL_FD = 3


class TemplateUnavailable(Exception):
    """The template is dead, hung, or not possible on this platform."""


class Template:
    """A warm hummingbot process that can only fork. It ends when the server lets go of it."""

    def __init__(self, process: ChildProcess, control: socket.socket) -> None:
        self.process = process
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[float] = self._loop.create_future()
        self._forks: dict[int, asyncio.Future[ChildProcess]] = {}
        self._next = 1
        self._exits: OrderedDict[int, int] = OrderedDict()
        self._news = asyncio.Event()
        self._open = True
        self._loop.add_reader(control, self._read)

    @classmethod
    def possible(cls) -> bool:
        """Whether this platform can fork and watch processes the way a template needs."""
        return hasattr(os, "fork") and hasattr(os, "pidfd_open") and hasattr(socket, "SOCK_SEQPACKET")

    @classmethod
    def start(cls, folder: Path, log: Path) -> "Template":
        """Start a template process. It warms up in its own `folder`; see `ready`.

        `TemplateUnavailable` where the platform cannot fork.
        """
        if not cls.possible():
            raise TemplateUnavailable("this platform cannot fork warm processes")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            arguments = ["-m", "aviary.actors.engine.processes.template", str(folder.absolute())]
            process = start_python(arguments, {CONTROL_FD: theirs.fileno()}, log)
        ours.setblocking(False)
        return cls(process, ours)

    @property
    def alive(self) -> bool:
        """Whether the template has not ended."""
        return self._open

    async def warmed_up(self, seconds: float) -> float:
        """Wait until it can fork, while it has had less than `seconds` for itself; the seconds it took to warm up.

        `TemplateUnavailable` if it does not come up, be it that it ended.
        """
        try:
            return await in_own_time(self._ready, self._own_time(), seconds, seconds * LONGEST_WARM_UP)
        except TimeoutError:
            raise TemplateUnavailable(f"the template was not warm within {seconds:g} s of its own") from None

    async def ready(self, timeout: float) -> float:  # noqa: ASYNC109 - its own error is raised for it
        """Wait until it can fork; the seconds it took to warm up.

        `TemplateUnavailable` if it does not come up within `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            raise TemplateUnavailable(f"the template was not warm within {timeout:g} s") from None

    async def fork(self, job: socket.socket, port: socket.socket | None = None) -> ChildProcess:
        """A new process that reads its job from `job` and serves `port`.

        Fails with `TemplateUnavailable` if the template is gone, not warm yet, or hangs; a hung one is killed.
        """
        if not self._open or not self._ready.done():
            raise TemplateUnavailable("the template is not warm")
        number, self._next = self._next, self._next + 1
        fork: asyncio.Future[ChildProcess] = self._loop.create_future()
        self._forks[number] = fork
        descriptors = [job.fileno()] if port is None else [job.fileno(), port.fileno()]
        try:
            socket.send_fds(self._control, [orjson.dumps({"fork": number})], descriptors)
            return await in_own_time(fork, self._own_time(), FORK_TIMEOUT, LONGEST_FORK)
        except (OSError, TimeoutError) as error:
            self.process.kill()
            raise TemplateUnavailable(f"the template does not fork: {error}") from error
        finally:
            self._forks.pop(number, None)

    async def exit_status_of(self, pid: int) -> int | None:
        """How a forked process ended: its exit code, minus the signal if killed.

        `None` if the template does not tell.
        """
        try:
            async with asyncio.timeout(EXIT_STATUS_TIMEOUT):
                while pid not in self._exits and self._open:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        return self._exits.get(pid)

    async def ended(self) -> int | None:
        """Wait until the template process has ended; its exit status."""
        return await self.process.exited()

    def close(self) -> None:
        """Let go: the template ends, its children go on."""
        self._end("closed")

    def _own_time(self) -> OwnTime:
        return OwnTime(self.process.pid, SystemClock())

    def _read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_SIZE, 4)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(str(error))
            return
        if not data:
            self._end("the template has ended")
            return
        message = orjson.loads(data)
        if "forked" in message:
            fork = self._forks.get(message["forked"])
            if fork is not None and not fork.done():
                fork.set_result(ChildProcess(message["pid"], descriptors[0], self.exit_status_of))
                descriptors = descriptors[1:]
        elif "exited" in message:
            self._exits[message["exited"]] = message["status"]
            self._news.set()
            if len(self._exits) > REMEMBERED_EXITS:
                self._exits.popitem(last=False)
        elif "ready" in message and not self._ready.done():
            self._ready.set_result(message["ready"])
        for descriptor in descriptors:
            os.close(descriptor)

    def _end(self, reason: str) -> None:
        if not self._open:
            return
        self._open = False
        self._news.set()
        self._loop.remove_reader(self._control)
        self._control.close()
        gone = TemplateUnavailable(reason)
        waiting: list[asyncio.Future[Any]] = [self._ready, *self._forks.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(gone)
                future.exception()
