"""Asking an engine host, for actors that stand in front of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, DeadlineExceeded
from aviary.actors.messages.engine import CALL_TIMEOUT, CallHost, OutcomeUnknown

if TYPE_CHECKING:
    from aviary.actors.core.actor import AsyncActor
    from aviary.actors.core.address import Address

MARGIN = 1.0
"""Seconds that a host has beyond a call's own limit to say that there was no answer."""


async def call_host(
    asker: AsyncActor,
    host: Address,
    method: str,
    *,
    limit: float = CALL_TIMEOUT,
    **arguments: Any,
) -> Any:
    """What the host's method answers; see `CallHost`. A host that dies meanwhile is an `OutcomeUnknown`."""
    try:
        return await asker.ask(
            host, CallHost(method=method, arguments=arguments, timeout=limit), timeout=limit + MARGIN
        )
    except ActorCrashed as crash:
        raise OutcomeUnknown(f"the engine host ended during {method}") from crash
    except DeadlineExceeded as late:
        raise OutcomeUnknown(f"the engine host did not answer {method} in time") from late
