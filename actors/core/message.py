"""What crosses the border of an actor."""

from collections.abc import Hashable
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Data that crosses an actor's border: frozen, and strict about unknown fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, use_attribute_docstrings=True
    )


class Message[Reply](Value):
    """A value sent to an actor. `Reply` is the type of its answer, `None` for an event."""

    control: ClassVar[bool] = False
    """Control messages overtake work and are accepted by a full mailbox."""

    handler_limit: ClassVar[float | None] = None
    """Seconds a handler of this message may take; `None` leaves it to the child's spec."""

    unjournalled: ClassVar[bool] = False
    """Whether a dead letter of this kind stays out of the journal: for what the journal itself is sent."""

    def conflation_key(self) -> Hashable | None:
        """Messages with the same key replace one another while they wait; `None` never does."""
        return None
