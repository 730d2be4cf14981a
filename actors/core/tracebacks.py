"""The text of a crash. Where it came from costs most of it, and many crashes come from the same place.

A lost connection can end a thousand actors at once, by the same lines: their text is made once.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from aviary.actors.core.events import shortened
from aviary.actors.core.exits import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, TracebackType

PLACES = 256
"""Stacks whose text is kept."""

DEEPEST = 64
"""Frames of a stack whose text is kept; endless recursion is seldom the same twice."""

_texts: dict[tuple[tuple[CodeType, int], ...], str] = {}
"""For the code of each frame, and where in it that stands, what is said of the stack."""

_HEADING = "Traceback (most recent call last):\n"
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


def traceback_of(error: BaseException) -> str:
    """What `traceback.format_exception` says of an error, shortened, whatever its `__str__` does."""
    try:
        links = list(_links(error))
        # A group shows its members beside one another, a wrong name is explained by what its frame held.
        plain = not any(isinstance(link, BaseExceptionGroup | NameError) for link, _ in links)
        text = "".join(map(_text_of, reversed(links))) if plain else "".join(traceback.format_exception(error))
        return shortened(text)
    except Exception as worse:  # noqa: BLE001 - the text of a crash must not be the next crash
        return f"{one_line(error)}\n(its traceback can't be had: {one_line(worse)})"


def _links(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """An error and what led to it, the last first, each with what is said between it and the one before."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None:
        seen.add(id(link))
        cause, context = link.__cause__, link.__context__
        earlier, joint = None, ""
        if cause is not None and id(cause) not in seen:
            earlier, joint = cause, _CAUSE
        elif context is not None and not link.__suppress_context__ and id(context) not in seen:
            earlier, joint = context, _CONTEXT
        yield link, joint
        link = earlier


def _text_of(link: tuple[BaseException, str]) -> str:
    error, joint = link
    stack = "" if error.__traceback__ is None else _HEADING + _stack_text(error.__traceback__)
    return f"{joint}{stack}{''.join(traceback.format_exception_only(error))}"


def _stack_text(stack: TracebackType) -> str:
    frames: list[tuple[CodeType, int]] = []
    frame: TracebackType | None = stack
    while frame is not None:
        frames.append((frame.tb_frame.f_code, frame.tb_lasti))
        frame = frame.tb_next
    place = tuple(frames)
    text = _texts.get(place)
    if text is None:
        text = "".join(traceback.format_tb(stack))
        if len(place) <= DEEPEST:
            if len(_texts) >= PLACES:
                _texts.clear()
            _texts[place] = text
    return text
