"""What a supervisor does when a child has ended: restart it with its group, wait, give up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aviary.actors.core.exits import ChildExited, Escalated, Exit, describe, is_abnormal
from aviary.actors.core.refusal import Conflict, Unavailable
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
from aviary.supervisors.messages import RestartDue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aviary.actors.core.actor import AsyncActor
    from aviary.supervisors.children import Child, Children


class Restarts:
    """Carries out what `decisions` decides, for one supervisor, and remembers how often it had to."""

    def __init__(self, supervisor: AsyncActor, children: Children) -> None:
        self._supervisor = supervisor
        self._children = children
        self._system = children.system
        self._history: tuple[float, ...] = ()

    async def child_exited(self, exited: ChildExited) -> None:
        """Decide about the end of a child; one that was stopped or replaced meanwhile does not count."""
        children = self._children
        child = children.get(exited.address.rsplit("/", 1)[-1])
        if child is None or child.state != "running" or child.serial != exited.serial:
            return
        now = self._system.clock.monotonic()
        child.serial, child.state = 0, "absent"
        child.lived = exited.lived
        history = self._with(child, now)
        decision = after_exit(
            children.spec,
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
                children.forget(child)
            case Keep():
                children.rest(child)
            case End(forget):
                if forget:
                    children.forget(child)
                else:
                    children.rest(child)
                self._supervisor.finish()
            case GiveUp():
                self._set_history(child, history)
                self._give_up(child)
            case Group(names):
                self._set_history(child, history)
                await self._restart_group(child, names)

    async def restart_due(self, due: RestartDue) -> None:
        """Start the group that has waited."""
        await self._start_group(self._children.take_waiting(due.token))

    async def start_failed(self, child: Child, failure: Exit, missing: Sequence[Child] = ()) -> None:
        """Try a child again that did not start, and those whose turn did not come, unless it is too often."""
        children = self._children
        child.lived = 0.0
        child.cell.last_failure = describe(failure)
        history = self._with(child, self._system.clock.monotonic())
        self._set_history(child, history)
        if is_too_often(children.spec, history):
            self._give_up(child)
            return
        # Those whose turn did not come are tried again too, whatever the strategy says by now.
        names = members(children.spec.strategy, self._order(child), child.spec.name)
        if missing:
            wanted = {*names, *(one.spec.name for one in missing)}
            names = tuple(name for name in children.names() if name in wanted)
        await self._restart_group(child, names, retry=True)

    async def renew(self, child: Child) -> None:
        """Stop a child if it runs, and start it; one that does not start is tried again like any other."""
        children = self._children
        if child.spec.restart == "temporary":
            raise Conflict(f"{child.cell.address} is temporary: it is made once")
        children.unwait(child)
        if child.cell.life is not None:
            await children.stop(child)
        child.attempt, child.history = 0, ()
        child.cell.attempt = 0
        child.cell.restarts += 1
        failure = await children.launch(child)
        if failure is not None:
            await self.start_failed(child, failure)
            raise Unavailable(f"{child.cell.address} did not start: {describe(failure)}")
        if child.state == "absent":
            children.rest(child)

    async def _restart_group(self, failed: Child, names: Iterable[str], *, retry: bool = False) -> None:
        children = self._children
        group = [children[name] for name in names]
        for child in reversed(group):
            if child.cell.life is not None:
                await children.stop(child)
            children.unwait(child)
            if child.spec.restart == "temporary" and child is not failed:
                children.forget(child)
        left = [child for child in group if child.spec.name in children]
        backoff = failed.spec.backoff
        failed.attempt = failed.cell.attempt = backoff.attempt_after(failed.attempt, failed.lived)
        delay = backoff.delay(failed.attempt, self._system.chance)
        if delay == 0 and not retry:
            await self._start_group(left)
            return
        due = RestartDue(name=failed.spec.name, token=children.wait(left, delay))
        self._system.record(
            "backoff",
            failed.cell.address,
            incarnation=failed.cell.incarnation,
            reason=f"try {failed.attempt} in {delay:.2f} s, after: {failed.cell.last_failure}",
            mailbox=len(failed.cell.mailbox),
        )
        if delay == 0:
            # Without a delay a retry still goes through the mailbox, so that a stop can come between.
            self._supervisor.tell(self._supervisor.address, due)
        else:
            self._supervisor.schedule(delay, due)

    async def _start_group(self, group: Sequence[Child]) -> None:
        children = self._children
        for index, child in enumerate(group):
            children.unwait(child)
            child.cell.restarts += 1
            failure = await children.launch(child)
            if failure is not None:
                await self.start_failed(child, failure, group[index + 1 :])
                return
            if child.state == "running":
                self._system.record("restart", child.cell.address, incarnation=child.cell.incarnation)
            else:
                children.settle_absent(child)

    def _give_up(self, child: Child) -> None:
        why = child.cell.last_failure or "unknown"
        if self._children.spec.park:
            self._children.park(child, why)
            return
        supervisor, address = self._supervisor, child.cell.address
        self._system.record("escalation", supervisor.address, reason=f"gave up on {address}: {why}")
        # The exit at hand was handled: giving up is the answer to it.
        supervisor.life.end(Escalated(address, why), handled=True)

    def _order(self, child: Child) -> tuple[str, ...]:
        # Only a group restart looks at the others: with many children, each exit must stay cheap.
        return (child.spec.name,) if self._children.spec.strategy == "one_for_one" else self._children.names()

    def _significant_left(self) -> int:
        alive = {"running", "restarting"}
        return sum(child.spec.significant and child.state in alive for child in self._children)

    def _with(self, child: Child, now: float) -> tuple[float, ...]:
        """The restarts that still count, with the one of this moment."""
        spec = self._children.spec
        return (*recent(child.history if spec.park else self._history, now, spec.period), now)

    def _set_history(self, child: Child, history: tuple[float, ...]) -> None:
        if self._children.spec.park:
            child.history = history
        else:
            self._history = history
