"""The supervisor: an actor that starts its children, stops them, and hears of what happens to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.address import Address
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.exits import ChildExited, Killed, describe
from aviary.actors.core.refusal import Invalid
from aviary.actors.core.system import System
from aviary.supervisors.administration import Administration
from aviary.supervisors.children import Children
from aviary.supervisors.messages import (
    CountChildren,
    DeleteChild,
    GetChildSpec,
    Reconfigure,
    RenewChild,
    RestartChild,
    RestartDue,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from aviary.supervisors.restarts import Restarts
from aviary.supervisors.spec import SupervisorSpec

if TYPE_CHECKING:
    from aviary.actors.core.context import ActorContext
    from aviary.actors.core.life import Life

SUPERVISOR_SETTINGS = CellSettings(handler_limit=None)
"""A supervisor waits for its children's starts and stops, which have limits of their own."""


class StartFailed(Exception):
    """A child could not be started, and so neither could its supervisor."""

    def __init__(self, address: Address, why: str) -> None:
        super().__init__(f"{address} did not start: {why}")


class Supervisor(AsyncActor):
    """Starts its children left to right, restarts them by its strategy, stops them right to left."""

    dispatcher: ClassVar[str | None] = "kernel"
    release_timeout: ClassVar[float | None] = None

    def __init__(self, spec: SupervisorSpec) -> None:
        super().__init__()
        self._spec = spec

    def bind(self, life: Life, system: ActorContext) -> None:
        """Take an address, and with it what is done there."""
        super().bind(life, system)
        if not isinstance(system, System):
            raise TypeError("a supervisor starts and stops others, and needs the whole system for it")
        address = life.cell.address
        self._children = Children(system, self._spec, address, self.path_of(address))
        self._restarts = Restarts(self, self._children)
        self._administration = Administration(self._children, self._restarts)

    def path_of(self, address: Address) -> Address:
        """The prefix of the children's addresses: the supervisor's own address."""
        return address

    async def prepare(self) -> None:
        """Start every child in order.

        If one fails, stop those already started and fail; a parking supervisor goes on without it
        and tries it again later.
        """
        children = self._children
        children.clear_strangers()
        for spec in self._spec.children:
            children.add(spec)
        for child in tuple(children):
            failure = await children.launch(child)
            if failure is not None:
                if not self._spec.park:
                    raise StartFailed(child.cell.address, describe(failure))
                await self._restarts.start_failed(child, failure)
            elif child.state == "absent":
                children.settle_absent(child)

    async def release(self) -> None:
        """Stop every child, right to left.

        Their mailboxes stay: whoever decides that this supervisor is not started again empties them.
        """
        await self._children.stop_all(brutally=isinstance(self._bound_life.reason, Killed))
        for child in self._children:
            if child.state != "parked":
                child.cell.state, child.cell.next_try_at = "backing_off", None

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case ChildExited():
                return self._restarts.child_exited(message)
            case RestartDue():
                return self._restarts.restart_due(message)
            case StartChild():
                return self._administration.start_child(message.spec)
            case TerminateChild():
                return self._administration.terminate_child(message.name)
            case RestartChild():
                return self._administration.restart_child(message.name)
            case RenewChild():
                return self._administration.renew_child(message.name)
            case DeleteChild():
                return self._administration.delete_child(message.name)
            case WhichChildren():
                return self._administration.which_children()
            case CountChildren():
                return self._administration.count_children()
            case GetChildSpec():
                return self._administration.child_spec(message.name)
            case Reconfigure():
                return self._administration.reconfigure(message.spec)
            case _:
                # Whatever anybody sends, it must not cost the children their lives.
                raise Invalid(f"a supervisor does not handle {type(message).__name__}")


class RootSupervisor(Supervisor):
    """The top of a tree: its children's addresses carry no prefix."""

    def path_of(self, address: Address) -> Address:  # noqa: ARG002 - the root has no path
        """No prefix."""
        return ""
