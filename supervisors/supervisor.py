"""The supervisor: carries out what `decisions` decides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.address import Address, child_of
from aviary.actors.core.cell import Cell, CellSettings
from aviary.actors.core.exits import Escalated, Exit, Killed, describe, is_abnormal
from aviary.actors.core.life import Ignore, Started, parked_alarm
from aviary.actors.core.refusal import Conflict, Invalid, NotFound, Unavailable
from aviary.actors.core.system import ChildExited, System
from aviary.supervisors.decisions import (
    End,
    Forget,
    GiveUp,
    Group,
    Keep,
    after_exit,
    is_too_often,
    members,
    recent,
)
from aviary.supervisors.messages import (
    ChildCounts,
    ChildInfo,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    Reconfigure,
    RestartChild,
    RestartDue,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from aviary.supervisors.spec import ChildSpec, InvalidSpec, SupervisorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SUPERVISOR_SETTINGS = CellSettings(handler_limit=None)
"""A supervisor waits for its children's starts and stops, which have limits of their own."""


class StartFailed(Exception):
    """A child could not be started, and so neither could its supervisor."""

    def __init__(self, address: Address, why: str) -> None:
        super().__init__(f"{address} did not start: {why}")


@dataclass(slots=True)
class Child:
    """What a supervisor remembers of a child."""

    spec: ChildSpec
    cell: Cell
    state: Literal["running", "restarting", "absent", "parked"] = "absent"
    serial: int = 0
    attempt: int = 0
    started_at: float = 0.0
    lived: float = 0.0
    """Seconds that the last life took, 0 if it did not begin."""
    history: tuple[float, ...] = ()
    token: int | None = None
    extra: object = None


@dataclass(slots=True)
class Waiting:
    """A group of children whose restart is due later."""

    members: list[str] = field(default_factory=list)


class Supervisor(AsyncActor):
    """Starts its children left to right, restarts them by its strategy, stops them right to left."""

    dispatcher: ClassVar[str | None] = "kernel"
    release_timeout: ClassVar[float | None] = None

    def __init__(self, spec: SupervisorSpec) -> None:
        super().__init__()
        self._spec = spec
        self._children: dict[str, Child] = {}
        self._waiting: dict[int, Waiting] = {}
        self._history: tuple[float, ...] = ()
        self._path: Address = ""

    # Life

    async def prepare(self) -> None:
        """Start every child in order.

        If one fails, stop those already started and fail; a parking supervisor goes on without it
        and tries it again later.
        """
        self._sys: System = self.life.system
        self._path = self.path_of(self.address)
        kept = {child_of(self._path, spec.name) for spec in self._spec.children}
        for cell in self._sys.below(self.address):
            if cell.parent == self.address and cell.address not in kept:
                self._sys.remove(cell.address)
        for spec in self._spec.children:
            self._children[spec.name] = Child(spec, self._cell_for(spec))
        for child in tuple(self._children.values()):
            failure = await self._launch(child)
            if failure is not None:
                if not self._spec.park:
                    raise StartFailed(child.cell.address, describe(failure))
                await self._restart_failed(child, failure)
            elif child.state == "absent" and self._is_forgotten_when_absent(child):
                self._forget(child)

    def path_of(self, address: Address) -> Address:
        """The prefix of the children's addresses: the supervisor's own address."""
        return address

    async def release(self) -> None:
        """Stop every child, right to left.

        Their mailboxes stay: whoever decides that this supervisor is not started again empties them.
        """
        brutally = isinstance(self._bound_life.reason, Killed)
        await self._stop_all(list(self._children.values()), brutally=brutally)
        for child in self._children.values():
            if child.state != "parked":
                child.cell.state, child.cell.next_try_at = "backing_off", None

    async def _stop_all(self, children: Sequence[Child], *, brutally: bool = False) -> None:
        running = [child for child in reversed(children) if child.cell.life is not None]
        if self._spec.dynamic:
            await asyncio.gather(*(self._stop_child(child, brutally=brutally) for child in running))
        else:
            for child in running:
                await self._stop_child(child, brutally=brutally)

    async def _stop_child(self, child: Child, *, brutally: bool = False) -> Exit | None:
        child.serial = 0
        child.state = "absent"
        return await self._sys.stop(child.cell, 0 if brutally else child.spec.shutdown)

    # Messages

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case ChildExited():
                return self._child_exited(message)
            case RestartDue():
                return self._restart_due(message)
            case StartChild():
                return self._start_child(message.spec)
            case TerminateChild():
                return self._terminate_child(message.name)
            case RestartChild():
                return self._restart_child(message.name)
            case DeleteChild():
                return self._delete_child(message.name)
            case WhichChildren():
                return tuple(self._info(child) for child in self._children.values())
            case CountChildren():
                return self._count()
            case GetChildSpec():
                return self._find(message.name).spec
            case Reconfigure():
                return self._reconfigure(message.spec)
            case _:
                # Whatever anybody sends, it must not cost the children their lives.
                raise Invalid(f"a supervisor does not handle {type(message).__name__}")

    # A child has ended

    async def _child_exited(self, exited: ChildExited) -> None:
        child = self._children.get(exited.address.rsplit("/", 1)[-1])
        if child is None or child.state != "running" or child.serial != exited.serial:
            return
        now = self.clock.monotonic()
        child.serial, child.state = 0, "absent"
        child.lived = now - child.started_at
        history = (*recent(self._history_of(child), now, self._spec.period), now)
        decision = after_exit(
            self._spec,
            self._order(child),
            child.spec,
            exited.reason,
            history,
            self._significant_left() if child.spec.significant else 0,
        )
        if isinstance(decision, Group | GiveUp) or is_abnormal(exited.reason):
            child.cell.last_failure = describe(exited.reason)
        match decision:
            case Forget():
                self._forget(child)
            case Keep():
                self._rest(child)
            case End(forget):
                if forget:
                    self._forget(child)
                else:
                    self._rest(child)
                self.finish()
            case GiveUp():
                self._set_history(child, history)
                self._give_up(child)
            case Group(names):
                self._set_history(child, history)
                await self._restart_group(child, names)

    async def _restart_group(self, failed: Child, names: Iterable[str], *, retry: bool = False) -> None:
        group = [self._children[name] for name in names]
        for child in reversed(group):
            if child.cell.life is not None:
                await self._stop_child(child)
            self._unwait(child)
            if child.spec.restart == "temporary" and child is not failed:
                self._forget(child)
        left = [child for child in group if child.spec.name in self._children]
        backoff = failed.spec.backoff
        failed.attempt = failed.cell.attempt = backoff.attempt_after(failed.attempt, failed.lived)
        delay = backoff.delay(failed.attempt, self._sys.chance)
        if delay == 0 and not retry:
            await self._start_group(left)
            return
        # Unique beyond this life: what an earlier one sent to itself may still arrive.
        token = self._sys.next_serial()
        self._waiting[token] = Waiting([child.spec.name for child in left])
        for child in left:
            child.state, child.token = "restarting", token
            child.cell.state = "backing_off"
            child.cell.next_try_at = self.clock.monotonic() + delay
        self._sys.record(
            "backoff",
            failed.cell.address,
            incarnation=failed.cell.incarnation,
            reason=f"try {failed.attempt} in {delay:.2f} s, after: {failed.cell.last_failure}",
            mailbox=len(failed.cell.mailbox),
        )
        due = RestartDue(name=failed.spec.name, token=token)
        if delay == 0:
            # Without a delay a retry still goes through the mailbox, so that a stop can come between.
            self.tell(self.address, due)
        else:
            self.schedule(delay, due)

    async def _restart_due(self, due: RestartDue) -> None:
        waiting = self._waiting.pop(due.token, None)
        if waiting is not None:
            await self._start_group([self._children[name] for name in waiting.members])

    async def _start_group(self, group: Sequence[Child]) -> None:
        for index, child in enumerate(group):
            self._unwait(child)
            child.cell.restarts += 1
            failure = await self._launch(child)
            if failure is not None:
                await self._restart_failed(child, failure, group[index + 1 :])
                return
            if child.state == "running":
                self._sys.record("restart", child.cell.address, incarnation=child.cell.incarnation)
            elif self._is_forgotten_when_absent(child):
                self._forget(child)
            else:
                self._rest(child)

    async def _restart_failed(self, child: Child, failure: Exit, missing: Sequence[Child] = ()) -> None:
        now = self.clock.monotonic()
        child.lived = 0.0
        child.cell.last_failure = describe(failure)
        history = (*recent(self._history_of(child), now, self._spec.period), now)
        self._set_history(child, history)
        if is_too_often(self._spec, history):
            self._give_up(child)
            return
        # Those whose turn did not come are tried again too, whatever the strategy says by now.
        names = members(self._spec.strategy, self._order(child), child.spec.name)
        if missing:
            wanted = {*names, *(one.spec.name for one in missing)}
            names = tuple(name for name in self._children if name in wanted)
        await self._restart_group(child, names, retry=True)

    def _give_up(self, child: Child) -> None:
        cell = child.cell
        why = cell.last_failure or "unknown"
        if not self._spec.park:
            self._sys.record("escalation", self.address, reason=f"gave up on {cell.address}: {why}")
            self.life.end(Escalated(cell.address, why))
            return
        child.state = "parked"
        self._sys.rest(cell, "parked", f"{cell.address} is parked: {why}")
        self._sys.record("parked", cell.address, incarnation=cell.incarnation, reason=why)
        self._sys.alarms.raise_(parked_alarm(cell.address), why)

    # Administration

    async def _start_child(self, spec: ChildSpec) -> ChildInfo:
        known = self._children.get(spec.name)
        if known is not None:
            word = "is already running" if known.state == "running" else f"is already present, {known.state}"
            raise Conflict(f"{known.cell.address} {word}")
        if spec.significant and self._spec.auto_shutdown == "never":
            raise Invalid("a significant child needs auto_shutdown", "significant")
        child = Child(spec, self._new_cell_for(spec))
        self._children[spec.name] = child
        failure = await self._launch(child)
        if failure is not None:
            self._forget(child)
            raise Unavailable(f"{child.cell.address} did not start: {describe(failure)}")
        info = self._info(child)
        if child.state == "absent" and self._is_forgotten_when_absent(child):
            self._forget(child)
        return info

    async def _terminate_child(self, name: str) -> None:
        child = self._find(name)
        self._unwait(child)
        if child.cell.life is not None:
            await self._stop_child(child)
        if self._is_forgotten_when_absent(child):
            self._forget(child)
        else:
            self._rest(child)

    async def _restart_child(self, name: str) -> ChildInfo:
        child = self._find(name)
        if child.state in {"running", "restarting"}:
            raise Conflict(f"{child.cell.address} is {child.state}")
        was_parked = child.state == "parked"
        child.attempt, child.history = 0, ()
        child.cell.attempt = 0
        child.cell.restarts += 1
        failure = await self._launch(child)
        if failure is not None:
            why = f"{child.cell.address} did not start: {describe(failure)}"
            child.state = "parked" if was_parked else "absent"
            child.cell.last_failure = describe(failure)
            self._sys.rest(child.cell, "parked" if was_parked else "stopped", why)
            raise Unavailable(why)
        if child.state == "absent":
            self._rest(child)
        return self._info(child)

    def _delete_child(self, name: str) -> None:
        child = self._find(name)
        if child.state in {"running", "restarting"}:
            raise Conflict(f"{child.cell.address} is {child.state}")
        self._forget(child)

    def _count(self) -> ChildCounts:
        children = self._children.values()
        return ChildCounts(
            specs=len(children),
            active=sum(child.state == "running" for child in children),
            supervisors=sum(child.spec.kind == "supervisor" for child in children),
            workers=sum(child.spec.kind == "worker" for child in children),
        )

    def _reconfigure(self, spec: SupervisorSpec) -> None:
        try:
            spec.check_children()
        except InvalidSpec as error:
            raise Invalid(str(error), error.field) from error
        cells = {
            child_spec.name: self._new_cell_for(child_spec)
            for child_spec in spec.children
            if child_spec.name not in self._children
        }
        self._spec = spec
        # The new order counts; what the new spec does not name stays, behind the others, as it is.
        old, self._children = self._children, {}
        for child_spec in spec.children:
            known = old.pop(child_spec.name, None)
            if known is None:
                known = Child(child_spec, cells[child_spec.name])
            known.spec = child_spec
            known.cell.resettle(child_spec.settings, child_spec.kind)
            self._children[child_spec.name] = known
        self._children.update(old)

    # The parts

    async def _launch(self, child: Child) -> Exit | None:
        child.cell.next_try_at = None
        outcome = await self._sys.start(child.cell, child.spec.factory, child.spec.start_timeout)
        child.started_at = self._sys.clock.monotonic()
        if isinstance(outcome, Started):
            child.state, child.extra = "running", outcome.extra
            # The life may have ended by now: its exit waits in the mailbox, under this serial.
            child.serial = outcome.serial
            self._sys.alarms.clear(parked_alarm(child.cell.address))
            return None
        child.state, child.serial = "absent", 0
        if isinstance(outcome, Ignore):
            child.cell.state = "stopped"
            return None
        return outcome

    def _cell_for(self, spec: ChildSpec) -> Cell:
        address = child_of(self._path, spec.name)
        cell = self._sys.cell(address)
        if cell is None:
            return self._sys.add(address, parent=self.address, settings=spec.settings, kind=spec.kind)
        if cell.parent != self.address:
            raise ValueError(f"{address} is somebody else's")
        cell.resettle(spec.settings, spec.kind)
        return cell

    def _new_cell_for(self, spec: ChildSpec) -> Cell:
        try:
            return self._cell_for(spec)
        except ValueError as error:
            raise Invalid(str(error), "name") from error

    def _order(self, child: Child) -> tuple[str, ...]:
        # Only a group restart looks at the others: with many children, each exit must stay cheap.
        return (child.spec.name,) if self._spec.strategy == "one_for_one" else tuple(self._children)

    def _significant_left(self) -> int:
        alive = {"running", "restarting"}
        return sum(child.spec.significant and child.state in alive for child in self._children.values())

    def _is_forgotten_when_absent(self, child: Child) -> bool:
        return child.spec.restart == "temporary" or self._spec.dynamic

    def _find(self, name: str) -> Child:
        child = self._children.get(name)
        if child is None:
            raise NotFound(f"{self.address} has no child {name!r}")
        return child

    def _forget(self, child: Child) -> None:
        self._unwait(child)
        self._children.pop(child.spec.name, None)
        self._sys.remove(child.cell.address)

    def _rest(self, child: Child) -> None:
        child.state, child.serial = "absent", 0
        self._sys.rest(child.cell, "stopped", f"{child.cell.address} is stopped")
        self._sys.alarms.clear(parked_alarm(child.cell.address))

    def _unwait(self, child: Child) -> None:
        token, child.token = child.token, None
        waiting = None if token is None else self._waiting.get(token)
        if waiting is not None and token is not None and child.spec.name in waiting.members:
            waiting.members.remove(child.spec.name)
            if not waiting.members:
                del self._waiting[token]

    def _history_of(self, child: Child) -> tuple[float, ...]:
        return child.history if self._spec.park else self._history

    def _set_history(self, child: Child, history: tuple[float, ...]) -> None:
        if self._spec.park:
            child.history = history
        else:
            self._history = history

    def _info(self, child: Child) -> ChildInfo:
        return ChildInfo(
            name=child.spec.name,
            address=child.cell.address,
            kind=child.spec.kind,
            state=child.state,
            incarnation=child.cell.incarnation,
            significant=child.spec.significant,
            extra=child.extra,
        )


class RootSupervisor(Supervisor):
    """The top of a tree: its children's addresses carry no prefix."""

    def path_of(self, address: Address) -> Address:  # noqa: ARG002 - the root has no path
        """No prefix."""
        return ""
