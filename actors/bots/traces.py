"""What a bot's process left in its folder: the stage it reached, and its last words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from pathlib import Path

REASON_LINES = 6
"""Last lines of a dead bot's output that are told."""

TRIES = 3
"""Starts that fail for a reason that time does not heal, until it is believed."""

ERROR = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b(?::|$)")
"""How the last line of a traceback begins."""

LAST_BYTES = 4096
"""The end of a log that is read for them."""


class BotTraces:
    """Reads them; small files, on this machine's disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def report(self) -> dict[str, Any]:
        """The launcher's last report; empty if there is none."""
        try:
            report = orjson.loads((self._folder / "data" / "launch.json").read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return report if isinstance(report, dict) else {}

    def forget(self) -> None:
        """Take the last report away: what failed until now says nothing about the next life."""
        (self._folder / "data" / "launch.json").unlink(missing_ok=True)

    def failure(self) -> dict[str, Any]:
        """The last report, if it says why the bot could not start; else nothing."""
        report = self.report()
        return report if report.get("stage") == "failed" else {}

    def has_given_up(self) -> bool:
        """Whether it could not start so often, for a reason that time does not heal, that another try is in vain."""
        report = self.failure()
        return bool(report.get("lasting")) and report.get("failures", 0) >= TRIES

    def exit_reason(self, code: int | None) -> str:
        """How and why a process ended, by its exit status, its report or its last words."""
        how = (
            "ended" if code is None else f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        )
        report = self.report()
        if report.get("stage") == "failed" and report.get("detail"):
            return f"{how}: {report['detail']}"
        if code is not None and code < 0:
            # Somebody else ended it: its own last words say nothing about that.
            return how
        lines = [line.strip() for line in reversed(self._last_lines()) if line.strip(" ^~")]
        if code is None and not (lines and ERROR.match(lines[0])):
            # How a process ended that an earlier server had started nobody is told, and what it did last is no reason.
            return f"{how}; how is not known, since an earlier server or template had started it"
        # The last line says most: of a traceback it is the error.
        return f"{how}; its last words: {' < '.join(lines)}" if lines else how

    def _last_lines(self) -> list[str]:
        try:
            with (self._folder / "logs" / "process.log").open("rb") as log:
                log.seek(0, 2)
                log.seek(max(0, log.tell() - LAST_BYTES))
                return log.read().decode(errors="replace").splitlines()[-REASON_LINES:]
        except FileNotFoundError:
            return []
