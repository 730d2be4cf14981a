"""Where log lines go: standard error, and a rotated file that never outgrows its budget."""

import logging
import logging.handlers
import re
from pathlib import Path

FILE_BYTES = 10_000_000
"""Size at which the log file is rotated."""

FILES_KEPT = 5
"""Rotated files that are kept: the log never takes more than 60 MB."""

_SECRET = re.compile(
    r"(?i)((?:password|passwd|secret|token|api[_-]?key|authorization|signature)[\"']?\s*[=:]\s*[\"']?(?:basic\s+)?)"
    r"[^\s\"'&,;}]+"
)


class Redacted(logging.Formatter):
    """Lines in which whatever looks like a secret is blacked out, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one redacted text."""
        return _SECRET.sub(r"\1***", super().format(record))


def set_up_logging(level: str, folder: Path) -> None:
    """Send every logger's lines to standard error and to `folder/server.log`."""
    folder.mkdir(parents=True, exist_ok=True)
    # On a full disk each line that can't be written would be followed by a traceback on standard error.
    logging.raiseExceptions = False
    line = Redacted("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    screen = logging.StreamHandler()
    file = logging.handlers.RotatingFileHandler(
        folder / "server.log",
        maxBytes=FILE_BYTES,
        backupCount=FILES_KEPT,
        encoding="utf-8",
        # Opened by the first line for which there is room.
        delay=True,
    )
    root = logging.getLogger()
    root.handlers.clear()
    for handler in (screen, file):
        handler.setFormatter(line)
        root.addHandler(handler)
    root.setLevel(level)
    # What these say at INFO is said better by the journal.
    for noisy in ("pykka", "aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
