"""What a supervisor knows of its children, and the steps in which one of them comes and goes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from aviary.actors.core.address import Address, child_of
from aviary.actors.core.alarms import parked_alarm
from aviary.actors.core.cell import Cell
from aviary.actors.core.exits import Exit
from aviary.actors.core.life import Ignore, Started
from aviary.supervisors.spec import ChildSpec, SupervisorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aviary.actors.core.actor import Actor
    from aviary.actors.core.system import System


TOGETHER = 32
"""Stops that are begun before others on the same loops get their turn; nobody waits for their end."""


@dataclass(slots=True)
class Child:
    """What a supervisor remembers of a child."""

    spec: ChildSpec
    cell: Cell
    state: Literal["running", "restarting", "absent", "parked"] = "absent"
    serial: int = 0
    attempt: int = 0
    lived: float = 0.0
    """Seconds that the last life took, 0 if it did not begin."""
    history: tuple[float, ...] = ()
    token: int | None = None
    """Of the group that it waits with for a restart."""
    extra: object = None


class Children:
    """The children of one supervisor, in their order of start."""

    def __init__(self, system: System, spec: SupervisorSpec, supervisor: Address, path: Address) -> None:
        self.system = system
        self.spec = spec
        """The supervisor's own spec; `replace` changes it."""
        self.supervisor = supervisor
        self._path = path
        self._by_name: dict[str, Child] = {}
        self._waiting: dict[int, list[str]] = {}
        """The names of those whose restart is due later, by the token of their group."""

    def __iter__(self) -> Iterator[Child]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Child:
        return self._by_name[name]

    def get(self, name: str) -> Child | None:
        """The child called `name`."""
        return self._by_name.get(name)

    def names(self) -> tuple[str, ...]:
        """Every child's name."""
        return tuple(self._by_name)

    # Who belongs here

    def clear_strangers(self) -> None:
        """Remove the addresses that an earlier life of this supervisor left and its spec does not name."""
        kept = {child_of(self._path, spec.name) for spec in self.spec.children}
        for cell in self.system.directory.below(self.supervisor):
            if cell.parent == self.supervisor and cell.address not in kept:
                self.system.directory.remove(cell.address)

    def add(self, spec: ChildSpec) -> Child:
        """Make a child, not running yet. `ValueError` if its address is somebody else's."""
        child = self._by_name[spec.name] = Child(spec, self._cell_for(spec))
        return child

    def replace(self, spec: SupervisorSpec) -> None:
        """Take over a new spec: its order counts, and what it does not name stays, behind the others.

        `ValueError`, and nothing is changed, if a new child's address is somebody else's.
        """
        cells = {new.name: self._cell_for(new) for new in spec.children if new.name not in self._by_name}
        self.spec = spec
        old, self._by_name = self._by_name, {}
        for child_spec in spec.children:
            child = old.pop(child_spec.name, None)
            if child is None:
                child = Child(child_spec, cells[child_spec.name])
            child.spec = child_spec
            child.cell.resettle(child_spec.settings, child_spec.kind)
            self._by_name[child_spec.name] = child
        self._by_name.update(old)

    def forget(self, child: Child) -> None:
        """Drop a child, its spec and its address."""
        self.unwait(child)
        self._by_name.pop(child.spec.name, None)
        self.system.directory.remove(child.cell.address)

    def is_forgotten_when_absent(self, child: Child) -> bool:
        """Whether the spec of a child that does not run is not kept."""
        return child.spec.restart == "temporary" or self.spec.dynamic

    def _cell_for(self, spec: ChildSpec) -> Cell:
        address = child_of(self._path, spec.name)
        cell = self.system.cell(address)
        if cell is None:
            return self.system.directory.add(
                address, parent=self.supervisor, settings=spec.settings, kind=spec.kind
            )
        if cell.parent != self.supervisor:
            raise ValueError(f"{address} is somebody else's")
        cell.resettle(spec.settings, spec.kind)
        return cell

    # Coming and going

    async def launch(self, child: Child) -> Exit | None:
        """Start a child; why it failed, `None` if it runs or, being absent, does not want to."""
        child.cell.next_try_at = None
        outcome = await self.system.lives.start(child.cell, child.spec.factory, child.spec.start_timeout)
        if isinstance(outcome, Started):
            child.state, child.extra = "running", outcome.extra
            # The life may have ended by now: its exit waits in the mailbox, under this serial.
            child.serial = outcome.serial
            self.system.alarms.clear(parked_alarm(child.cell.address))
            if child.spec.restart == "temporary":
                # It is never made again, and what its factory holds is the child's alone now.
                child.spec = replace(child.spec, factory=_made_already)
            return None
        child.state, child.serial = "absent", 0
        if isinstance(outcome, Ignore):
            child.cell.state = "stopped"
            return None
        return outcome

    async def stop(self, child: Child, *, brutally: bool = False) -> Exit | None:
        """Stop a child as its spec says, or kill it."""
        child.serial = 0
        child.state = "absent"
        return await self.system.lives.stop(child.cell, 0 if brutally else child.spec.shutdown)

    async def stop_all(self, *, brutally: bool = False) -> None:
        """Stop those that run, right to left; all at the same time if the supervisor is dynamic."""
        running = [child for child in reversed(self._by_name.values()) if child.cell.life is not None]
        if self.spec.dynamic:
            async with asyncio.TaskGroup() as stops:
                for begun, child in enumerate(running, 1):
                    stops.create_task(self.stop(child, brutally=brutally))
                    if begun % TOGETHER == 0:
                        await self.system.dispatchers.breathe()
        else:
            for child in running:
                await self.stop(child, brutally=brutally)

    def settle_absent(self, child: Child) -> None:
        """Forget a child that does not run, or let it rest."""
        if self.is_forgotten_when_absent(child):
            self.forget(child)
        else:
            self.rest(child)

    def rest(self, child: Child) -> None:
        """Note that a child stays absent: what waits for it is refused."""
        child.state, child.serial = "absent", 0
        self.system.directory.rest(child.cell, "stopped", f"{child.cell.address} is stopped")
        self.system.alarms.clear(parked_alarm(child.cell.address))

    def park(self, child: Child, why: str) -> None:
        """Set a child aside, with an alarm."""
        cell = child.cell
        child.state = "parked"
        self.system.directory.rest(cell, "parked", f"{cell.address} is parked: {why}")
        self.system.record("parked", cell.address, incarnation=cell.incarnation, reason=why)
        self.system.alarms.raise_(parked_alarm(cell.address), why)

    # Waiting for a restart

    def wait(self, group: Sequence[Child], seconds: float) -> int:
        """Let a group wait for its restart; the token that tells it from every other one."""
        # Unique beyond this life: what an earlier one sent to itself may still arrive.
        token = self.system.ledger.next_serial()
        self._waiting[token] = [child.spec.name for child in group]
        for child in group:
            child.state, child.token = "restarting", token
            child.cell.state = "backing_off"
            child.cell.next_try_at = self.system.clock.monotonic() + seconds
        return token

    def unwait(self, child: Child) -> None:
        """Take a child out of the group that it waits with."""
        token, child.token = child.token, None
        waiting = None if token is None else self._waiting.get(token)
        if waiting is not None and token is not None and child.spec.name in waiting:
            waiting.remove(child.spec.name)
            if not waiting:
                del self._waiting[token]

    def take_waiting(self, token: int) -> list[Child]:
        """The group whose restart is due; nobody if it waits no longer."""
        return [self._by_name[name] for name in self._waiting.pop(token, ())]


def _made_already() -> Actor:
    raise RuntimeError("a temporary child is made once")
