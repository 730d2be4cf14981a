"""`/openapi.json`, and the two pages that show it; everything comes from this machine."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from aiohttp import web
from aviary.http.json import dumps
from aviary.http.openapi import document_of
from aviary.http.routing import MAX_BODY, Page, Row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from importlib.resources.abc import Traversable

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""The pages may load and call nothing but this server."""

DAY = {"Cache-Control": "max-age=86400"}

SWAGGER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Aviary: routes</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/assets/start.js"></script></body></html>
"""

SWAGGER_START = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true,
  persistAuthorization: false, validatorUrl: null, docExpansion: "none"});
"""

REDOC = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Aviary: reference</title><link rel="icon" href="data:,"></head>
<body style="margin:0"><div id="redoc"></div>
<script type="module" src="/redoc/assets/start.js"></script></body></html>
"""

REDOC_START = """import { init } from "/redoc/assets/redoc.standalone.js";
init("/openapi.json", {disableSearch: false, hideLoading: true,
  theme: {typography: {fontFamily: "sans-serif", headings: {fontFamily: "sans-serif"}}}},
  document.getElementById("redoc"));
"""

LOGOS = re.compile(rb"https://cdn\.redoc\.ly/redoc/logo-mini(?:-full)?\.svg")
"""What ReDoc would fetch from its makers' host; the package ships the picture."""


def document_pages(
    rows: tuple[Row, ...], others: tuple[Page, ...] = (), max_body: int = MAX_BODY
) -> tuple[Page, ...]:
    """The document and its pages. No actor gives them, and they are open as in the released server.

    `max_body` is what a request's body may have, in bytes.
    """
    swagger = files("flask_openapi_swagger") / "templates" / "swagger"
    redoc = files("flask_openapi_redoc") / "templates" / "redoc"
    policy = {"Content-Security-Policy": POLICY}
    javascript = "text/javascript"
    served = {
        "/docs": ("text/html", policy, SWAGGER.encode),
        "/docs/assets/start.js": (javascript, DAY, SWAGGER_START.encode),
        "/docs/assets/swagger-ui.css": ("text/css", DAY, (swagger / "css" / "swagger-ui.css").read_bytes),
        "/docs/assets/swagger-ui-bundle.js": (
            javascript,
            DAY,
            (swagger / "js" / "swagger-ui-bundle.js").read_bytes,
        ),
        "/redoc": ("text/html", policy, REDOC.encode),
        "/redoc/assets/start.js": (javascript, DAY, REDOC_START.encode),
        "/redoc/assets/logo.svg": ("image/svg+xml", DAY, (redoc / "images" / "redoc.svg").read_bytes),
        "/redoc/assets/redoc.standalone.js": (javascript, DAY, lambda: redoc_script(redoc)),
        "/openapi.json": ("application/json", {}, lambda: dumps(document_of(rows, others, max_body))),
    }
    return tuple(
        Page("GET", path, serve(*content), "a document or a static file", open=True)
        for path, content in served.items()
    )


def redoc_script(folder: Traversable) -> bytes:
    """ReDoc, with its picture fetched from here."""
    return LOGOS.sub(b"/redoc/assets/logo.svg", (folder / "js" / "redoc.standalone.js").read_bytes())


def serve(
    content_type: str, headers: Mapping[str, str], make: Callable[[], bytes]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Serves what `make` gives, made at first use."""
    body = cache(make)

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=body(), content_type=content_type, charset="utf-8", headers=headers)

    return handle
