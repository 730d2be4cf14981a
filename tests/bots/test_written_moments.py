"""Moments and intervals of the history of controllers: read in every common form, and refused by name in others."""

from typing import Any

import pytest
from aviary.actors.bots.runs import INTERVALS, moment_of
from aviary.actors.messages.bots import GetPerformanceHistory
from pydantic import ValidationError

NOON = 1_700_049_600.0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-11-15T12:00:00+00:00", NOON),
        ("2023-11-15T13:00:00+01:00", NOON),
        ("2023-11-15T12:00:00Z", NOON),
        ("2023-11-15 12:00:00", NOON),
        ("1700049600", NOON),
        ("1700049600.5", NOON + 0.5),
        ("", None),
        (None, None),
    ],
)
def test_a_moment_is_read_in_every_common_form(text: str | None, moment: float | None) -> None:
    query = GetPerformanceHistory(start_time=text, end_time=text, cursor=text)

    assert [moment_of(query.start_time), moment_of(query.end_time), moment_of(query.cursor)] == [moment] * 3


@pytest.mark.parametrize("field", ["start_time", "end_time", "cursor"])
@pytest.mark.parametrize("text", ["yesterday", "nan", "inf", "-1", "1e300", "2023-13-01", "0:", "x" * 200])
def test_what_is_no_moment_is_refused_by_name(field: str, text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        GetPerformanceHistory.model_validate({field: text})

    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


@pytest.mark.parametrize("interval", ["7m", "", "1M", "5", None])
def test_an_unknown_interval_is_refused_by_name(interval: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        GetPerformanceHistory.model_validate({"interval": interval})

    assert [error["loc"] for error in refused.value.errors()] == [("interval",)]


def test_every_interval_that_is_taken_has_a_length() -> None:
    assert [GetPerformanceHistory.model_validate({"interval": name}).interval for name in INTERVALS] == list(INTERVALS)
