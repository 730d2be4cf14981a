"""Which web pages may talk to the server: its own, and those of the origins that are allowed.

A browser that once logged in sends the password along with whatever any page asks of this server. The page
of an origin that is not allowed can neither read an answer (no CORS headers), nor change anything, nor
open a websocket, which CORS does not cover.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import web
from aviary.http.refusals import refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

METHODS = "GET, POST, PUT, DELETE"
HEADERS = "Authorization, Content-Type, Idempotency-Key"

PREFLIGHT_AGE = "600"
"""Seconds for which a browser may remember what it may send."""


def is_foreign(request: web.Request, allowed: tuple[str, ...]) -> bool:
    """Whether a page of an origin that is not allowed asks. Programs send no origin and are never foreign."""
    origin = request.headers.get("Origin")
    return origin is not None and not is_allowed(origin, allowed) and urlsplit(origin).netloc != request.host


def is_allowed(origin: str, allowed: tuple[str, ...]) -> bool:
    """Whether an origin is one of those, or one of their hosts at any port where they say `*`."""
    if "*" in origin:
        # What stands for any port is nobody's origin.
        return False
    if origin in allowed:
        return True
    host, _, port = origin.rpartition(":")
    # Without a port there is one colon only, the one behind the scheme.
    anywhere = f"{host}:*" if port.isascii() and port.isdecimal() else f"{origin}:*"
    return anywhere in allowed


def cors(allowed: tuple[str, ...]) -> Any:
    """The middleware that lets the allowed origins in and keeps all others from changing anything."""

    @web.middleware
    async def check(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if is_foreign(request, allowed):
            if request.method in {"GET", "HEAD", "OPTIONS"}:
                return await handler(request)
            return refuse(403, "This origin is not allowed; see the setting CORS_ORIGINS")
        origin = request.headers.get("Origin")
        if origin is None or not is_allowed(origin, allowed):
            return await handler(request)
        headers = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            headers["Access-Control-Allow-Methods"] = METHODS
            headers["Access-Control-Allow-Headers"] = HEADERS
            headers["Access-Control-Max-Age"] = PREFLIGHT_AGE
            return web.Response(text="OK", headers=headers)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(headers)
        return response

    return check
