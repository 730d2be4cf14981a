"""Moments as clients write them."""

import math
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

LATEST = 253_402_300_799.0
"""The last second of the year 9999, as Unix time: later ones can't be written as ISO moments."""


def unix_seconds(text: str) -> float:
    """Unix seconds of an ISO moment or of a number of seconds; `ValueError` if it is neither."""
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if not math.isfinite(seconds) or not 0 <= seconds <= LATEST:
            raise ValueError("Input should be a moment between 1970 and 9999")
        return seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("Input should be an ISO 8601 moment, or Unix seconds") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _checked(text: str) -> str:
    if text:
        unix_seconds(text)
    return text


type WrittenMoment = Annotated[str, Field(max_length=100), AfterValidator(_checked)]
"""An ISO 8601 moment, or Unix seconds as text; an empty one means none."""
