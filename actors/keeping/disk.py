"""Keeps an eye on the disk: how much room is left, and logs that would fill it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from aviary.actors.core.actor import ThreadActor
from aviary.actors.core.message import Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ALARM = "disk"

LOOK_PERIOD = 30.0
"""Seconds between two looks."""

LOW = 200_000_000
"""Free bytes below which it is said: databases and logs of a fleet take some hours to fill them."""

LOG_BYTES = 20_000_000
"""Size at which a log is cut. Writers that rotate their own do so at 10 MB."""


class LookAtDisk(Message[None]):
    """Event, of the actor to itself: it is time to look."""


class Disk(ThreadActor):
    """Says when room gets scarce, and cuts whatever log has outgrown its bound.

    `logs` are patterns under the folders that are written to. Processes that outlive the server append to their logs for months, and
    hummingbot begins a new one once a day only, however fast an outage fills it.
    """

    def __init__(
        self, logs: Mapping[Path, str], *, low: int = LOW, log_bytes: int = LOG_BYTES, period: float = LOOK_PERIOD
    ) -> None:
        super().__init__()
        self._logs = dict(logs)
        self._low = low
        self._log_bytes = log_bytes
        self._period = period

    def prepare(self) -> None:
        """Begin to look."""
        self.every(self._period, LookAtDisk(), first=0.0)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case LookAtDisk():
                return self._look()
            case _:
                return super().receive(message)

    def _look(self) -> None:
        try:
            scarce = self._find_scarce()
        except OSError as error:
            self.degrade(f"the disk can't be looked at: {error}")
            return
        if scarce:
            self.system.alarms.raise_(ALARM, scarce)
            self.degrade(scarce)
        else:
            self.system.alarms.clear(ALARM)
            self.recover()

    def _find_scarce(self) -> str:
        scarce: dict[int, str] = {}
        for folder, pattern in self._logs.items():
            for log in folder.glob(pattern):
                cut(log, self._log_bytes)
            if folder.exists() and (free := shutil.disk_usage(folder).free) < self._low:
                scarce.setdefault(folder.stat().st_dev, f"{free // 1_000_000} MB are left on the disk of {folder}")
        return "; ".join(scarce.values())


def cut(log: Path, limit: int) -> bool:
    """Begin a log anew if it has more than `limit` bytes; its end, up to `limit`, becomes `NAME.1`. Whether it did.

    The file stays the same one, since whoever writes to it has it open, to append. What is written in the
    moment between is lost; so is the end if the disk has no room for it.
    """
    try:
        if log.stat().st_size <= limit:
            return False
        kept = log.with_name(f"{log.name}.1")
        draft = kept.with_name(f"{kept.name}.new")
        try:
            with log.open("rb") as source, draft.open("wb") as target:
                source.seek(-limit, os.SEEK_END)
                shutil.copyfileobj(source, target)
            draft.replace(kept)
        except OSError:
            draft.unlink(missing_ok=True)
        os.truncate(log, 0)
    except FileNotFoundError:
        return False
    return True
