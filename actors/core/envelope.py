"""A message on its way, and the way back for its answer."""

import asyncio
import contextlib
import threading
from concurrent.futures import Future, InvalidStateError
from typing import Any, Protocol

from aviary.actors.core.message import Message


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
    """Answers an asker who waits on an event loop, from whatever thread."""

    __slots__ = ("_loop", "_thread", "future")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()
        self.future: asyncio.Future[Any] = loop.create_future()

    def set(self, value: object) -> None:
        """Answer with a value."""
        self._settle(value, None)

    def fail(self, error: BaseException) -> None:
        """Answer with an error."""
        self._settle(None, error)

    def abandoned(self) -> bool:
        """Whether the asker has stopped waiting."""
        return self.future.cancelled()

    def _settle(self, value: object, error: BaseException | None) -> None:
        if threading.get_ident() == self._thread:
            self._finish(value, error)
            return
        # The asker's loop may end at any moment; then nobody waits any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._finish, value, error)

    def _finish(self, value: object, error: BaseException | None) -> None:
        if self.future.done() or self._loop.is_closed():
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
        """Whether the asker has stopped waiting."""
        return self.future.cancelled()


class Envelope:
    """A message with its way back and its deadline (monotonic seconds); both absent for a tell."""

    __slots__ = ("deadline", "message", "reply")

    def __init__(self, message: Message[Any], reply: Reply | None = None, deadline: float | None = None) -> None:
        self.message = message
        self.reply = reply
        self.deadline = deadline

    def answer(self, value: object) -> None:
        """Reply with a value, if anybody asked."""
        if self.reply is not None:
            self.reply.set(value)

    def refuse(self, error: BaseException) -> None:
        """Reply with an error, if anybody asked."""
        if self.reply is not None:
            self.reply.fail(error)
