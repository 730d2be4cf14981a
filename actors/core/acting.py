"""On whose behalf the code at hand runs."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aviary.actors.core.envelope import Envelope
    from aviary.actors.core.exits import Phase


class Blamed(Protocol):
    """An incarnation, as far as trouble on its behalf has to know it."""

    def crash(self, error: BaseException, phase: Phase, envelope: Envelope | None = None) -> None:
        """End because of `error`."""


ACTING: ContextVar[tuple[Blamed, Envelope | None]] = ContextVar("acting")
"""The incarnation, and the message if it is one that is answered beside the mailbox.

Every task and callback inherits it from what begets it, so that trouble in them can be blamed on somebody."""
