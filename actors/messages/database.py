"""What may be asked of the database."""

from collections.abc import Callable

from aviary.actors.core.message import Message
from aviary.persistence.repositories import Repositories

INSPECTION_LIMIT = 3600.0
"""Seconds an inspection may take: a slow disk with a hundred million orders."""


class Transact[Reply](Message[Reply]):
    """Run `work` in one transaction, on the database's own thread, after everything asked before it."""

    work: Callable[[Repositories], Reply]


class Fetch[Reply](Message[Reply]):
    """Run `work`, which only reads, on one of the readers' threads."""

    work: Callable[[Repositories], Reply]


class LookAtDatabase(Message[None]):
    """Event, of the database's keeper to itself: open it if that is still to be done, see whether trouble is over."""

    handler_limit = INSPECTION_LIMIT


class InspectionDue(Message[None]):
    """Event, of the inspector to itself: see whether it is time for an inspection."""

    handler_limit = INSPECTION_LIMIT


class InspectDatabase(Message[None]):
    """Look whether the whole file can be read and its indexes fit its tables."""

    handler_limit = INSPECTION_LIMIT
