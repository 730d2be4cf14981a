"""What may be answered to a request besides what it asks for: statuses, their headers and what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aviary.http.problems import Problem, ValidationProblem
from aviary.http.refusals import STATUS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aviary.http.routing import Row
    from aviary.http.schemas import Schemas


@dataclass(frozen=True, slots=True)
class Outcome:
    """One status: what it means, and which headers say more."""

    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names of headers, and what each says."""


RETRY_AFTER = {"Retry-After": "Seconds after which to try again"}

OUTCOMES: Mapping[int, Outcome] = {
    400: Outcome("Refused, and nothing was done: the text names what is wrong, an exchange's own words among it"),
    401: Outcome("Not logged in, or with a wrong name or password", {"WWW-Authenticate": "`Basic`"}),
    403: Outcome(
        "A page of an origin that CORS_ORIGINS does not name asked, or what is asked for is never allowed"
    ),
    404: Outcome("There is no such thing, or no such path"),
    405: Outcome("The path has no such method", {"Allow": "The methods that it has, separated by commas"}),
    409: Outcome("Contradicts the present state"),
    413: Outcome("The body is larger than {max_body} bytes"),
    415: Outcome("The body's Content-Encoding is none of gzip, deflate and br"),
    422: Outcome("The request makes no sense: each entry says where and why"),
    429: Outcome("Too many wrong logins from this address", RETRY_AFTER),
    500: Outcome(
        "An actor died of the request; it may have been done",
        {"X-Crash-Id": "Names the crash's entry in `/supervision/journal`"},
    ),
    503: Outcome("Not now, and nothing was done: starting, out of reach, or too busy", RETRY_AFTER),
    504: Outcome(
        "No answer: it may have been done, so look before asking again. Of an order `order_id` and `state` are told"
    ),
}


def outcomes_of(row: Row) -> list[int]:
    """The statuses that may be answered instead of a row's own."""
    statuses = {404, 405, 422, 500, 503, *STATUS.values(), *row.refusals.values()}
    if not row.open:
        statuses |= {401, 429}
    if row.takes_body:
        statuses |= {413, 415}
    return sorted(statuses)


def response(status: int) -> dict[str, Any]:
    """What an operation says of a status: where it is told."""
    return {"$ref": f"#/components/responses/{status}"}


def responses(schemas: Schemas, max_body: int) -> dict[str, Any]:
    """Every outcome; `max_body` is in bytes."""
    return {
        str(status): {
            "description": outcome.text.format(max_body=max_body),
            "headers": headers(outcome),
            "content": {
                "application/json": {
                    "schema": schemas.of(ValidationProblem if status == 422 else Problem),  # noqa: PLR2004
                }
            },
        }
        for status, outcome in OUTCOMES.items()
    }


def headers(outcome: Outcome) -> dict[str, Any]:
    """The headers of a status, as the document tells them."""
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in outcome.headers.items()}
