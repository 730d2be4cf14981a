"""The application: middlewares around a table of rows."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aviary.actors.core.refusal import ActorCrashed, NotFound, Refusal, Unavailable
from aviary.http.auth import BasicAuth, from_header
from aviary.http.binding import bind
from aviary.http.documents import document_pages
from aviary.http.fields import fields_of
from aviary.http.health import health_pages, is_starting
from aviary.http.origins import cors
from aviary.http.problems import InvalidRequest
from aviary.http.refusals import answer, answer_crash, answer_refusal, refuse
from aviary.http.routing import MAX_BODY, Page, Row, check_rows
from aviary.http.streams.connection import Limits
from aviary.http.streams.endpoints import Streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aviary.actors.core.message import Message
    from aviary.actors.core.system import System
    from aviary.config.settings import Settings

    type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

STREAMS = web.AppKey("streams", Streams)
"""Where an application keeps its websockets."""

_PLACEHOLDER = re.compile(r"{(\w+)}")


def create_app(
    system: System,
    settings: Settings,
    rows: tuple[Row, ...],
    *,
    max_body: int = MAX_BODY,
    limits: Limits | None = None,
) -> web.Application:
    """The whole front end for a system. Raises `ValueError` for a table of rows that makes no sense.

    `max_body` is in bytes; `limits` says how much a websocket puts up with.
    """
    check_rows(rows)
    basic_auth = BasicAuth(settings.username, settings.password.get_secret_value(), system.clock)
    streams = Streams(system, basic_auth, settings.cors_origins, limits)
    health = health_pages(system, basic_auth)
    pages = (*health, *document_pages(rows, health, max_body))
    sockets = streams.pages()
    open_routes = frozenset(
        {(page.method, page.path) for page in (*pages, *sockets) if page.open}
        | {(row.method, row.path) for row in rows if row.open}
    )
    app = web.Application(
        client_max_size=max_body,
        middlewares=[cors(settings.cors_origins), errors, authentication(basic_auth, open_routes)],
    )

    for page in sockets:
        app.router.add_route(page.method, page.path, page.handler)
    for page in pages:
        add_route(app, page.method, page.path, page.handler)
    # Fixed paths before those with placeholders: `/controllers/configs/` is not a controller type.
    for row in sorted(rows, key=lambda row: len(row.placeholders)):
        add_route(app, row.method, row.path, handler_of(row, system))
    app.on_response_prepare.append(_finish_headers)
    app[STREAMS] = streams
    app.on_shutdown.append(streams.close)
    return app


def add_route(app: web.Application, method: str, path: str, handler: Handler) -> None:
    """Let a handler answer; what answers GET answers HEAD, and aiohttp leaves the body out."""
    resource = app.router.add_resource(path)
    resource.add_route(method, handler)
    if method == "GET":
        resource.add_route("HEAD", handler)


def handler_of(row: Row, system: System) -> Handler:
    """What happens for every request of a row: validate, ask, answer."""
    fields = fields_of(row)

    async def handle(request: web.Request) -> web.StreamResponse:
        message = await bind(fields, row, request)
        address = address_of(row, message)
        try:
            reply = await system.ask(address, message, timeout=row.timeout)
        except NotFound as refusal:
            if system.cell(address) is None:
                if is_starting(system):
                    return answer_refusal(Unavailable("The server is still starting"), {})
                if row.missing is not None:
                    return refuse(404, row.missing.format(**dict(message)))
            return answer_refusal(refusal, row.refusals)
        except Refusal as refusal:
            return answer_refusal(refusal, row.refusals, harmless=row.method == "GET")
        return answer(reply if row.reply is None else row.reply(reply, message), row.status)

    return handle


def address_of(row: Row, message: Message[Any]) -> str:
    """The row's address for a message, whose fields in it are single segments by now."""
    return _PLACEHOLDER.sub(lambda found: str(getattr(message, row.names.get(found[1], found[1]))), row.address)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every kind of trouble as JSON, and never a traceback."""
    try:
        return await handler(request)
    except InvalidRequest as error:
        told = refuse(422, error.problems)
        if request.content.exception() is not None:
            told.force_close()
        return told
    except ActorCrashed as crash:
        return answer_crash(crash)
    except Refusal as refusal:
        return answer_refusal(refusal, {})
    except web.HTTPRequestEntityTooLarge:
        told = refuse(413, f"The body is larger than {request.client_max_size} bytes")
        # The rest of the body is not read, so nothing can follow it.
        told.force_close()
        return told
    except web.HTTPMethodNotAllowed as error:
        allowed = {"Allow": ", ".join(sorted(error.allowed_methods))}
        return refuse(405, "Method Not Allowed", allowed)
    except web.HTTPNotFound:
        return refuse(404, "Not Found")
    except web.HTTPException as error:
        return refuse(error.status, error.reason)


def authentication(basic_auth: BasicAuth, open_routes: frozenset[tuple[str, str]]) -> Any:
    """The middleware that lets nobody in without a password, but for the open routes."""

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        method = "GET" if request.method == "HEAD" else request.method
        if resource is not None and (method, resource.canonical) in open_routes:
            return await handler(request)
        remote = request.remote or ""
        header = request.headers.get("Authorization")
        if header is None or header.partition(" ")[0].lower() != "basic":
            return refuse(401, "Not authenticated", {"WWW-Authenticate": "Basic"})
        wait = basic_auth.wait_for(remote)
        if basic_auth.lets_in(remote, from_header(header)):
            return await handler(request)
        if wait > 0:
            return refuse(429, "Too many failed logins", {"Retry-After": str(math.ceil(wait))})
        return refuse(401, "Incorrect username or password", {"WWW-Authenticate": "Basic"})

    return authenticate


async def _finish_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "Aviary"
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


__all__ = ["MAX_BODY", "STREAMS", "Page", "create_app", "handler_of"]
