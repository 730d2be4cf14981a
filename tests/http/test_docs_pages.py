"""The two pages that show the routes, in a real browser: they render, and ask nobody but this server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aviary.http.routes.all import ROWS
from browser import browser_page
from front_end import front_end

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.whole
@pytest.mark.parametrize(
    ("path", "condition"),
    [
        ("/docs", "document.querySelectorAll('#swagger-ui .opblock-tag').length > 3"),
        (
            "/redoc",
            "document.querySelectorAll('#redoc [data-section-id]').length > 3 && document.images.length > 0",
        ),
    ],
)
async def test_the_page_shows_the_routes_and_asks_no_other_host(path: str, condition: str, tmp_path: Path) -> None:
    async with front_end(ROWS) as front, browser_page(tmp_path / "browser") as page:
        loaded = "document.readyState === 'complete' && [...document.images].every(one => one.complete)"
        await page.show(front.url + path, f"{condition} && {loaded}")

        outside = [url for url in page.asked if not url.startswith((front.url, "data:", "blob:"))]
        assert front.url + "/openapi.json" in page.asked
        assert outside == []
        assert page.complaints == []
        assert await page.value_of("[...document.images].every(one => one.naturalWidth > 0)")
