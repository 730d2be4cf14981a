"""What may be asked of the template's keeper and of engine hosts."""

from __future__ import annotations

from typing import Any

from aviary.actors.core.message import Message, Value
from aviary.actors.core.refusal import Invalid, NoAnswer, Unavailable
from aviary.actors.engine.processes.launch import Template
from pydantic import Field

CALL_TIMEOUT = 12.0
"""Seconds a host's method may take; inside, an exchange has ten to answer one request."""


class NothingDone(Unavailable):
    """The host took nothing on: the call may be made again without harm."""


class OutcomeUnknown(NoAnswer):
    """The call was sent and no answer came back: it may or may not have been carried out."""


class Unsupported(Invalid):
    """The connector can't do that."""


class TemplateInfo(Value):
    """The warm process that others are forked from. `template` lives on the loop of its keeper."""

    template: Template | None
    """`None` if it could not be had in time: start cold then."""


class GetTemplate(Message[TemplateInfo]):
    """Query: the template, once it is warm, waiting up to `patience` seconds for that."""

    patience: float = 0.0


class CallHost(Message[Any]):
    """Call a method of an engine host; answers its JSON value.

    `arguments` are JSON values, Decimals, or `SecretStr`, which is opened only on its way into the
    host. Refusals of the method come back as refusals of their kind, `NothingDone` if nothing was
    taken on, `OutcomeUnknown` if no answer came within `timeout` seconds, or none from the exchange.
    """

    handler_limit = 300.0

    method: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    timeout: float = CALL_TIMEOUT


class HostInfo(Value):
    """An engine host's process."""

    pid: int | None
    """`None` while it is being started."""
    resident_bytes: int
    silence: float
    """Seconds since it last said anything; its heart beats once a second."""
    calls_under_way: int
    events: int


class GetHost(Message[HostInfo]):
    """Query: the process behind a host."""
