"""The application: middlewares around a table of rows."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aviary.actors.core.refusal import ActorCrashed, NotFound, Refusal
from aviary.http.auth import Doorkeeper, from_header
from aviary.http.binding import InvalidRequest, bind
from aviary.http.documents import document_pages
from aviary.http.health import health_pages
from aviary.http.refusals import answer, answer_crash, answer_refusal, refuse
from aviary.http.routing import Page, Row, check_rows
from aviary.http.streams.endpoints import stream_pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aviary.actors.core.system import System
    from aviary.config.settings import Settings

    type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("aviary.http")

MAX_BODY = 1_000_000
"""Bytes of a request's body; the largest configuration has some thousands."""

SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def create_app(system: System, settings: Settings, rows: tuple[Row, ...]) -> web.Application:
    """The whole front end for a system."""
    check_rows(rows)
    doorkeeper = Doorkeeper(settings.username, settings.password.get_secret_value(), system.clock)
    pages = (*health_pages(system), *document_pages(rows), *stream_pages(system, doorkeeper))
    open_routes = frozenset(
        {(page.method, page.path) for page in pages if page.open}
        | {(row.method, row.path) for row in rows if row.open}
    )
    app = web.Application(
        client_max_size=MAX_BODY,
        middlewares=[errors, cors(settings.cors_origins), authentication(doorkeeper, open_routes)],
    )
    for page in pages:
        app.router.add_route(page.method, page.path, page.handler)
    # Fixed paths before those with placeholders: `/controllers/configs/` is not a controller type.
    for row in sorted(rows, key=lambda row: len(row.placeholders)):
        app.router.add_route(row.method, row.path, handler_of(row, system))
    app.on_response_prepare.append(_finish_headers)
    return app


def handler_of(row: Row, system: System) -> Handler:
    """What happens for every request of a row: validate, ask, answer."""

    async def handle(request: web.Request) -> web.StreamResponse:
        message = await bind(row, request)
        address = row.address
        for name in row.address_fields:
            address = address.replace("{" + name + "}", str(getattr(message, row.names.get(name, name))))
        try:
            reply = await system.ask(address, message, timeout=row.timeout)
        except NotFound as refusal:
            if row.missing is not None and system.cell(address) is None:
                return refuse(404, row.missing.format(**dict(message)))
            return answer_refusal(refusal, row.refusals)
        except Refusal as refusal:
            return answer_refusal(refusal, row.refusals)
        return answer(reply if row.reply is None else row.reply(reply, message), row.status)

    return handle


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every kind of trouble as JSON, and never a traceback."""
    try:
        return await handler(request)
    except InvalidRequest as error:
        return refuse(422, error.problems)
    except ActorCrashed as crash:
        return answer_crash(crash)
    except Refusal as refusal:
        return answer_refusal(refusal, {})
    except web.HTTPRequestEntityTooLarge:
        return refuse(413, f"The body is larger than {MAX_BODY} bytes")
    except web.HTTPMethodNotAllowed as error:
        allowed = {"Allow": ", ".join(sorted(error.allowed_methods))}
        return refuse(405, "Method Not Allowed", allowed)
    except web.HTTPNotFound:
        return refuse(404, "Not Found")
    except web.HTTPException as error:
        return refuse(error.status, error.reason)


def authentication(doorkeeper: Doorkeeper, open_routes: frozenset[tuple[str, str]]) -> Any:
    """The middleware that lets nobody in without a password, but for the open routes."""

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is not None and (request.method, resource.canonical) in open_routes:
            return await handler(request)
        remote = request.remote or ""
        wait = doorkeeper.wait_for(remote)
        if wait > 0:
            return refuse(429, "Too many failed logins", {"Retry-After": str(math.ceil(wait))})
        header = request.headers.get("Authorization")
        if header is None:
            return refuse(401, "Not authenticated", {"WWW-Authenticate": "Basic"})
        if not doorkeeper.admits(from_header(header)):
            doorkeeper.note_failure(remote)
            return refuse(401, "Incorrect username or password", {"WWW-Authenticate": "Basic"})
        return await handler(request)

    return authenticate


def cors(origins: tuple[str, ...]) -> Any:
    """The middleware that lets the named origins' pages read answers; by default none."""

    @web.middleware
    async def allow(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is None or origin not in origins:
            return await handler(request)
        headers = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE"
            headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            return web.Response(status=204, headers=headers)
        response = await handler(request)
        response.headers.update(headers)
        return response

    return allow


async def _finish_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "Aviary"
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


__all__ = ["MAX_BODY", "Page", "create_app", "handler_of"]
