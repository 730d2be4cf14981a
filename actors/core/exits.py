"""Why an incarnation ended. Supervisors decide by the class."""

from dataclasses import dataclass
from typing import Literal

from aviary.actors.core.address import Address
from aviary.actors.core.message import Message

type Phase = Literal["start", "receive", "task"]
"""Where a life was when an exception ended it."""


@dataclass(frozen=True, slots=True)
class Normal:
    """The actor ended by its own will, its work done."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The actor ended because it was asked to."""


@dataclass(frozen=True, slots=True)
class Crash:
    """An exception left a handler, a start or a background task."""

    crash_id: str
    error: str
    """Type and text of the exception, one line."""
    phase: Phase = "receive"


@dataclass(frozen=True, slots=True)
class Hung:
    """A handler ran over its limit; the incarnation was fenced off."""

    crash_id: str
    message_kind: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Killed:
    """The incarnation was fenced off without being asked."""


@dataclass(frozen=True, slots=True)
class Escalated:
    """A supervisor gave up: its children failed more often than its intensity allows."""

    child: str
    last_failure: str


type Exit = Normal | Shutdown | Crash | Hung | Killed | Escalated


class ChildExited(Message[None]):
    """Control, to a supervisor: an incarnation of a child has ended and holds nothing any more."""

    control = True

    address: Address
    serial: int
    """Tells this life from every other one of the system."""
    reason: Exit
    lived: float = 0.0
    """Seconds from the end of its start to its own end, however long ago that was; 0 if it did not begin."""


def is_abnormal(reason: Exit) -> bool:
    """Whether a transient child that ends so is restarted."""
    return not isinstance(reason, Normal | Shutdown)


def describe(reason: Exit) -> str:
    """One line for people."""
    match reason:
        case Normal():
            return "ended"
        case Shutdown():
            return "shut down"
        case Crash(crash_id, error, phase):
            return f"{error} (in {phase}, {crash_id})"
        case Hung(crash_id, kind, seconds):
            return f"hung in {kind} for {seconds:.1f} s ({crash_id})"
        case Killed():
            return "killed"
        case Escalated(child, last_failure):
            return f"gave up on {child}: {last_failure}"


def one_line(error: BaseException) -> str:
    """Type and text of an exception, whatever its `__str__` does."""
    name = type(error).__name__
    try:
        lines = str(error).splitlines()
    except Exception as worse:  # noqa: BLE001 - the text of a crash must not be the next crash
        return f"{name}: its text can't be had, {type(worse).__name__}"
    return f"{name}: {lines[0] if lines else ''}"[:300]
