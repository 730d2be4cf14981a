"""Keeps the warm hummingbot process that hosts, bots and workers are forked from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.life import Ignore
from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.engine.processes.launch import (
    Job,
    OnSpawn,
    Template,
    TemplateUnavailable,
    launch,
    launch_with_port,
)
from aviary.actors.messages.engine import GetTemplate, TemplateInfo

if TYPE_CHECKING:
    from pathlib import Path

    from aviary.actors.core.address import Address
    from aviary.actors.core.context import ActorContext
    from aviary.actors.core.ports.port import EventHandler, Port
    from aviary.actors.core.ports.process import ChildProcess
    from aviary.actors.runtimes.wards import Wards

WARM_UP_TIMEOUT = 60.0
"""Seconds of its own the template has to become warm; it needs some three."""

PATIENCE = 15.0
"""Seconds for which a start waits for a template that still warms up: going cold costs a processor as much."""


class TemplateEnded(Exception):
    """The template's process has ended, or never became warm."""


class TemplateKeeper(AsyncActor):
    """Starts the template in the background and fails when it ends. What was forked from it goes on."""

    def __init__(self, folder: Path, log: Path, wards: Wards | None = None) -> None:
        super().__init__()
        self._folder = folder
        self._log = log
        self._wards = wards
        self._template: Template | None = None

    async def prepare(self) -> None:
        """Start the process. There is nothing to keep where the platform can't fork."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._template = template = Template.start(self._folder, self._log)
        except TemplateUnavailable as reason:
            raise Ignore(str(reason)) from reason
        if self._wards is not None:
            await self._wards.note(template.process)
        self.spawn(self._watch(template), "watch")

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetTemplate(patience=patience):
                return self.defer(self._warm(patience))
            case _:
                return super().receive(message)

    async def release(self) -> None:
        """Let go of the process, which then ends."""
        if self._template is not None:
            self._template.close()

    async def _warm(self, patience: float) -> TemplateInfo:
        template = self._template
        if template is None:
            return TemplateInfo(template=None)
        try:
            await template.ready(patience)
        except TemplateUnavailable:
            return TemplateInfo(template=None)
        return TemplateInfo(template=template)

    async def _watch(self, template: Template) -> None:
        try:
            seconds = await template.warmed_up(WARM_UP_TIMEOUT)
        except TemplateUnavailable as reason:
            template.process.kill()
            raise TemplateEnded(str(reason)) from reason
        self.system.record("operator", self.address, reason=f"the template was warm after {seconds:.1f} s")
        status = await template.ended()
        raise TemplateEnded(f"the template ended with {status}, see {self._log.name}")


class Launcher:
    """Starts engine processes from the template of a tree, or cold if there is none.

    To be used on the loop of the template's keeper, which is that of every actor without a
    dispatcher of its own.
    """

    def __init__(self, system: ActorContext, template: Address | None, patience: float = PATIENCE) -> None:
        self._system = system
        self._address = template
        self._patience = patience

    async def process(self, job: Job, on_spawn: OnSpawn | None = None) -> ChildProcess:
        """Start a process that outlives the server; see `launch`."""
        return await launch(await self._template(), job, on_spawn=on_spawn)

    async def host(
        self, job: Job, on_event: EventHandler, on_spawn: OnSpawn | None = None
    ) -> tuple[Port, ChildProcess]:
        """Start a process that serves a port; see `launch_with_port`."""
        template = await self._template()
        return await launch_with_port(template, job, self._system.clock, on_event, on_spawn=on_spawn)

    async def _template(self) -> Template | None:
        if self._address is None:
            return None
        try:
            message = GetTemplate(patience=self._patience)
            info = await self._system.ask(self._address, message, timeout=self._patience + 1.0)
        except (Refusal, ActorCrashed):
            return None
        return info.template
