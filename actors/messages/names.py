"""What connectors and trading pairs may be called, and which moments may be named: one word, one meaning."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

type ConnectorName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$"),
    Field(description="The connector's name, one of those that `/connectors/` lists", examples=["sandbox"]),
]
type TradingPair = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9.:_$]{1,40}-[A-Za-z0-9.:_$]{1,40}$"),
    Field(
        description="Base and quote asset with a hyphen between them, such as `BTC-USDT`", examples=["BTC-USDT"]
    ),
]
"""Colons and dollar signs are in names of some exchanges."""

MILLISECONDS_FROM = 1e11
"""A larger number of seconds would be after the year 5000, so milliseconds are meant."""

LATEST = 1e15


def seconds_of(given: Any) -> Any:
    """Unix seconds of a moment as clients write it: seconds, milliseconds, or ISO 8601, in UTC if it names no zone.

    What is none of these is given back for the type to refuse. Raises `ValueError` for a text that is no moment.
    """
    if isinstance(given, str):
        try:
            given = float(given)
        except ValueError:
            given = _of_text(given)
    late = isinstance(given, int | float) and MILLISECONDS_FROM <= given < LATEST
    return given / 1000 if late else given


def _of_text(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("neither an ISO 8601 moment, nor Unix seconds or milliseconds") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


type Moment = Annotated[
    float,
    Field(
        ge=0,
        lt=MILLISECONDS_FROM,
        allow_inf_nan=False,
        description="A moment: Unix seconds, Unix milliseconds, or ISO 8601 (UTC if it names no zone)",
        examples=[1790000000],
    ),
    BeforeValidator(seconds_of),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "exclusiveMaximum": LATEST},
                {"type": "string", "format": "date-time"},
            ],
            "description": "A moment: Unix seconds, Unix milliseconds, or ISO 8601 (UTC if it names no zone)",
            "examples": [1790000000],
        },
        mode="validation",
    ),
]
"""Unix seconds, whatever it was sent as."""

type OptionalMoment = Annotated[Moment | None, BeforeValidator(lambda given: None if given == "" else given)]
"""A moment, or no bound."""
