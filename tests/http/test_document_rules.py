"""What the document has to say of every operation, and that it says no more than what is enforced."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from aviary.actors.core.simulation import Probe
from aviary.actors.messages.bots import BotStatus, FindBot, StartBot, StopBot
from aviary.http.fields import fields_of, is_internal
from aviary.http.openapi import document_of
from aviary.http.outcomes import OUTCOMES, outcomes_of
from aviary.http.refusals import STATUS
from aviary.http.routes.all import ROWS
from aviary.http.routing import MAX_BODY, Row
from aviary.supervisors.spec import ChildSpec
from front_end import FrontEnd, front_end
from openapi_spec_validator import validate

FREE = {"get_scripts_script_name_config_template"}
"""Operations whose answer has names and values that only a script's author knows."""

CHECKED_BY_THE_REGISTRY = {("/accounts", "name"), ("/accounts/add-account", "account_name")}
"""What an account may be called is refused in the released server's words, and not with 422."""

type Sample = tuple[str, dict[str, str], Any]
"""A path, a query and a body."""


@cache
def document() -> dict[str, Any]:
    return document_of(ROWS)


def operation_of(row: Row) -> dict[str, Any]:
    operation: dict[str, Any] = document()["paths"][row.path][row.method.lower()]
    return operation


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return content


def properties() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of every body and of every named schema, with where it is."""
    for row in ROWS:
        for name, schema in body_of(operation_of(row)).get("schema", {}).get("properties", {}).items():
            yield f"{row.method} {row.path} {name}", schema
    for name, schema in document()["components"]["schemas"].items():
        for field, inside in schema.get("properties", {}).items():
            yield f"{name}.{field}", inside


def kinds(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for part in schema.get("anyOf", [schema]) for one in part.get("anyOf", [part])]


def test_the_document_is_one() -> None:
    validate(document())


def test_every_operation_parameter_and_property_is_described() -> None:
    operations = [(f"{row.method} {row.path}", operation_of(row)) for row in ROWS]
    parameters = [(f"{where} {one['name']}", one) for where, each in operations for one in each["parameters"]]
    schemas = list(document()["components"]["schemas"].items())
    told = [*operations, *parameters, *properties(), *schemas, *((one["name"], one) for one in document()["tags"])]

    assert [where for where, one in told if len(one.get("description", "")) < 3] == []


def test_an_answer_has_a_shape() -> None:
    def is_free(schema: dict[str, Any]) -> bool:
        inside = schema.get("items", schema.get("additionalProperties"))
        return not schema or inside is True or (isinstance(inside, dict) and is_free(inside))

    free = {
        operation_of(row)["operationId"]
        for row in ROWS
        if is_free(operation_of(row)["responses"][str(row.status)]["content"]["application/json"]["schema"])
    }
    assert free == FREE


def test_one_word_has_one_meaning() -> None:
    # Two types of one name would get the names of their modules.
    assert [name for name in document()["components"]["schemas"] if "__" in name.replace("_str__Any", "")] == []

    patterns: dict[str, set[str]] = {}
    for row in ROWS:
        schema = body_of(operation_of(row)).get("schema", {}).get("properties", {})
        told = {one["name"]: one["schema"] for one in operation_of(row)["parameters"]} | schema
        for name in ("connector_name", "trading_pair"):
            for kind in kinds(told.get(name, {})):
                if "pattern" in kind:
                    patterns.setdefault(name, set()).add(kind["pattern"])
    assert {name: len(found) for name, found in patterns.items()} == {"connector_name": 1, "trading_pair": 1}


def test_no_parameter_may_be_null() -> None:
    parameters = [(row.path, one) for row in ROWS for one in operation_of(row)["parameters"]]

    assert len(parameters) > 100
    assert [where for where, one in parameters if {"type": "null"} in kinds(one["schema"])] == []
    assert [where for where, one in parameters if one["in"] == "path" and "default" in one["schema"]] == []


def test_every_status_is_told_with_its_headers() -> None:
    responses = document()["components"]["responses"]

    assert set(STATUS.values()) <= OUTCOMES.keys()
    for row in ROWS:
        told = operation_of(row)["responses"].keys()
        assert {str(row.status), *map(str, outcomes_of(row))} == told
        assert {"401", "403", "404", "405", "422", "429", "500", "503"} <= told
        assert ("413" in told) is row.takes_body
    assert {status: list(one["headers"]) for status, one in responses.items() if one["headers"]} == {
        "401": ["WWW-Authenticate"],
        "405": ["Allow"],
        "429": ["Retry-After"],
        "500": ["X-Crash-Id"],
        "503": ["Retry-After"],
    }
    assert str(MAX_BODY) in responses["413"]["description"]


def test_what_is_for_actors_alone_is_neither_told_nor_taken() -> None:
    hidden = {
        (row.message, field)
        for row in ROWS
        for field, info in row.message.model_fields.items()
        if is_internal(info)
    }

    assert {(StartBot, "lenient"), (StopBot, "lenient"), (FindBot, "lenient")} <= hidden
    for row in ROWS:
        names = {sent.field for sent in fields_of(row)}
        assert not names & {field for message, field in hidden if message is row.message}
        assert not names & row.fixed.keys()


async def test_a_switch_for_actors_alone_is_not_taken_from_a_client() -> None:
    running = BotStatus(name="a", state="running")
    probe = Probe(lambda message: running if isinstance(message, FindBot) else {"success": True})
    async with front_end(ROWS, ChildSpec("bot-registry", lambda: probe)) as front:
        await front.call("POST", "/bot-orchestration/bots/a/start", json={"lenient": True})
        await front.call("POST", "/bot-orchestration/bots/a/stop", json={"lenient": True})
        await front.call("GET", "/bot-orchestration/bots/a/status?lenient=true")

    assert [message.lenient for message in probe.received] == [False, False, False]


# Examples


def sample_of(row: Row) -> Sample:
    """The example of an operation as a request."""
    parameters = operation_of(row)["parameters"]
    query = {one["name"]: str(one["example"]) for one in parameters if one["in"] == "query" and "example" in one}
    return path_of(row, {}), query, body_of(operation_of(row)).get("example")


def path_of(row: Row, values: dict[str, Any]) -> str:
    """The example's path, with other values in some places."""
    path = row.path
    for one in operation_of(row)["parameters"]:
        if one["in"] == "path":
            path = path.replace("{" + one["name"] + "}", str(values.get(one["name"], one["example"])))
    return path


async def status_of(front: FrontEnd, row: Row, sample: Sample) -> tuple[int, Any]:
    path, query, body = sample
    more = {} if body is None else {"json": body}
    status, answer, _ = await front.call(row.method, path, params=query, **more)
    return status, answer


async def test_every_operation_has_an_example_that_is_understood() -> None:
    async with front_end(ROWS) as front:
        for row in ROWS:
            assert row.path.partition("{")[0] in operation_of(row)["x-codeSamples"][0]["source"]
            # Nobody is there to answer it.
            status, answer = await status_of(front, row, sample_of(row))
            assert status in {404, 503, *row.refusals.values()}, (row.method, row.path, answer)


# Limits


def edges(schema: dict[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Values at the limits of a schema and beyond, and whether they are inside."""
    for kind in kinds(schema):
        if kind.get("type") == "integer":
            yield from ((kind["maximum"], True), (kind["maximum"] + 1, False))
            yield from ((kind["minimum"], True), (kind["minimum"] - 1, False))
        elif kind.get("type") == "number":
            yield from ((kind[name], True) for name in ("maximum", "minimum") if name in kind)
            yield from ((kind[name], False) for name in ("exclusiveMaximum", "exclusiveMinimum") if name in kind)
        elif kind.get("type") == "string" and "maxLength" in kind:
            yield "x" * (kind["maxLength"] + 1), False
            yield "x" * kind["maxLength"], True
        elif kind.get("type") == "array" and "maxItems" in kind:
            yield ["a-b"] * (kind["maxItems"] + 1), False
        elif "enum" in kind:
            yield "neither", False


def limited() -> Iterator[tuple[Row, str, str, Any, bool]]:
    """Rows with the place and name of a field, a value at its limit, and whether that is inside."""
    for row in ROWS:
        operation = operation_of(row)
        for one in operation["parameters"]:
            for value, inside in edges(one["schema"]):
                yield row, one["in"], one["name"], value, inside
        for name, schema in body_of(operation).get("schema", {}).get("properties", {}).items():
            for value, inside in edges(schema):
                yield row, "body", name, value, inside


async def test_the_limits_of_the_document_are_those_that_are_enforced() -> None:
    tried = 0
    async with front_end(ROWS) as front:
        for row, place, name, value, inside in limited():
            if (row.path, name) in CHECKED_BY_THE_REGISTRY:
                continue
            path, query, body = sample_of(row)
            if place == "body":
                body = {**(body or {}), name: value}
            elif place == "query":
                query = {**query, name: ",".join(value) if isinstance(value, list) else str(value)}
            else:
                path = path_of(row, {name: value})
            status, answer = await status_of(front, row, (path, query, body))
            wrong = [one["loc"][:2] for one in answer["detail"]] if status == 422 else []
            assert ([place, name] in wrong) is not inside, (row.method, row.path, name, str(value)[:80], answer)
            tried += 1
    assert tried > 200


TIMES = ("1790000000", "1790000000000", "2026-09-21T14:13:20Z", "2026-09-21T14:13:20", "2026-09-21T16:13:20+02:00")
"""The same moment, five times."""

TIMED = [(row, sent.name) for row in ROWS for sent in fields_of(row) if sent.field in {"start_time", "end_time"}]


@pytest.mark.parametrize(("row", "name"), TIMED, ids=lambda one: one if isinstance(one, str) else one.path)
async def test_the_same_times_are_taken_everywhere(row: Row, name: str) -> None:
    probe = Probe(lambda _message: None)
    async with front_end(ROWS, ChildSpec(row.address, lambda: probe)) as front:
        for time in TIMES:
            path, query, body = sample_of(row)
            if row.takes_body:
                body = {**body, name: time}
            else:
                query = {**query, name: time}
            await status_of(front, row, (path, query, body))

    assert [getattr(message, name) for message in probe.received] == [1790000000.0] * len(TIMES)
