"""How the application is served: the length of a request's first line, and words on what a client garbled."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

MAX_LINE = 64 * 1024
"""Bytes of a request's first line: queries name up to 200 accounts, connectors or pairs."""

log = logging.getLogger("aviary.http")


class InOneLine(logging.Filter):
    """Tells of garbled requests without a traceback: any stranger can send some, and fill the log.

    The rest of a body is read and dropped after an answer that did not need it, and may turn out not to be what its
    headers say.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass; shorten what a client's own mistake caused."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | RequestPayloadError | ConnectionError):
            record.levelno, record.levelname = logging.INFO, "INFO"
            words = error.message if isinstance(error, HttpProcessingError) else str(error)
            record.msg, record.args = "not HTTP: %s", (" ".join(words.split())[:200],)
            record.exc_info = record.exc_text = None
        return True


log.addFilter(InOneLine())


def runner_of(app: web.Application, shutdown_timeout: float) -> web.AppRunner:
    """A runner of the application. Open requests have `shutdown_timeout` seconds when it ends."""
    return web.AppRunner(
        app, access_log=None, shutdown_timeout=shutdown_timeout, logger=log, max_line_size=MAX_LINE
    )
