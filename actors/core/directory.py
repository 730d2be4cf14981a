"""The addresses of a system, who is supervised from where, and how an address comes to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from aviary.actors.core.address import Address, checked
from aviary.actors.core.alarms import Alarms, parked_alarm
from aviary.actors.core.cell import Cell, CellSettings, CellView
from aviary.actors.core.exits import ChildExited, Killed
from aviary.actors.core.life import Stop, StopInTurn
from aviary.actors.core.refusal import Unavailable

if TYPE_CHECKING:
    from aviary.actors.core.ledger import Ledger
    from aviary.actors.core.quarantine import Quarantine


class Directory:
    """Every address with its cell. Changed on the kernel's loop, by supervisors; read from any thread."""

    def __init__(self, ledger: Ledger, alarms: Alarms, quarantine: Quarantine) -> None:
        self._ledger = ledger
        self._alarms = alarms
        self._quarantine = quarantine
        self._cells: dict[Address, Cell] = {}
        self._below: dict[Address, dict[Address, Cell]] = {}

    def __contains__(self, address: Address) -> bool:
        return address in self._cells

    def __len__(self) -> int:
        return len(self._cells)

    def cell(self, address: Address) -> Cell | None:
        """The record of an address."""
        return self._cells.get(address)

    def cells(self) -> tuple[Cell, ...]:
        """Every record, in order of creation."""
        return tuple(self._cells.values())

    def below(self, address: Address) -> list[Cell]:
        """The records of everything that is supervised from an address, parents before children."""
        found: list[Cell] = []
        for cell in self._below.get(address, {}).values():
            found.append(cell)
            found.extend(self.below(cell.address))
        return found

    def views(self, now: float, monotonic: float) -> tuple[CellView, ...]:
        """A picture of every address, in order of creation, given the time of day and the monotonic time."""
        return tuple(cell.view(now, monotonic) for cell in self.cells())

    def add(
        self,
        address: Address,
        *,
        parent: Address | None,
        settings: CellSettings | None = None,
        kind: Literal["supervisor", "worker"] = "worker",
    ) -> Cell:
        """Make an address at rest, with an empty mailbox. `ValueError` if it exists or is malformed."""
        if checked(address) in self._cells:
            raise ValueError(f"{address} exists")
        cell = Cell(address, parent, kind, settings or CellSettings())
        cell.mailbox.close()
        self._cells[address] = cell
        if parent is not None:
            self._below.setdefault(parent, {})[address] = cell
        return cell

    def remove(self, address: Address) -> None:
        """Forget an address and all below it; what waits there is refused and becomes dead letters."""
        own = self._cells.get(address)
        for cell in [*reversed(self.below(address)), *([] if own is None else [own])]:
            del self._cells[cell.address]
            self._below.pop(cell.address, None)
            if cell.parent is not None:
                self._below.get(cell.parent, {}).pop(cell.address, None)
            if cell.life is not None:
                cell.life.end(Killed())
            cell.state = "stopped"
            self._empty(cell, f"{cell.address} does not exist any more")
            self._alarms.clear(parked_alarm(cell.address))
            self._quarantine.forget(cell)

    def rest(self, cell: Cell, state: Literal["stopped", "parked"], why: str) -> None:
        """Let an address come to rest, and all below it: what waits there is refused, nothing is accepted."""
        cell.state = state
        for resting in (*reversed(self.below(cell.address)), cell):
            if resting.state != "parked":
                resting.state = "stopped"
            resting.next_try_at = None
            self._empty(resting, why)

    def _empty(self, cell: Cell, why: str) -> None:
        for envelope in cell.mailbox.close():
            if envelope.serial or isinstance(envelope.message, ChildExited | Stop | StopInTurn):
                # Of an incarnation that is over anyway: nothing is lost with it.
                envelope.answer(None)
                continue
            envelope.refuse(Unavailable(why))
            self._ledger.dead_letter(cell.address, envelope, why)
