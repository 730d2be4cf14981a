"""Loops that no task or callback can end: `SystemExit` in one ends the actor on whose behalf it runs.

asyncio lets `SystemExit` and `KeyboardInterrupt` out of `run_forever`, which would end every actor of a loop.
"""

from __future__ import annotations

import asyncio
import logging
from types import BuiltinFunctionType, CoroutineType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import uvloop
from aviary.actors.core.acting import ACTING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    _Base = asyncio.AbstractEventLoop
else:
    _Base = object

log = logging.getLogger("aviary.kernel")

_safe: dict[type, bool] = {}
"""For each type of callback, whether it can't raise these two: the steps of tasks contain them already."""


class GuardedLoop(_Base):
    """Guards the callbacks and tasks of the loop that it is mixed into."""

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """See `asyncio.AbstractEventLoop`."""
        return super().call_soon(_guarded(callback), *args, context=context)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """See `asyncio.AbstractEventLoop`."""
        return super().call_soon_threadsafe(_guarded(callback), *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See `asyncio.AbstractEventLoop`."""
        return super().call_later(delay, _guarded(callback), *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See `asyncio.AbstractEventLoop`."""
        return super().call_at(when, _guarded(callback), *args, context=context)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        """See `asyncio.AbstractEventLoop`."""
        if not isinstance(coro, CoroutineType):
            return super().create_task(coro, name=name, context=context)
        task = super().create_task(_contained(coro), name=name, context=context)
        # One that is cancelled before its first step leaves the work unbegun, which Python complains about.
        task.add_done_callback(lambda _task: coro.close())
        return task


class WorkLoop(GuardedLoop, uvloop.Loop):  # type: ignore[misc]
    """The loop of a dispatcher's thread."""

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """See `asyncio.AbstractEventLoop`. Each step of each task comes through here, and needs no guard."""
        kind = type(callback)
        if kind is _STEP or (kind is BuiltinFunctionType and type(callback.__self__) is asyncio.Task):  # type: ignore[attr-defined]
            return _plain_call_soon(self, callback, *args, context=context)
        return _plain_call_soon(self, _guarded(callback), *args, context=context)


_plain_call_soon = uvloop.Loop.call_soon


def _type_of_steps() -> type:
    """The type of the callbacks that carry out a task's steps, which asyncio has no name for."""
    seen: list[type] = []

    class Listening(asyncio.SelectorEventLoop):
        def call_soon(  # type: ignore[override]
            self, callback: Any, *args: Any, context: Context | None = None
        ) -> asyncio.Handle:
            seen.append(type(callback))
            return super().call_soon(callback, *args, context=context)

    async def nothing() -> None:
        pass

    loop = Listening()
    try:
        loop.run_until_complete(nothing())
    finally:
        loop.close()
    return seen[0]


_STEP = _type_of_steps()


class _Guarded:
    """A callback that can't take its loop with it."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[..., object]) -> None:
        self._callback = callback

    def __call__(self, *args: Any) -> None:
        try:
            self._callback(*args)
        except (SystemExit, KeyboardInterrupt) as error:
            blame(error, "a callback")

    def __repr__(self) -> str:
        return repr(self._callback)


def blame(error: BaseException, where: str) -> BaseException:
    """End the incarnation that acts here because of `error`; an error that may be raised on a loop instead."""
    worse = RuntimeError(f"{type(error).__name__} in {where}")
    worse.__cause__ = error
    acting = ACTING.get(None)
    if acting is None:
        log.error("%s, of nobody that lives here", worse, exc_info=error)
    else:
        life, envelope = acting
        life.crash(worse, "task" if envelope is None else "receive", envelope)
    return worse


def _guarded(callback: Callable[..., object]) -> Callable[..., object]:
    kind = type(callback)
    safe = _safe.get(kind)
    if safe is None:
        # The steps of tasks, and other guards.
        safe = _safe[kind] = kind is _Guarded or (
            kind.__module__ in {"_asyncio", "asyncio", "builtins"}
            and kind not in {FunctionType, MethodType, BuiltinFunctionType, type}
        )
    if safe or (kind is BuiltinFunctionType and isinstance(getattr(callback, "__self__", None), asyncio.Future)):
        return callback
    return _Guarded(callback)


async def _contained[R](work: Coroutine[Any, Any, R]) -> R:
    try:
        return await work
    except (SystemExit, KeyboardInterrupt) as error:
        raise blame(error, "a task") from error
