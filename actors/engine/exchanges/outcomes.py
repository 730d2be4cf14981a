"""What an exchange's answer means: a definite no, or nothing known.

Pure. A time-out, a 5xx, a lost connection, a rate limit is never a "no": the write may have been carried
out. Only a 4xx whose code says that the request was understood and turned down is one.
"""

import ast
import re
from typing import Any

import aiohttp
import orjson

_HTTP_ERROR = re.compile(r"HTTP status is (\d{3})\. Error: (.*)", re.DOTALL)
"""How hummingbot's REST assistant words an error answer."""

CLIENT_ERROR = 4
"""First digit of the statuses that blame the request."""

UNDECIDED_STATUS = frozenset({408, 409, 418, 425, 429, 499})
"""4xx that say nothing of the order: time-outs, rate limits, bans, conflicts on the way."""

UNDECIDED_CODES = frozenset({-1000, -1001, -1003, -1006, -1007, -1008, -1015, -1016, -1021, -1034})
"""Binance's codes for overload, unknown execution status, time-outs and clocks (its "Error codes" page)."""


class OutcomeUnknown(Exception):
    """The exchange took the request and does not say what became of it."""


REQUEST_ERRORS = (OSError, aiohttp.ClientError, TimeoutError, ValueError, KeyError, OutcomeUnknown)
"""What a request to an exchange can end in besides an answer: a broken connection, a time-out, an error
status, an answer that cannot be read."""


def definite_no(error: BaseException) -> str | None:
    """The exchange's own words if `error` is a definite rejection, else `None`."""
    found = _HTTP_ERROR.search(str(error))
    if found is None:
        return None
    status, text = int(found[1]), found[2].strip()
    if status // 100 != CLIENT_ERROR or status in UNDECIDED_STATUS:
        return None
    body = _json(text)
    if isinstance(body, dict):
        if body.get("code") in UNDECIDED_CODES:
            return None
        return str(body.get("msg") or body.get("message") or text)
    # hummingbot puts N/A in place of a page: something in between answered, not the exchange.
    return text if text not in {"", "N/A"} else None


def error_text(error: BaseException) -> str:
    """What to say of a failed request: the exchange's words without addresses and signatures."""
    found = _HTTP_ERROR.search(str(error))
    if found is None:
        return f"{type(error).__name__}" if isinstance(error, TimeoutError) else _without_query(str(error))
    body = _json(found[2].strip())
    words = body.get("msg") if isinstance(body, dict) else found[2].strip()
    return f"HTTP {found[1]}: {words}"


def plain_words(text: str) -> str:
    """The exchange's message, out of the answer that hummingbot hands on as the text of a Python object."""
    return str(_object(text).get("msg") or text)


def undecided(text: str) -> bool:
    """Whether an answer of that kind leaves open what became of the request."""
    return _object(text).get("code") in UNDECIDED_CODES


def _object(text: str) -> dict[Any, Any]:
    try:
        answer = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _without_query(text: str) -> str:
    return re.sub(r"\?\S+", "?…", text)
