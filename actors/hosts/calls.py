"""Asking an engine host, for actors that stand in front of one, and what its silence means."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, DeadlineExceeded, NoAnswer
from aviary.actors.messages.engine import CALL_TIMEOUT, CallHost, NothingDone, OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@contextmanager
def before_the_exchange() -> Iterator[None]:
    """For what is asked before an exchange is: without an answer there, nothing was done, which is `NothingDone`."""
    try:
        yield
    except NoAnswer as silence:
        raise NothingDone(silence.detail) from silence
    except ActorCrashed as crash:
        raise NothingDone(str(crash)) from crash
