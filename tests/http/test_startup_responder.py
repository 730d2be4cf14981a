import asyncio

import orjson
import pytest
from aiohttp import ClientSession, web
from aviary.actors.core.system import System
from aviary.config.settings import Settings
from aviary.http.app import create_app
from aviary.http.startup_responder import StartupResponder, answer


def told(head: str) -> tuple[int, dict[str, str], bytes]:
    lines, _, body = answer(f"{head} HTTP/1.1\r\n\r\n".encode()).partition(b"\r\n\r\n")
    status, *headers = lines.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in headers), body


@pytest.mark.parametrize("head", ["GET /", "GET /?a=1", "GET /health/live", "HEAD /"])
def test_the_server_says_at_once_that_it_lives(head: str) -> None:
    status, headers, body = told(head)

    assert status == 200
    assert headers["Connection"] == "close"
    assert body == b"" if head.startswith("HEAD") else len(body) == int(headers["Content-Length"])


@pytest.mark.parametrize("head", ["GET /accounts/", "POST /", "nonsense", "GET /health/ready"])
def test_everybody_else_is_asked_to_come_again(head: str) -> None:
    status, headers, body = told(head)

    assert (status, headers["Retry-After"]) == (503, "1")
    assert {"detail", "status"} & orjson.loads(body).keys()


async def test_the_front_end_says_the_same_and_takes_over_the_sockets() -> None:
    startup_responder = StartupResponder()
    sockets = await startup_responder.open("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    system = System.live()
    runner = web.AppRunner(create_app(system, Settings.model_validate({"password": "x"}), ()))
    await runner.setup()

    async def answers(session: ClientSession) -> list[tuple[int, object]]:
        found = []
        for path in ("/", "/health/live", "/health/ready"):
            async with session.get(url + path) as response:
                found.append((response.status, await response.json()))
        return found

    try:
        async with ClientSession() as session:
            before = await answers(session)
            startup_responder.close()
            # Nobody serves now: this one waits in the socket's queue.
            waiting = asyncio.create_task(answers(session))
            await asyncio.sleep(0)
            await web.SockSite(runner, sockets[0]).start()
            after = await waiting
    finally:
        await runner.cleanup()
        system.shutdown()

    assert before == after
