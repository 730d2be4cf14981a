"""How a call through a port can fail."""

from typing import Any


class PortError(Exception):
    """A call through a port brought no value."""


class PortRefusal(PortError):
    """An expected "no" of the child.

    `kind` is a word such as `not_found`, `invalid`, `rejected`, `unavailable`, `unsupported`; `detail` may be
    shown to users; `fields` holds what else is known.
    """

    def __init__(self, kind: str, detail: str, **fields: Any) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.fields = fields


class PortFailure(PortError):
    """The child's method raised something unexpected; the text names the exception. The child lives on."""


class PortTimeout(PortError):
    """No answer came in time. The work may or may not have been done."""


class PortOverloaded(PortError):
    """Too many calls are under way, or the peer does not read: nothing was sent."""


class PortClosed(PortError):
    """The peer is gone. What was under way may or may not have been done."""
