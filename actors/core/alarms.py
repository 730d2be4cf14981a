"""Alarms: standing conditions that somebody should know about."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from aviary.actors.core.message import Message, Value
from aviary.config.clock import Clock

HISTORY = 1_000
"""Cleared alarms that are remembered."""


class Alarm(Value):
    """A condition with a beginning and, once it is over, an end. Times are Unix seconds."""

    name: str
    """What it is about, and where."""
    message: str
    """What is wrong, in words."""
    since: float
    """When it was raised, Unix seconds."""
    count: int = 1
    """How often it was raised while it stood."""
    cleared_at: float | None = None
    """When it was over, Unix seconds; null as long as it stands."""


class Alarms:
    """The alarms that stand, and the last ones that were cleared. Thread-safe."""

    def __init__(self, clock: Clock, changed: Callable[[Alarm], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._lock = threading.Lock()
        self._standing: dict[str, Alarm] = {}
        self._history: deque[Alarm] = deque(maxlen=HISTORY)

    def raise_(self, name: str, message: str) -> None:
        """Raise an alarm, or renew its text if it stands already."""
        with self._lock:
            old = self._standing.get(name)
            if old is None:
                alarm = Alarm(name=name, message=message, since=self._clock.now())
            else:
                alarm = old.model_copy(update={"message": message, "count": old.count + 1})
            self._standing[name] = alarm
        if old is None:
            self._changed(alarm)

    def clear(self, name: str) -> None:
        """End an alarm; does nothing if it does not stand."""
        with self._lock:
            alarm = self._standing.pop(name, None)
            if alarm is None:
                return
            cleared = alarm.model_copy(update={"cleared_at": self._clock.now()})
            self._history.append(cleared)
        self._changed(cleared)

    def standing(self) -> tuple[Alarm, ...]:
        """The alarms that stand, oldest first."""
        with self._lock:
            return tuple(self._standing.values())

    def history(self) -> tuple[Alarm, ...]:
        """The last cleared ones, oldest first."""
        with self._lock:
            return tuple(self._history)


def poison_alarm(address: str, kind: type[Message[Any]]) -> str:
    """The name of the alarm that stands while a kind of message is set aside."""
    return f"poison/{address}/{kind.__name__}"


def parked_alarm(address: str) -> str:
    """The name of the alarm that stands while a child is parked."""
    return f"parked/{address}"
