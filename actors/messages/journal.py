"""What may be told to and asked of the journal."""

from typing import ClassVar

from aviary.actors.core.events import KernelEvent
from aviary.actors.core.message import Message


class KernelEventRecorded(Message[None]):
    """Event: something happened in the kernel. Its own loss is counted, not journalled."""

    control = True
    unjournalled: ClassVar[bool] = True

    event: KernelEvent


class FlushJournal(Message[None]):
    """Command, of the journal to itself: write what is buffered."""

    unjournalled: ClassVar[bool] = True
