"""From a request to a message and back: every refusal, every bad input, over real HTTP."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from decimal import Decimal
from typing import Annotated, Any

import pytest
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.message import Message, Value
from aviary.actors.core.refusal import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    Invalid,
    NoAnswer,
    NotFound,
    Refusal,
    Rejected,
    Stale,
    Unavailable,
)
from aviary.actors.core.simulation import Probe
from aviary.http.routing import RouteConflict, Row, check_rows
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from front_end import LOGIN, front_end
from pydantic import Field


class Order(Value):
    name: str
    amount: Decimal


class PlaceThing(Message[Order]):
    account_name: str = "master"
    name: Annotated[str, Field(max_length=20)]
    amount: Annotated[Decimal, Field(gt=0)]
    count: int = 1
    weight: float = 1.0
    api_secret: Annotated[str, Field(max_length=5)] = ""


class GetThing(Message[dict[str, Any]]):
    name: str
    kind: str = "thing"
    limit: int = 100
    weight: float = 1.0
    tags: tuple[str, ...] = ()


class SaveThing(Message[dict[str, Any]]):
    name: str
    config: dict[str, Any]


ROWS = (
    Row("GET", "/things/{name}", GetThing, "things", fixed={"kind": "fixed"}),
    Row("POST", "/things", PlaceThing, "things", status=201),
    Row(
        "POST",
        "/accounts/things",
        PlaceThing,
        "accounts/{account_name}",
        missing="Account '{account_name}' not found",
    ),
    Row("PUT", "/things/{name}", SaveThing, "things", whole="config"),
)


def things(answer: Any = None) -> tuple[Probe, ChildSpec]:
    probe = Probe(answer or (lambda message: Order(name=message.name, amount=message.amount)))
    return probe, ChildSpec("things", lambda: probe)


def shown(message: GetThing) -> dict[str, Any]:
    return message.model_dump()


async def test_a_request_becomes_a_message_and_its_reply_becomes_json() -> None:
    probe, spec = things()
    async with front_end(ROWS, spec) as front:
        status, body, headers = await front.call("POST", "/things", json={"name": "a", "amount": "0.10", "new": 1})

        assert (status, body) == (201, {"name": "a", "amount": 0.1})
        assert probe.received == [PlaceThing(name="a", amount=Decimal("0.10"))]
        assert "/" not in headers["Server"]


async def test_fields_come_from_the_path_and_the_query() -> None:
    _, spec = things(shown)
    async with front_end(ROWS, spec) as front:
        _, body, _ = await front.call("GET", "/things/a%20b?limit=5&tags=x&tags=y&unknown=1")

        assert body == {"name": "a b", "kind": "fixed", "limit": 5, "weight": 1.0, "tags": ["x", "y"]}


async def test_neither_query_nor_body_replaces_what_the_path_or_the_row_says() -> None:
    _, spec = things(lambda message: message.model_dump())
    async with front_end(ROWS, spec) as front:
        _, got, _ = await front.call("GET", "/things/a?kind=other&name=b")
        _, put, _ = await front.call("PUT", "/things/a", json={"name": "b", "config": 1})

        assert (got["name"], got["kind"]) == ("a", "fixed")
        assert put == {"name": "a", "config": {"name": "b", "config": 1}}


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (NotFound("none"), 404),
        (Invalid("a bad name", "name"), 400),
        (Conflict("twice"), 409),
        (Forbidden("no"), 403),
        (Rejected("exchange said no"), 400),
        (Unavailable("later", retry_after=2.5), 503),
        (Stale("old"), 503),
        (DeadlineExceeded("slow"), 503),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Refusal) else "",
)
async def test_every_refusal_has_its_status(refusal: Refusal, status: int) -> None:
    def refuse(_message: object) -> None:
        raise refusal

    _, spec = things(refuse)
    async with front_end(ROWS, spec) as front:
        got, body, headers = await front.call("GET", "/things/a")

        assert (got, body) == (status, {"detail": refusal.detail})
        assert ("Retry-After" in headers) is (status == 503)


async def test_what_may_have_been_done_is_told_with_its_name_and_not_to_be_done_again() -> None:
    def lose(_message: object) -> None:
        raise NoAnswer("it may have been done", order_id="x1", state="unresolved")

    _, spec = things(lose)
    async with front_end(ROWS, spec) as front:
        status, body, headers = await front.call("POST", "/things", json={"name": "a", "amount": "1"})

        assert status == 504
        assert body == {"detail": "it may have been done", "order_id": "x1", "state": "unresolved"}
        assert "Retry-After" not in headers


async def test_a_row_may_give_a_refusal_another_status() -> None:
    def refuse(_message: object) -> None:
        raise Invalid("too small", "limit")

    _, spec = things(refuse)
    rows = (
        Row("GET", "/a/{name}", GetThing, "things", refusals={Refusal: 409}),
        Row("GET", "/b/{name}", GetThing, "things", refusals={Invalid: 422}),
    )
    async with front_end(rows, spec) as front:
        assert (await front.call("GET", "/a/x"))[0] == 409
        status, body, _ = await front.call("GET", "/b/x")

        assert status == 422
        assert body["detail"][0]["msg"] == "too small"
        assert body["detail"][0]["loc"][-1] == "limit"


async def test_a_crash_is_a_500_with_its_id_and_the_server_lives() -> None:
    def crash(message: GetThing) -> dict[str, Any]:
        if message.name == "bad":
            raise ZeroDivisionError("the secret is hunter2")
        return shown(message)

    spec = ChildSpec("things", lambda: Probe(crash), backoff=Backoff(first=0.01, cap=0.1))
    async with front_end(ROWS, spec) as front:
        status, body, headers = await front.call("GET", "/things/bad")

        assert status == 500
        assert headers["X-Crash-Id"] in body["detail"]
        assert "hunter2" not in body["detail"]
        assert (await front.call("GET", "/things/good"))[0] == 200


class SlowToStart(AsyncActor):
    """Dies of its first message; each later life takes `delay` seconds to come up."""

    def __init__(self, delay: float) -> None:
        super().__init__()
        self._delay = delay

    async def prepare(self) -> None:
        if self.incarnation > 1:
            await asyncio.sleep(self._delay)

    def receive(self, message: Any) -> Any:
        if message.name == "bad":
            raise ZeroDivisionError
        return message.model_dump()


async def test_a_request_to_a_restarting_actor_waits_for_its_next_life() -> None:
    spec = ChildSpec("things", lambda: SlowToStart(0.3), backoff=Backoff(first=0.01, cap=0.1))
    async with front_end(ROWS, spec) as front:
        await front.call("GET", "/things/bad")

        status, body, _ = await front.call("GET", "/things/good")

        assert (status, body["name"]) == (200, "good")


async def test_a_request_that_waits_in_vain_is_a_503_with_retry_after() -> None:
    spec = ChildSpec("things", lambda: SlowToStart(1.0), backoff=Backoff(first=0.01, cap=0.1), shutdown=0)
    rows = (Row("GET", "/things/{name}", GetThing, "things", timeout=0.2),)
    async with front_end(rows, spec) as front:
        await front.call("GET", "/things/bad")

        status, body, headers = await front.call("GET", "/things/good")

        assert status == 503
        assert int(headers["Retry-After"]) >= 1
        assert "did not answer" in body["detail"]


@pytest.mark.parametrize(
    "name",
    ["..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "a%2Fb", "a%5Cb", "a%00b", "a%0ab", "%7f", "x" * 300],
)
async def test_path_tricks_are_refused_naming_the_field_and_reach_no_actor(name: str) -> None:
    probe, spec = things(shown)
    async with front_end(ROWS, spec) as front:
        token = LOGIN["Authorization"]
        answer = await front.bytes_of(
            f"GET /things/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {token}\r\n\r\n".encode()
        )

        assert answer.startswith((b"HTTP/1.1 422", b"HTTP/1.1 404", b"HTTP/1.1 400"))
        if answer.startswith(b"HTTP/1.1 422"):
            assert b'"loc":["path","name"]' in answer
        assert probe.received == []


async def test_what_is_no_http_is_refused_and_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async with front_end(ROWS, things()[1]) as front:
        answer = await front.bytes_of(b"GET / HTTP/1.1\r\nno header\r\n\r\n")

    assert b" 400 Bad Request" in answer.splitlines()[0]
    assert [(one.levelname, one.exc_info) for one in caplog.records if "not HTTP" in one.getMessage()] == [
        ("INFO", None)
    ]
    assert all(one.levelname != "ERROR" for one in caplog.records)


async def test_a_long_query_gets_an_answer_in_json() -> None:
    async with front_end() as front:
        status, body, _ = await front.call("GET", f"/things/a?nosuch={'x' * 20_000}")

    assert (status, list(body)) == (404, ["detail"])


def folder(name: str, *children: ChildSpec) -> ChildSpec:
    spec = SupervisorSpec(children=children)
    return ChildSpec(name, lambda: Supervisor(spec), kind="supervisor", settings=SUPERVISOR_SETTINGS)


@pytest.mark.parametrize("account", ["..", "a/things", "a/../a/things", "", "x" * 300, "a\u0000", "a\\b"])
async def test_a_body_can_not_direct_a_message_elsewhere(account: str) -> None:
    probe, spec = things()
    async with front_end(ROWS, folder("accounts", folder("a", spec))) as front:
        sent = {"account_name": account, "name": "a", "amount": 1}
        status, body, _ = await front.call("POST", "/accounts/things", json=sent)

        assert status == 422
        assert body["detail"][0]["loc"] == ["body", "account_name"]
        assert probe.received == []


async def test_an_address_that_does_not_exist_is_a_404_in_the_row_s_own_words() -> None:
    async with front_end(ROWS) as front:
        status, body, _ = await front.call(
            "POST", "/accounts/things", json={"account_name": "bob", "name": "a", "amount": 1}
        )

        assert (status, body) == (404, {"detail": "Account 'bob' not found"})


BAD_BODIES: list[tuple[bytes, list[Any]]] = [
    (b'{"name": "a", "amount": 1', ["body", 0]),
    (b"\xff\xfe", ["body", 0]),
    (b'{"name": "a", "amount": NaN}', ["body", 0]),
    (b'{"name": "a", "amount": 1e400}', ["body", 0]),
    (b'{"name": "a", "amount": ' + b"[" * 5000 + b"]" * 5000 + b"}", ["body", 0]),
    (b'{"name": "a", "amount": ' + b"[" * 200 + b"]" * 200 + b"}", ["body", 0]),
    (b"[1, 2]", ["body"]),
    (b'"text"', ["body"]),
    (b"", ["body", "name"]),
    (b"{}", ["body", "name"]),
    (b'{"name": 5, "amount": 1}', ["body", "name"]),
    (b'{"name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "amount": 1}', ["body", "name"]),
    (b'{"name": "a", "amount": -1}', ["body", "amount"]),
    (b'{"name": "a", "amount": "NaN"}', ["body", "amount"]),
    (b'{"name": "a", "amount": "Infinity"}', ["body", "amount"]),
    (b'{"name": "a", "amount": "1e400"}', ["body", "amount"]),
    (b'{"name": "a", "amount": "1e-400"}', ["body", "amount"]),
    (b'{"name": "a", "amount": "1e999999999"}', ["body", "amount"]),
    (b'{"name": "a", "amount": {"x": 1}}', ["body", "amount"]),
    (b'{"name": "a", "amount": 1, "count": 99999999999999999999}', ["body", "count"]),
    (b'{"name": "a", "amount": 1, "count": "99999999999999999999"}', ["body", "count"]),
    (b'{"name": "a", "amount": 1, "weight": "nan"}', ["body", "weight"]),
    (b'{"name": "a", "amount": 1, "weight": "-inf"}', ["body", "weight"]),
]


@pytest.mark.parametrize(("body", "location"), BAD_BODIES, ids=[str(body[:45]) for body, _ in BAD_BODIES])
async def test_a_bad_body_is_a_422_that_names_the_field(body: bytes, location: list[Any]) -> None:
    probe, spec = things()
    async with front_end(ROWS, spec) as front:
        status, answer, _ = await front.call("POST", "/things", data=body)

        assert status == 422
        first = answer["detail"][0]
        assert first["loc"] == location
        assert {"type", "loc", "msg", "input"} <= first.keys() <= {"type", "loc", "msg", "input", "ctx"}
        assert probe.received == []


@pytest.mark.parametrize("query", ["limit=many", "limit=1e400", "weight=nan", "limit=99999999999999999999999"])
async def test_a_bad_query_is_a_422_that_names_the_parameter(query: str) -> None:
    _, spec = things(shown)
    async with front_end(ROWS, spec) as front:
        status, answer, _ = await front.call("GET", f"/things/a?{query}")

        assert status == 422
        assert answer["detail"][0]["loc"] == ["query", query.partition("=")[0]]


async def test_a_missing_whole_body_is_a_422_for_the_body_itself() -> None:
    _, spec = things()
    async with front_end(ROWS, spec) as front:
        status, answer, _ = await front.call("PUT", "/things/a")

        assert status == 422
        assert answer["detail"][0] == {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}


async def test_a_refusal_names_the_field_that_it_is_about() -> None:
    async def refuse(message: Message[Any]) -> Any:
        raise Invalid("not a moment", "start_time")

    _, spec = things(refuse)
    async with front_end(ROWS, spec) as front:
        _, body, _ = await front.call("GET", "/things/a")

    assert body == {"detail": "start_time: not a moment"}


async def test_a_truth_value_is_no_number() -> None:
    _, spec = things()
    async with front_end(ROWS, spec) as front:
        status, answer, _ = await front.call("POST", "/things", json={"name": "a", "amount": 1, "count": True})

    assert (status, answer["detail"][0]["loc"]) == (422, ["body", "count"])


async def test_a_secret_that_is_wrong_is_not_told_back() -> None:
    _, spec = things()
    async with front_end(ROWS, spec) as front:
        sent = {"name": "a", "amount": 1, "api_secret": "hunter2hunter2"}
        status, answer, _ = await front.call("POST", "/things", json=sent)

        assert status == 422
        assert answer["detail"][0]["loc"] == ["body", "api_secret"]
        assert "hunter2" not in json.dumps(answer)


async def test_a_body_that_is_too_large_is_a_413() -> None:
    probe, spec = things()
    async with front_end(ROWS, spec) as front:
        status, answer, _ = await front.call("POST", "/things", data=io.BytesIO(b"x" * 10_000_000))

        assert status == 413
        assert "1000000 bytes" in answer["detail"]
        assert probe.received == []


async def test_a_body_that_unpacks_to_too_much_is_a_413() -> None:
    _, spec = things()
    async with front_end(ROWS, spec) as front:
        packed = gzip.compress(b'"' + b"x" * 5_000_000 + b'"')
        status, _, _ = await front.call("POST", "/things", data=packed, headers={"Content-Encoding": "gzip"})

        assert status == 413


async def test_a_body_that_does_not_unpack_is_a_422() -> None:
    _, spec = things()
    async with front_end(ROWS, spec) as front:
        status, answer, _ = await front.call(
            "POST", "/things", data=b"no gzip", headers={"Content-Encoding": "gzip"}
        )

        assert status == 422
        assert answer["detail"][0]["loc"] == ["body"]


async def test_unknown_routes_wrong_methods_and_the_other_slash_are_told_in_json() -> None:
    _, spec = things()
    async with front_end(ROWS, spec) as front:
        assert (await front.call("GET", "/nothing"))[:2] == (404, {"detail": "Not Found"})
        assert (await front.call("GET", "/things/"))[:2] == (404, {"detail": "Not Found"})
        status, body, headers = await front.call("DELETE", "/things")
        assert (status, body, headers["Allow"]) == (405, {"detail": "Method Not Allowed"}, "POST")


def test_two_rows_of_one_shape_are_a_conflict() -> None:
    rows = (Row("GET", "/a/{name}", GetThing, "x"), Row("GET", "/a/{kind}", GetThing, "x"))

    with pytest.raises(RouteConflict, match="twice"):
        check_rows(rows)


def test_a_row_whose_placeholder_is_no_field_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        check_rows((Row("GET", "/a/{nonsense}", GetThing, "x"),))
