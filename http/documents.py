"""`/openapi.json`, and the two pages that show it; everything comes from this machine."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from aiohttp import web
from aviary.http.json import dumps
from aviary.http.openapi import document_of
from aviary.http.routing import Page, Row

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'"
)
"""The pages may load and call nothing but this server."""

SWAGGER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Aviary: routes</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/assets/start.js"></script></body></html>
"""

SWAGGER_START = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true,
  persistAuthorization: false, validatorUrl: null, docExpansion: "none"});
"""

REDOC = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Aviary: reference</title></head>
<body style="margin:0"><div id="redoc"></div>
<script src="/redoc/assets/redoc.standalone.js"></script><script src="/redoc/assets/start.js"></script></body></html>
"""

REDOC_START = """Redoc.init("/openapi.json", {disableSearch: false, hideLoading: true,
  theme: {typography: {fontFamily: "sans-serif", headings: {fontFamily: "sans-serif"}}}},
  document.getElementById("redoc"));
"""


def document_pages(rows: tuple[Row, ...]) -> tuple[Page, ...]:
    """The document and its pages. No actor gives them, and they are open as in the released server."""

    @cache
    def document() -> bytes:
        return dumps(document_of(rows))

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(body=document(), content_type="application/json")

    swagger = files("flask_openapi_swagger") / "templates" / "swagger"
    redoc = files("flask_openapi_redoc") / "templates" / "redoc"
    why = "a page or a static file"
    return (
        Page("GET", "/openapi.json", openapi, "derived from the rows", open=True),
        Page("GET", "/docs", page(SWAGGER), why, open=True),
        Page("GET", "/docs/assets/start.js", script(SWAGGER_START), why, open=True),
        Page("GET", "/docs/assets/swagger-ui.css", asset(swagger / "css" / "swagger-ui.css", "text/css"), why, open=True),
        Page(
            "GET",
            "/docs/assets/swagger-ui-bundle.js",
            asset(swagger / "js" / "swagger-ui-bundle.js", "text/javascript"),
            why,
            open=True,
        ),
        Page("GET", "/redoc", page(REDOC), why, open=True),
        Page("GET", "/redoc/assets/start.js", script(REDOC_START), why, open=True),
        Page(
            "GET",
            "/redoc/assets/redoc.standalone.js",
            asset(redoc / "js" / "redoc.standalone.js", "text/javascript"),
            why,
            open=True,
        ),
    )


class page:  # noqa: N801 - used as a function
    """Serves a page."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def __call__(self, _request: web.Request) -> web.Response:
        """The page."""
        return web.Response(
            text=self._text, content_type="text/html", headers={"Content-Security-Policy": POLICY}
        )


class script:  # noqa: N801 - used as a function
    """Serves a script of ours."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def __call__(self, _request: web.Request) -> web.Response:
        """The script."""
        return web.Response(text=self._text, content_type="text/javascript")


class asset:  # noqa: N801 - used as a function
    """Serves a file out of an installed package, read at first use."""

    def __init__(self, source: Traversable, content_type: str) -> None:
        self._source = source
        self._content_type = content_type
        self._body: bytes | None = None

    async def __call__(self, _request: web.Request) -> web.Response:
        """The file."""
        if self._body is None:
            self._body = self._source.read_bytes()
        return web.Response(
            body=self._body, content_type=self._content_type, headers={"Cache-Control": "max-age=86400"}
        )
