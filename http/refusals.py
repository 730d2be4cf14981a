"""Which status a refusal has, in one table, and how trouble is told to a client."""

import math
from collections.abc import Mapping

from aiohttp import web
from aviary.actors.core.refusal import (
    ActorCrashed,
    Conflict,
    Forbidden,
    Invalid,
    NoAnswer,
    NotFound,
    Refusal,
    Rejected,
    Unavailable,
)
from aviary.actors.messages.bots import ChangeRefused
from aviary.http.json import dumps

STATUS: Mapping[type[Refusal], int] = {
    NotFound: 404,
    Invalid: 400,
    Conflict: 409,
    Forbidden: 403,
    Rejected: 400,
    Unavailable: 503,
    NoAnswer: 504,
}
"""A subclass has its parent's status."""


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(body=dumps(value), status=status, content_type="application/json", headers=headers)


def refuse(status: int, detail: object, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON refusal."""
    return answer({"detail": detail}, status, headers)


def answer_refusal(
    refusal: Refusal, overrides: Mapping[type[Refusal], int], *, harmless: bool = False
) -> web.Response:
    """What a client is told when an actor says no, or nothing.

    Only what is `harmless` to ask again, or was not done for certain, comes with a time to come again.
    """
    if harmless and isinstance(refusal, NoAnswer):
        refusal = Unavailable(refusal.detail)
    status = next((overrides[kind] for kind in type(refusal).__mro__ if kind in overrides), None)
    if status is None:
        status = next(STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS)
    headers = None
    if isinstance(refusal, NoAnswer):
        return answer({"detail": refusal.detail, **refusal.known}, status)
    if isinstance(refusal, Unavailable):
        headers = {"Retry-After": str(max(1, math.ceil(refusal.retry_after)))}
    if isinstance(refusal, Invalid) and refusal.field is not None and status == 422:  # noqa: PLR2004
        problem = {"type": "value_error", "loc": ["body", refusal.field], "msg": refusal.detail, "input": None}
        return refuse(status, [problem], headers)
    if isinstance(refusal, ChangeRefused):
        return answer({"detail": _named(refusal), "fields": refusal.fields}, status, headers)
    return refuse(status, _named(refusal), headers)


def _named(refusal: Refusal) -> str:
    # Words that speak of the field already are left as they are.
    field = refusal.field if isinstance(refusal, Invalid) else None
    words = refusal.detail.casefold()
    if field is None or any(part in words for part in field.casefold().split("_")):
        return refusal.detail
    return f"{field}: {refusal.detail}"


def answer_crash(crash: ActorCrashed) -> web.Response:
    """What a client is told when the actor died of its message: where to look, and nothing else."""
    return refuse(
        500, f"Internal error {crash.crash_id}; see /supervision/journal", {"X-Crash-Id": crash.crash_id}
    )
