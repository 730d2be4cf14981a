"""What happens in the kernel, as values: the stream that the journal keeps and anyone may subscribe to."""

from typing import Literal

from aviary.actors.core.address import Address
from aviary.actors.core.message import Value

type EventKind = Literal[
    "start",
    "stop",
    "crash",
    "hung",
    "failed_request",
    "restart",
    "backoff",
    "escalation",
    "parked",
    "poison",
    "dead_letter",
    "release_failed",
    "operator",
    "alarm",
]


class KernelEvent(Value):
    """One entry of the journal. `id` is unique, so that it is stored exactly once."""

    id: str
    at: float
    """Unix seconds."""
    kind: EventKind
    address: str
    incarnation: int = 0
    reason: str = ""
    crash_id: str | None = None
    message_kind: str | None = None
    mailbox: int = 0
    """Messages that waited at that moment."""
    detail: str = ""
    """Traceback or further text, `MAX_DETAIL` characters at most; never a message's content, which may hold
    secrets."""
    count: int = 1
    """How many drops a dead letter's entry stands for."""


MAX_DETAIL = 8_000
"""Characters of a traceback that are kept: its beginning and, more of it, its end."""

TOPIC = "kernel"
"""The bus topic that carries every `KernelEvent`."""


def topic_of(address: Address) -> str:
    """The bus topic that carries the events of one address only."""
    return f"{TOPIC}:{address}"


def shortened(text: str, limit: int = MAX_DETAIL) -> str:
    """The beginning and the end of a text that is too long."""
    if len(text) <= limit:
        return text
    head = limit // 4
    gap = f"\n… {len(text) - limit:,} characters left out …\n"
    return f"{text[:head]}{gap}{text[-(limit - head - len(gap)) :]}"
