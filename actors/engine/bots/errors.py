"""What goes wrong in a bot's process, kept for whoever has to be told why it ended."""

import logging
import sys
from typing import Any

import aiohttp

KEPT = 20
"""Different errors that are kept; the newest."""

HOLLOW = frozenset({"Failed to start strategy", "Failed to load strategy. Exiting."})
"""Errors that follow on the one that says why."""

MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""Errors of the operating system that come again whenever the same is tried."""


class Errors(logging.Handler):
    """Remembers errors, since hummingbot's helpers log why they fail and only return false."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""
        """The last one that says something."""
        self.error: BaseException | None = None
        """The exception that was being handled when it was logged."""
        self._last: logging.LogRecord | None = None
        self._entries: dict[tuple[str, str], dict[str, Any]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`."""
        text = record.getMessage()
        # A record comes twice where a logger and the root hand it on.
        if text in HOLLOW or record is self._last:
            return
        self._last = record
        self.text, self.error = text, sys.exc_info()[1]
        whole = self.format(record)
        known = self._entries.pop((record.name, whole), None)
        self._entries[record.name, whole] = {
            "timestamp": record.created,
            "msg": whole,
            "level_no": record.levelno,
            "level_name": record.levelname,
            "logger_name": record.name,
            "count": 1 if known is None else known["count"] + 1,
        }
        while len(self._entries) > KEPT:
            del self._entries[next(iter(self._entries))]

    def entries(self) -> list[dict[str, Any]]:
        """As a bot publishes its log, oldest first; equal ones are counted."""
        return list(self._entries.values())


def time_heals(error: BaseException | None) -> bool:
    """Whether the same may work later: what the world or the machine did, and not code or configuration."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError | TimeoutError | aiohttp.ClientError | MemoryError):
            return not isinstance(error, MISSING)
        error = error.__cause__ or error.__context__
    return False
