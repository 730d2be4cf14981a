"""The OpenAPI document: every row is in it, and it is well formed."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from aviary.actors.core.message import Message, Value
from aviary.http.openapi import document_of, reply_of
from aviary.http.routes.all import ROWS
from aviary.http.routing import Row, check_rows
from front_end import front_end
from pydantic import Field, SecretStr


class Coin(Value):
    amount: Decimal


class GiveCoin(Message[Coin]):
    """Command: give a coin. And more."""

    pocket: str
    coin: Coin
    note: Annotated[str, Field(max_length=10)] = ""
    pin: SecretStr = SecretStr("")
    lenient: bool = False
    silent: bool = False


GIVE = Row(
    "POST",
    "/pockets/{id}/coins",
    GiveCoin,
    "pockets/{pocket}",
    status=201,
    names={"id": "pocket"},
    fixed={"lenient": True},
    query=frozenset({"silent"}),
)


def named(schema: dict[str, Any]) -> str:
    reference: str = schema["$ref"]
    return reference.rpartition("/")[2]


def references(value: Any) -> set[str]:
    match value:
        case dict():
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*(references(one) for one in value.values()))
        case list():
            return set().union(*(references(one) for one in value))
        case _:
            return set()


def test_a_row_s_fields_are_where_they_are_sent() -> None:
    operation = document_of((GIVE,))["paths"]["/pockets/{id}/coins"]["post"]

    assert [(one["name"], one["in"], one["required"]) for one in operation["parameters"]] == [
        ("id", "path", True),
        ("silent", "query", False),
    ]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"coin", "note", "pin"}
    assert body["required"] == ["coin"]
    assert operation["summary"] == "Command: give a coin. And more."


def test_a_decimal_is_sent_as_number_or_string_and_answered_as_a_number() -> None:
    document = document_of((GIVE,))
    operation = document["paths"]["/pockets/{id}/coins"]["post"]
    sent = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]["coin"]
    answer = operation["responses"]["201"]["content"]["application/json"]["schema"]
    schemas = document["components"]["schemas"]

    assert reply_of(GiveCoin) is Coin
    assert schemas[named(sent)]["properties"]["amount"]["anyOf"][1]["type"] == "string"
    assert schemas[named(answer)]["properties"]["amount"]["type"] == "number"


class TakeCoin(Message["Coin"]):
    """Command: take a coin; its reply is named as text."""


def test_a_reply_may_be_named_before_it_is_defined() -> None:
    assert reply_of(TakeCoin) is Coin


def test_the_whole_body_may_be_one_field() -> None:
    row = Row("PUT", "/pockets/{pocket}", GiveCoin, "x", whole="coin")
    body = document_of((row,))["paths"]["/pockets/{pocket}"]["put"]["requestBody"]

    assert body == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Coin-Input"}}},
    }


def test_the_server_s_own_rows_make_sense() -> None:
    check_rows(ROWS)


async def test_no_row_hides_another() -> None:
    async with front_end(ROWS) as front:
        for row in ROWS:
            path = row.path
            for name in row.placeholders:
                path = path.replace("{" + name + "}", "7")
            assert await front.route_of(row.method, path) == row.path


async def test_every_row_is_in_the_document_with_security_and_problems() -> None:
    async with front_end(ROWS) as front:
        status, document, _ = await front.call("GET", "/openapi.json")

        assert (status, document["openapi"]) == (200, "3.1.0")
        assert document["components"]["securitySchemes"] == {"HTTPBasic": {"type": "http", "scheme": "basic"}}
        for row in ROWS:
            operation = document["paths"][row.path][row.method.lower()]
            assert {str(row.status), "401", "422", "503"} <= operation["responses"].keys()
            in_path = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert in_path == set(row.placeholders)
        assert document["paths"]["/health/live"]["get"]["security"] == []


def test_operations_have_names_of_their_own_and_references_lead_somewhere() -> None:
    document = document_of(ROWS)
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]

    assert len(names) == len(set(names)) == len(ROWS)
    known = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses")
        for name in document["components"][kind]
    }
    assert references(document) <= known
    declared = {tag["name"] for tag in document["tags"]}
    assert {tag for operation in operations for tag in operation["tags"]} <= declared


async def test_the_pages_name_no_other_host_and_may_load_from_none() -> None:
    async with front_end(ROWS) as front:
        for path in ("/docs", "/redoc"):
            async with front.client.get(front.url + path) as response:
                text = await response.text()
                policy = response.headers["Content-Security-Policy"]
                assert "//" not in text
                assert "http" not in policy
                assert "default-src 'none'" in policy
        for path in (
            "/docs/assets/start.js",
            "/docs/assets/swagger-ui.css",
            "/docs/assets/swagger-ui-bundle.js",
            "/redoc/assets/start.js",
            "/redoc/assets/redoc.standalone.js",
        ):
            async with front.client.get(front.url + path) as response:
                assert response.status == 200
                assert await response.read()
