"""How the application is served: the length of a request's first line, and words on what is no request."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

MAX_LINE = 64 * 1024
"""Bytes of a request's first line: queries name up to 200 accounts, connectors or pairs."""

log = logging.getLogger("aviary.http")


class InOneLine(logging.Filter):
    """Tells of bytes that are no HTTP without a traceback: any stranger can send some, and fill the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass; shorten what a client's own mistake caused."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args = "not HTTP: %s", (error.message.splitlines()[0][:200],)
            record.exc_info = record.exc_text = None
        return True


log.addFilter(InOneLine())


def runner_of(app: web.Application, shutdown_timeout: float) -> web.AppRunner:
    """A runner of the application. Open requests have `shutdown_timeout` seconds when it ends."""
    return web.AppRunner(
        app, access_log=None, shutdown_timeout=shutdown_timeout, logger=log, max_line_size=MAX_LINE
    )
