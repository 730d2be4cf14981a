"""Who is let in: passwords, guesses, origins, and what is open."""

from __future__ import annotations

import base64
import hmac
from typing import Any

import pytest
from aviary.actors.core.message import Message
from aviary.actors.core.simulation import Probe
from aviary.config.clock import FakeClock
from aviary.http.auth import GUESSES, GUESSES_IN_ALL, PACE, WINDOW, BasicAuth, Credentials, from_header, from_token
from aviary.http.routing import Row
from aviary.supervisors.spec import ChildSpec
from front_end import LOGIN, PASSWORD, USER, front_end


class Touch(Message[str]):
    """Anything."""


ROWS = (
    Row("GET", "/touch", Touch, "probe"),
    Row("POST", "/touch", Touch, "probe"),
    Row("GET", "/in", Touch, "probe", open=True),
)


def probe() -> ChildSpec:
    return ChildSpec("probe", lambda: Probe(lambda _message: "touched"))


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


async def test_without_a_header_the_answer_is_the_released_server_s() -> None:
    async with front_end(ROWS, probe()) as front:
        del front.client.headers["Authorization"]
        status, body, headers = await front.call("GET", "/touch")

        assert (status, body) == (401, {"detail": "Not authenticated"})
        assert headers["WWW-Authenticate"] == "Basic"


@pytest.mark.parametrize(
    "header",
    [
        basic("ann", "wrong"),
        basic("bob", PASSWORD),
        basic("", ""),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic "},
    ],
)
async def test_a_wrong_login_is_refused_in_the_released_server_s_words(header: dict[str, str]) -> None:
    async with front_end(ROWS, probe()) as front:
        status, body, headers = await front.call("GET", "/touch", headers=header)

        assert (status, body) == (401, {"detail": "Incorrect username or password"})
        assert headers["WWW-Authenticate"] == "Basic"


async def test_every_row_asks_for_the_password_but_the_open_ones() -> None:
    async with front_end(ROWS, probe()) as front:
        del front.client.headers["Authorization"]

        for row in ROWS:
            status, _, _ = await front.call(row.method, row.path)
            assert status == (200 if row.open else 401)
        assert (await front.call("GET", "/nothing"))[0] == 401


async def test_the_open_pages_are_those_of_the_contract_and_health() -> None:
    async with front_end(ROWS, probe()) as front:
        del front.client.headers["Authorization"]

        for path in ("/", "/openapi.json", "/health/live", "/health/ready"):
            assert (await front.call("GET", path))[0] == 200
        for path in ("/docs", "/redoc"):
            async with front.client.get(front.url + path) as response:
                assert response.status == 200


@pytest.mark.parametrize(("username", "password"), [("ann", "x"), ("x", "x"), ("x", PASSWORD), (USER, PASSWORD)])
def test_user_and_password_are_both_compared_in_constant_time_always(
    monkeypatch: pytest.MonkeyPatch, username: str, password: str
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def watched(a: Any, b: Any) -> bool:
        compared.append((a, b))
        return real(a, b)

    monkeypatch.setattr("aviary.http.auth.hmac.compare_digest", watched)
    keeper = BasicAuth(USER, PASSWORD, FakeClock())

    assert keeper.admits(Credentials(username, password)) is ((username, password) == (USER, PASSWORD))
    assert compared == [(username.encode(), USER.encode()), (password.encode(), PASSWORD.encode())]


def test_an_unset_password_opens_nothing() -> None:
    assert not BasicAuth("ann", "", FakeClock()).admits(Credentials("ann", ""))


def test_a_token_may_lack_its_padding_and_have_spaces_for_pluses() -> None:
    token = base64.b64encode(b"ann:>>>?~~").decode()

    assert "+" in token
    assert from_token(token.replace("+", " ").rstrip("=")) == Credentials("ann", ">>>?~~")


@pytest.mark.parametrize(
    "header", [None, "", "Bearer x", "Basic", "Basic %%%", "Basic " + base64.b64encode(b"nocolon").decode()]
)
def test_what_is_no_login_is_none(header: str | None) -> None:
    assert from_header(header) is None


RIGHT = Credentials(USER, PASSWORD)


def guess(keeper: BasicAuth, remote: str, number: int) -> None:
    assert not keeper.lets_in(remote, Credentials(USER, f"guess {number}"))


def test_many_different_guesses_from_one_address_are_made_to_wait() -> None:
    clock = FakeClock()
    keeper = BasicAuth(USER, PASSWORD, clock)
    for number in range(GUESSES):
        guess(keeper, "10.0.0.1", number)

    assert keeper.wait_for("10.0.0.1") == WINDOW
    assert not keeper.lets_in("10.0.0.1", RIGHT)
    assert keeper.lets_in("10.0.0.2", RIGHT)

    clock.advance(WINDOW)
    assert keeper.lets_in("10.0.0.1", RIGHT)


def test_nobody_at_the_same_address_locks_out_who_has_logged_in_from_there() -> None:
    keeper = BasicAuth(USER, PASSWORD, FakeClock())
    assert keeper.lets_in("10.0.0.1", RIGHT)
    for number in range(10 * GUESSES):
        guess(keeper, "10.0.0.1", number)

    assert keeper.lets_in("10.0.0.1", RIGHT)
    assert keeper.wait_for("10.0.0.1") == WINDOW


def test_guesses_from_many_addresses_are_slowed_too() -> None:
    clock = FakeClock()
    keeper = BasicAuth(USER, PASSWORD, clock)
    assert keeper.lets_in("10.0.0.1", RIGHT)
    for number in range(GUESSES_IN_ALL):
        guess(keeper, f"10.1.0.{number}", number)

    assert keeper.wait_for("10.2.0.1") == PACE
    assert not keeper.lets_in("10.2.0.1", RIGHT)
    assert keeper.lets_in("10.0.0.1", RIGHT)
    clock.advance(PACE)
    assert keeper.lets_in("10.2.0.1", RIGHT)
    clock.advance(WINDOW)
    assert keeper.wait_for("10.3.0.1") == 0


def test_a_client_that_repeats_an_outdated_password_locks_nobody_out() -> None:
    keeper = BasicAuth(USER, PASSWORD, FakeClock())
    for _ in range(10 * GUESSES_IN_ALL):
        assert not keeper.lets_in("10.0.0.1", Credentials(USER, "last year's"))

    assert keeper.lets_in("10.0.0.1", RIGHT)


def test_wrong_logins_are_logged_by_user_and_address_and_ever_less_often(caplog: pytest.LogCaptureFixture) -> None:
    keeper = BasicAuth(USER, PASSWORD, FakeClock())

    for _ in range(9):
        keeper.lets_in("10.0.0.1", Credentials("eve\n", "hunter2"))
    keeper.lets_in("10.0.0.2", None)

    assert [record.getMessage() for record in caplog.records] == [
        *(f"wrong login of 'eve\\n' from 10.0.0.1, {count} times so far" for count in (1, 2, 4, 8)),
        "wrong login of '' from 10.0.0.2, 1 times so far",
    ]


async def test_too_many_guesses_are_a_429_with_retry_after() -> None:
    async with front_end(ROWS, probe()) as front:
        for number in range(GUESSES):
            await front.call("GET", "/touch", headers=basic(USER, f"guess {number}"))

        status, body, headers = await front.call("GET", "/touch")

        assert (status, body) == (429, {"detail": "Too many failed logins"})
        assert 0 < int(headers["Retry-After"]) <= WINDOW


async def test_another_site_s_page_may_read_nothing_and_change_nothing() -> None:
    async with front_end(ROWS, probe()) as front:
        foreign = {"Origin": "https://evil.example"}

        status, _, headers = await front.call("GET", "/touch", headers=foreign)
        assert (status, headers.get("Access-Control-Allow-Origin")) == (200, None)
        assert (await front.call("POST", "/touch", headers=foreign))[0] == 403
        status, _, headers = await front.call(
            "OPTIONS", "/touch", headers={**foreign, "Access-Control-Request-Method": "POST"}
        )
        assert (status, headers.get("Access-Control-Allow-Origin")) == (405, None)


LOCAL = ("http://localhost:3000", "http://127.0.0.1:8501", "https://localhost", "http://localhost", "http://127.0.0.1")


@pytest.mark.parametrize("origin", LOCAL)
async def test_pages_from_this_machine_may_call_at_any_port_unless_somebody_else_is_named(origin: str) -> None:
    local = {"Origin": origin}
    async with front_end(ROWS, probe()) as front:
        status, _, headers = await front.call("POST", "/touch", headers=local)
        assert (status, headers["Access-Control-Allow-Origin"]) == (200, origin)

        del front.client.headers["Authorization"]
        preflight = {**local, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        async with front.client.options(front.url + "/touch", headers=preflight) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)
            assert {"GET", "POST", "PUT", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
            assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    async with front_end(ROWS, probe(), cors_origins=("https://desk.example",)) as front:
        assert (await front.call("POST", "/touch", headers=local))[0] == 403


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://localhost.evil.example",
        "http://localhost:3000.evil.example",
        "http://evil.example:3000",
        "http://127.0.0.1.evil.example:80",
        "http://localhost:*",
        "ftp://localhost:3000",
        "http://localhost:3000:3000",
        "http://user@localhost:3000",
        "localhost:3000",
    ],
)
async def test_what_only_looks_like_this_machine_is_foreign(origin: str) -> None:
    async with front_end(ROWS, probe()) as front:
        _, _, headers = await front.call("GET", "/touch", headers={"Origin": origin})

        assert "Access-Control-Allow-Origin" not in headers
        assert (await front.call("POST", "/touch", headers={"Origin": origin}))[0] == 403


async def test_the_server_s_own_pages_may_call_wherever_it_is() -> None:
    async with front_end(ROWS, probe(), cors_origins=()) as front:
        assert (await front.call("POST", "/touch", headers={"Origin": front.url}))[0] == 200


async def test_a_named_origin_may_read_every_answer_refusals_too() -> None:
    origin = {"Origin": "https://desk.example"}
    async with front_end(ROWS, probe(), cors_origins=("https://desk.example",)) as front:
        preflight = {
            **origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        async with front.client.options(front.url + "/touch", headers=preflight) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://desk.example")
            assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]

        for path, wanted in (("/touch", 200), ("/nothing", 404)):
            status, _, headers = await front.call("GET", path, headers=origin)
            assert (status, headers["Access-Control-Allow-Origin"]) == (wanted, "https://desk.example")
        del front.client.headers["Authorization"]
        status, _, headers = await front.call("POST", "/touch", headers=origin)
        assert (status, headers["Access-Control-Allow-Origin"]) == (401, "https://desk.example")


def test_the_shared_login_is_the_one_that_the_server_knows() -> None:
    assert from_header(LOGIN["Authorization"]) == Credentials(USER, PASSWORD)
