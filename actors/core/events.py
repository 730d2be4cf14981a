"""What happens in the kernel, as values: the stream that the journal keeps and anyone may subscribe to."""

from typing import Literal

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
    """Traceback or further text; never a message's content, which may hold secrets."""


TOPIC = "kernel"
"""The bus topic that carries every `KernelEvent`."""
