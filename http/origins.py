"""Which web pages may talk to the server: its own, and those of the origins that the operator named.

A browser that once logged in sends the password along with whatever any page asks of this server. Without
a named origin, another site's page can neither read an answer (no CORS headers), nor change anything, nor
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
HEADERS = "Authorization, Content-Type"

PREFLIGHT_AGE = "600"
"""Seconds for which a browser may remember what it may send."""


def is_foreign(request: web.Request, allowed: tuple[str, ...]) -> bool:
    """Whether a page of an origin that was not named asks. Programs send no origin and are never foreign."""
    origin = request.headers.get("Origin")
    return origin is not None and origin not in allowed and urlsplit(origin).netloc != request.host


def cors(allowed: tuple[str, ...]) -> Any:
    """The middleware that lets the named origins in and keeps all others from changing anything."""

    @web.middleware
    async def check(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if is_foreign(request, allowed):
            if request.method in {"GET", "HEAD", "OPTIONS"}:
                return await handler(request)
            return refuse(403, "This origin is not allowed; see the setting CORS_ORIGINS")
        origin = request.headers.get("Origin")
        if origin not in allowed:
            return await handler(request)
        headers = {
            "Access-Control-Allow-Origin": origin or "",
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            headers["Access-Control-Allow-Methods"] = METHODS
            headers["Access-Control-Allow-Headers"] = HEADERS
            headers["Access-Control-Max-Age"] = PREFLIGHT_AGE
            return web.Response(status=204, headers=headers)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(headers)
        return response

    return check
