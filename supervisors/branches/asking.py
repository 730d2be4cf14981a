"""What every branch asks of its supervisor: to have a child, and to have it no more."""

from contextlib import suppress

from aviary.actors.core.address import Address
from aviary.actors.core.refusal import Conflict, NotFound
from aviary.actors.core.system import System
from aviary.supervisors.messages import DeleteChild, StartChild, TerminateChild
from aviary.supervisors.spec import ChildSpec


async def have(system: System, supervisor: Address, child: ChildSpec, limit: float) -> None:
    """Start a child; nothing happens if it is there. `limit` is in seconds. Raises `Unavailable` if it does not start."""
    with suppress(Conflict):
        await system.ask(supervisor, StartChild(spec=child), timeout=limit)


async def have_no_more(
    system: System, supervisor: Address, name: str, limit: float, *, keeps_spec: bool = False
) -> bool:
    """Stop a child; whether it was there. `keeps_spec`: of a supervisor that is not dynamic, and forgets none by itself."""
    try:
        await system.ask(supervisor, TerminateChild(name=name), timeout=limit)
        if keeps_spec:
            await system.ask(supervisor, DeleteChild(name=name), timeout=limit)
    except NotFound:
        return False
    return True
