"""A message on its way, and the way back for its answer."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING, Any, Literal, Protocol

from aviary.actors.core.calls import LoopCalls, calls_here

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Hashable

    from aviary.actors.core.deadlines import Deadlines
    from aviary.actors.core.message import Message

type Place = Literal["new", "waiting", "taken", "begun", "settled"]
"""Where a message is: with its sender, in a mailbox, in the hands of an incarnation, which may have begun to handle
it, or done with for good."""


class Reply(Protocol):
    """The way back to an asker. Only the first answer counts; later ones are ignored."""

    def set(self, value: object) -> None:
        """Answer with a value."""
        ...

    def fail(self, error: BaseException) -> None:
        """Answer with an error."""
        ...

    def abandoned(self) -> bool:
        """Whether the asker has stopped waiting."""
        ...


class LoopReply:
    """Answers an asker who waits on the event loop that runs in this thread, from whatever thread."""

    __slots__ = ("_calls", "future")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._calls: LoopCalls = calls_here(loop)
        self.future: asyncio.Future[Any] = loop.create_future()

    def set(self, value: object) -> None:
        """Answer with a value."""
        if self._calls.are_here():
            if not self.future.done():
                self.future.set_result(value)
        else:
            self._calls.send(self._finish, value, None)

    def fail(self, error: BaseException) -> None:
        """Answer with an error."""
        if self._calls.are_here():
            self._finish(None, error)
        else:
            self._calls.send(self._finish, None, error)

    def abandoned(self) -> bool:
        """Whether the asker has stopped waiting, or has its answer."""
        return self.future.done()

    @property
    def deadlines(self) -> Deadlines:
        """Of what is waited for on the asker's loop."""
        return self._calls.deadlines

    def _finish(self, value: object, error: BaseException | None) -> None:
        if self.future.done() or self._calls.loop.is_closed():
            return
        if error is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(error)


class ThreadReply:
    """Answers an asker who blocks its own thread."""

    __slots__ = ("future",)

    def __init__(self) -> None:
        self.future: Future[Any] = Future()

    def set(self, value: object) -> None:
        """Answer with a value."""
        try:
            self.future.set_result(value)
        except InvalidStateError:
            return

    def fail(self, error: BaseException) -> None:
        """Answer with an error."""
        try:
            self.future.set_exception(error)
        except InvalidStateError:
            return

    def abandoned(self) -> bool:
        """Whether the asker has stopped waiting, or has its answer."""
        return self.future.done()


class Envelope:
    """A message with its way back and its deadline (monotonic seconds); both absent for a tell.

    `place` says who answers for it. It is written by the mailbox alone, but for what was never queued.
    """

    __slots__ = ("deadline", "key", "message", "place", "reply", "serial", "since")

    def __init__(
        self,
        message: Message[Any],
        reply: Reply | None = None,
        deadline: float | None = None,
        serial: int = 0,
    ) -> None:
        self.message = message
        self.reply = reply
        self.deadline = deadline
        self.serial = serial
        """Of the one life that may handle it; 0 if any may."""
        self.key: Hashable | None = None
        """Under which newer messages replace it while it waits."""
        self.place: Place = "new"
        self.since = 0.0
        """The monotonic time at which it was taken."""

    def answer(self, value: object) -> None:
        """Reply with a value, if anybody asked."""
        if self.reply is not None:
            self.reply.set(value)

    def refuse(self, error: BaseException) -> None:
        """Reply with an error, if anybody asked."""
        if self.reply is not None:
            self.reply.fail(error)
