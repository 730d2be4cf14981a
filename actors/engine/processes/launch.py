"""Starting engine processes: forked from the warm template if there is one, cold otherwise.

This is the server's side and imports nothing of hummingbot. Both ways give the new process the same three
things: a job to read, a port to speak through if it wants one, and a session of its own, so that it outlives
whoever started it. A new process does nothing before it has read its whole job, and the job is sent only
after `on_spawn`: a caller that writes the process id down there can never have started a process it does not
know of.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aviary.actors.core.ports.port import EventHandler, Port
from aviary.actors.core.ports.process import ChildProcess
from aviary.actors.engine.processes.spawn import JOB_FD, PORT_FD, start_python
from aviary.actors.engine.processes.template_client import Template, TemplateUnavailable
from aviary.config.clock import Clock

__all__ = ["HOST_ENTRY", "Job", "Template", "TemplateUnavailable", "launch", "launch_with_port"]

HOST_ENTRY = "aviary.actors.engine.host:main"
"""The entry of engine hosts."""

JOB_TIMEOUT = 10.0
"""Seconds a new process may take to read its job; a cold one needs about a quarter of a second."""

OnSpawn = Callable[[ChildProcess], Awaitable[None]]


@dataclass(frozen=True)
class Job:
    """What a new engine process is to do.

    `entry` is `module:function`; the function takes `spec` (JSON values; `log`, and `port_fd` if there is
    a port, are added) and returns the exit code. `folder` becomes the working directory and hummingbot's root, and is
    made if missing; output is appended to `log`; `environment` is set on top of what the server hands on of its own.
    """

    entry: str
    folder: Path
    log: Path
    spec: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The job as the new process reads it. It travels over a socket only: it may hold secrets."""
        return orjson.dumps(
            {
                "entry": self.entry,
                "spec": dict(self.spec),
                "folder": str(self.folder.absolute()),
                "log": str(self.log.absolute()),
                "environment": dict(self.environment),
            }
        )


async def launch(template: Template | None, job: Job, *, on_spawn: OnSpawn | None = None) -> ChildProcess:
    """Start a process: warm if the template works, cold if not. It goes on when server and template end."""
    return await _launch(template, job, None, on_spawn)


async def launch_with_port(
    template: Template | None,
    job: Job,
    clock: Clock,
    on_event: EventHandler | None = None,
    *,
    on_spawn: OnSpawn | None = None,
) -> tuple[Port, ChildProcess]:
    """Start a process that serves a port. It ends when the port is closed, or the server dies."""
    ours, theirs = socket.socketpair()
    try:
        process = await _launch(template, job, theirs, on_spawn)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    return await Port.over(ours, clock, on_event), process


async def _launch(
    template: Template | None, job: Job, port: socket.socket | None, on_spawn: OnSpawn | None
) -> ChildProcess:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = await _start_process(template, job, theirs, port)
        try:
            if on_spawn is not None:
                await on_spawn(process)
            ours.setblocking(False)
            async with asyncio.timeout(JOB_TIMEOUT):
                await asyncio.get_running_loop().sock_sendall(ours, job.encoded())
        except BaseException:
            process.kill()
            raise
    return process


async def _start_process(
    template: Template | None, job: Job, source: socket.socket, port: socket.socket | None
) -> ChildProcess:
    if template is not None and template.alive:
        try:
            return await template.fork(source, port)
        except TemplateUnavailable:
            # Whatever was forked meanwhile reads an empty job from the closed socket, and ends.
            pass
    descriptors = {JOB_FD: source.fileno()}
    if port is not None:
        descriptors[PORT_FD] = port.fileno()
    arguments = ["-m", "aviary.actors.engine.processes.child_main", *(["--port"] if port is not None else [])]
    return start_python(arguments, descriptors, job.log)
