"""What may be asked of the database."""

from collections.abc import Callable

from aviary.actors.core.message import Message
from aviary.persistence.repositories import Repositories


class Transact[Reply](Message[Reply]):
    """Run `work` in one transaction, on the database's own thread, after everything asked before it."""

    work: Callable[[Repositories], Reply]


class Fetch[Reply](Message[Reply]):
    """Run `work`, which only reads, on one of the readers' threads."""

    work: Callable[[Repositories], Reply]
