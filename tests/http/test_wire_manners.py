"""What a client may garble: it is told so, and the log has no traceback of it."""

import gzip
import logging

import pytest
from aviary.http.routes.all import ROWS
from aviary.http.routes.supervision import ROWS as SUPERVISION
from front_end import LOGIN, front_end

POST = b"POST /supervision/restart HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def login() -> bytes:
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in LOGIN.items())


@pytest.mark.parametrize(
    "path", sorted({row.path for row in ROWS if row.method == "GET" and not row.placeholders})
)
async def test_what_answers_get_answers_head_without_a_body(path: str) -> None:
    async with front_end(ROWS) as front:
        got, _, _ = await front.call("GET", path)
        async with front.client.head(front.url + path) as response:
            assert response.status == got
            assert await response.read() == b""


async def test_health_answers_head_without_a_password() -> None:
    async with front_end() as front:
        for path in ("/", "/health/live", "/health/ready"):
            async with front.client.head(front.url + path, headers={"Authorization": ""}) as response:
                assert response.status in {200, 503}


async def test_what_only_posts_tells_so_to_head() -> None:
    async with front_end(ROWS) as front, front.client.head(f"{front.url}/trading/close-position") as response:
        assert response.status == 405


async def test_a_byte_order_mark_is_no_error() -> None:
    async with front_end(SUPERVISION) as front:
        for body in (b'{"address": ""}', b'\xef\xbb\xbf{"address": ""}'):
            status, told, _ = await front.call("POST", "/supervision/restart", data=body)
            assert status == 422
            assert told["detail"][0]["loc"] == ["body", "address"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_a_body_that_is_not_what_it_says_is_refused(encoding: str, caplog: pytest.LogCaptureFixture) -> None:
    await assert_told(caplog, f"Content-Encoding: {encoding}\r\nContent-Length: 5\r\n", b"abcde", b" 422 ")


@pytest.mark.parametrize("encoding", ["rot13", "gzip, gzip", "x y"])
async def test_an_unknown_encoding_is_unsupported(encoding: str, caplog: pytest.LogCaptureFixture) -> None:
    await assert_told(caplog, f"Content-Encoding: {encoding}\r\nContent-Length: 2\r\n", b"{}", b" 415 ")


async def test_a_body_may_be_compressed_or_say_that_it_is_not() -> None:
    body = b'{"address": ""}'
    async with front_end(SUPERVISION) as front:
        for encoding, data in (("gzip", gzip.compress(body)), ("identity", body), ("GZIP", gzip.compress(body))):
            status, told, _ = await front.call(
                "POST", "/supervision/restart", data=data, headers={"Content-Encoding": encoding}
            )
            assert status == 422
            assert told["detail"][0]["loc"] == ["body", "address"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Length: 500\r\n", b"abc"),
        ("Transfer-Encoding: chunked\r\n", b"5\r\nab"),
        ("Content-Encoding: gzip\r\nContent-Length: 500\r\n", gzip.compress(b"abc")),
    ],
)
@pytest.mark.parametrize("known", [True, False])
async def test_a_connection_that_is_cut_in_a_body_is_forgotten(
    headers: str, body: bytes, caplog: pytest.LogCaptureFixture, *, known: bool
) -> None:
    async with front_end(SUPERVISION) as front:
        await front.cut_after(POST + (login() if known else b"") + headers.encode() + b"\r\n" + body)
        assert (await front.call("GET", "/supervision/tree"))[0] in {404, 503}
    assert tracebacks(caplog) == []


async def assert_told(caplog: pytest.LogCaptureFixture, headers: str, body: bytes, status: bytes) -> None:
    async with front_end(SUPERVISION) as front:
        told = await front.bytes_of(POST + login() + headers.encode() + b"\r\n" + body)
        stranger = await front.bytes_of(POST + headers.encode() + b"\r\n" + body)
    assert status in told.splitlines()[0]
    assert b" 401 " in stranger.splitlines()[0]
    assert tracebacks(caplog) == []


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
