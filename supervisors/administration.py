"""What a supervisor does on somebody's order: add, stop, restart and forget children, tell of them, change its spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aviary.actors.core.exits import describe
from aviary.actors.core.refusal import Conflict, Invalid, NotFound, Unavailable
from aviary.supervisors.messages import ChildCounts, ChildInfo
from aviary.supervisors.spec import ChildSpec, InvalidSpec, SupervisorSpec

if TYPE_CHECKING:
    from aviary.supervisors.children import Child, Children
    from aviary.supervisors.restarts import Restarts


class Administration:
    """Carries out the orders in `messages`, for one supervisor, each with the refusals that are written there."""

    def __init__(self, children: Children, restarts: Restarts) -> None:
        self._children = children
        self._restarts = restarts

    async def start_child(self, spec: ChildSpec) -> ChildInfo:
        """Add a child and start it."""
        children = self._children
        known = children.get(spec.name)
        if known is not None:
            word = "is already running" if known.state == "running" else f"is already present, {known.state}"
            raise Conflict(f"{known.cell.address} {word}")
        if spec.significant and children.spec.auto_shutdown == "never":
            raise Invalid("a significant child needs auto_shutdown", "significant")
        try:
            child = children.add(spec)
        except ValueError as error:
            raise Invalid(str(error), "name") from error
        failure = await children.launch(child)
        if failure is not None:
            children.forget(child)
            raise Unavailable(f"{child.cell.address} did not start: {describe(failure)}")
        info = _info(child)
        if child.state == "absent":
            children.settle_absent(child)
        return info

    async def terminate_child(self, name: str) -> None:
        """Stop a child, or its waiting restart."""
        children = self._children
        child = self._find(name)
        children.unwait(child)
        if child.cell.life is not None:
            await children.stop(child)
        children.settle_absent(child)

    async def restart_child(self, name: str) -> ChildInfo:
        """Start a child that is absent or parked; one that fails stays what it was."""
        children = self._children
        child = self._idle(name)
        was_parked = child.state == "parked"
        child.attempt, child.history = 0, ()
        child.cell.attempt = 0
        child.cell.restarts += 1
        failure = await children.launch(child)
        if failure is not None:
            why = f"{child.cell.address} did not start: {describe(failure)}"
            child.state = "parked" if was_parked else "absent"
            child.cell.last_failure = describe(failure)
            children.system.directory.rest(child.cell, "parked" if was_parked else "stopped", why)
            raise Unavailable(why)
        if child.state == "absent":
            children.rest(child)
        return _info(child)

    async def renew_child(self, name: str) -> ChildInfo:
        """Start a child anew, whatever it is doing."""
        child = self._find(name)
        await self._restarts.renew(child)
        return _info(child)

    def delete_child(self, name: str) -> None:
        """Forget a child that does not run."""
        self._children.forget(self._idle(name))

    def which_children(self) -> tuple[ChildInfo, ...]:
        """Every child, in order of start."""
        return tuple(_info(child) for child in self._children)

    def count_children(self) -> ChildCounts:
        """How many children there are."""
        children = self._children
        return ChildCounts(
            specs=len(children),
            active=sum(child.state == "running" for child in children),
            supervisors=sum(child.spec.kind == "supervisor" for child in children),
            workers=sum(child.spec.kind == "worker" for child in children),
        )

    def child_spec(self, name: str) -> ChildSpec:
        """The spec of a child."""
        return self._find(name).spec

    def reconfigure(self, spec: SupervisorSpec) -> None:
        """Replace the supervisor's spec while it runs."""
        try:
            spec.check_children()
        except InvalidSpec as error:
            raise Invalid(str(error), error.field) from error
        try:
            self._children.replace(spec)
        except ValueError as error:
            raise Invalid(str(error), "name") from error

    def _find(self, name: str) -> Child:
        child = self._children.get(name)
        if child is None:
            raise NotFound(f"{self._children.supervisor} has no child {name!r}")
        return child

    def _idle(self, name: str) -> Child:
        child = self._find(name)
        if child.state in {"running", "restarting"}:
            raise Conflict(f"{child.cell.address} is {child.state}")
        return child


def _info(child: Child) -> ChildInfo:
    return ChildInfo(
        name=child.spec.name,
        address=child.cell.address,
        kind=child.spec.kind,
        state=child.state,
        incarnation=child.cell.incarnation,
        significant=child.spec.significant,
        extra=child.extra,
    )
