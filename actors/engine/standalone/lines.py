"""What one executor logs, told apart from what all others of its class log."""

import logging
import sys
from collections import deque
from collections.abc import MutableMapping
from typing import Any

from aviary.config.clock import Clock

WAITING = 500
"""Lines that may wait to be told; the oldest go first."""

LONGEST = 4_000
"""Characters of a line or a traceback."""


class ExecutorLines(logging.LoggerAdapter[logging.Logger]):
    """Stands in for an executor's logger, and keeps its lines of INFO and above until they are taken."""

    def __init__(self, logger: logging.Logger, executor_id: str, clock: Clock) -> None:
        super().__init__(logger, {"executor_id": executor_id})
        self._clock = clock
        self._executor_id = executor_id
        self._lines: deque[dict[str, Any]] = deque(maxlen=WAITING)

    def take(self) -> list[dict[str, Any]]:
        """The lines since the last time."""
        lines = list(self._lines)
        self._lines.clear()
        return lines

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The process's own log names the executor."""
        return f"[{self._executor_id}] {msg}", kwargs

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a line."""
        super().log(level, msg, *args, **kwargs)
        if level < logging.INFO:
            return
        record = self.logger.makeRecord(
            self.logger.name, level, "", 0, msg, args, _error_of(kwargs.get("exc_info"))
        )
        trace = None if record.exc_info is None else logging.Formatter().formatException(record.exc_info)
        self._lines.append(
            {
                "at": self._clock.now(),
                "level": record.levelname,
                "message": _shown(record.getMessage()),
                "exc_info": None if trace is None else trace[-LONGEST:],
            }
        )

    def network(self, log_msg: str, app_warning_msg: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Hummingbot's own level for trouble with the network."""
        del app_warning_msg
        self.warning(log_msg, *args, **kwargs)


def _error_of(given: Any) -> Any:
    if isinstance(given, BaseException):
        return (type(given), given, given.__traceback__)
    if isinstance(given, tuple):
        return given
    return sys.exc_info() if given and sys.exc_info()[0] is not None else None


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
