"""What is answered about the journal, and to an operator's orders."""

from aviary.actors.core.events import EventKind
from aviary.actors.core.message import Value
from aviary.actors.messages.trading import Pagination


class JournalEntry(Value):
    """Something that happened in the tree."""

    id: str
    """The entry's own id."""
    at: float
    """When, Unix seconds."""
    kind: EventKind
    """What happened."""
    address: str
    """To whom."""
    incarnation: int
    """In which life, from 1; 0 if it is about none."""
    reason: str
    """Why, in words."""
    crash_id: str | None
    """Of a crash: the id that clients were told."""
    message_kind: str | None
    """The kind of message that it was about, if any."""
    mailbox: int
    """Messages that waited at that moment."""
    detail: str
    """A traceback or further text; never a message's content."""


class JournalPage(Value):
    """A page of the journal."""

    data: tuple[JournalEntry, ...]
    """The entries, newest first."""
    pagination: Pagination
    """Where the page stands."""


class Restarted(Value):
    """That an actor was restarted."""

    address: str
    """The actor's address."""
    restarted: bool
    """That it was."""


class Released(Value):
    """That a kind of message is let through again."""

    address: str
    """Where."""
    released: str
    """The kind of message."""


class Branch(Value):
    """A part of the tree as `/health/ready` shows it."""

    address: str
    """Its address."""
    state: str
    """How it is."""
    next_try_at: float | None
    """When it is started next, Unix seconds; null if it lives or is not tried."""
    last_failure: str | None = None
    """Why its last life ended; told only to who knows the password."""
    degraded: str | None = None
    """In which way it works less well; told only to who knows the password."""


class Readiness(Value):
    """Whether everything is up."""

    status: str
    """`starting`, `ready`, or `degraded` if something is in trouble."""
    branches: tuple[Branch, ...]
    """The root's children."""
    troubled: tuple[Branch, ...]
    """Whatever below them does not run, or says that it works less well."""


class Liveness(Value):
    """Whether the process lives."""

    status: str
    """`alive`, or `stuck` if its kernel gave no sign of life for seconds."""


class About(Value):
    """Which server this is."""

    name: str
    """The product."""
    version: str
    """The version of this server."""
    status: str
    """Always `running`."""
