"""The newest log lines of a bot; equal ones are counted instead of kept again and again."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

ERROR = 40
"""`logging.ERROR`."""


class BotLogs:
    """At most `kept` different errors, and as many other lines. Each is as the bot published it, with its count."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._errors: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        self._others: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()

    def keep(self, entry: dict[str, Any]) -> None:
        """Note a line; one that is known already becomes the newest."""
        lines = self._errors if _level(entry) >= ERROR else self._others
        key = _key(entry)
        known = lines.pop(key, None)
        count = entry.get("count")
        again = count if isinstance(count, int) else 1
        lines[key] = {**entry, "count": again + (0 if known is None else known["count"])}
        if len(lines) > self._kept:
            lines.popitem(last=False)

    def restore(self, entries: Iterable[dict[str, Any]]) -> None:
        """Note what a process wrote down before it ended, but for what it had published too."""
        for entry in entries:
            if _key(entry) not in self._errors:
                self.keep(entry)

    def errors(self) -> tuple[dict[str, Any], ...]:
        """Oldest first."""
        return tuple(self._errors.values())

    def others(self) -> tuple[dict[str, Any], ...]:
        """Oldest first."""
        return tuple(self._others.values())


def _key(entry: dict[str, Any]) -> tuple[str, str]:
    return str(entry.get("logger_name")), str(entry.get("msg"))


def _level(entry: dict[str, Any]) -> int:
    level = entry.get("level_no")
    return level if isinstance(level, int) else 0
