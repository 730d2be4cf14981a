"""What an exchange's answer means."""

import aiohttp
import pytest
from aviary.actors.engine.exchanges.outcomes import OutcomeUnknown, definite_no, error_text, plain_words
from hypothesis import given
from hypothesis import strategies as st

URL = "https://api.example.com/api/v3/order"


def answered(status: int, body: str) -> OSError:
    """An error as hummingbot's REST assistant raises it."""
    return OSError(f"Error executing request POST {URL}. HTTP status is {status}. Error: {body}")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, '{"code": -2010, "msg": "Account has insufficient balance."}', "Account has insufficient balance."),
        (400, '{"code": -1013, "msg": "Filter failure: LOT_SIZE"}', "Filter failure: LOT_SIZE"),
        (401, '{"code": -2015, "msg": "Invalid API-key."}', "Invalid API-key."),
        (422, '{"message": "size too small"}', "size too small"),
        (404, "[1, 2]", "[1, 2]"),
    ],
)
def test_a_request_that_was_understood_and_turned_down_is_a_definite_no(
    status: int, body: str, words: str
) -> None:
    assert definite_no(answered(status, body)) == words


@pytest.mark.parametrize(
    "error",
    [
        answered(500, '{"code": -1000, "msg": "unknown"}'),
        answered(502, "Bad Gateway"),
        answered(403, "N/A"),
        answered(503, '{"code": -2010, "msg": "even with such a code"}'),
        answered(429, '{"code": -1003, "msg": "Too many requests"}'),
        answered(418, '{"code": -1003, "msg": "banned"}'),
        answered(408, '{"code": -1007, "msg": "Timeout waiting for response"}'),
        answered(400, '{"code": -1006, "msg": "execution status unknown"}'),
        answered(400, '{"code": -1021, "msg": "Timestamp for this request"}'),
        TimeoutError(),
        ConnectionResetError(104, "Connection reset by peer"),
        aiohttp.ServerDisconnectedError(),
        OutcomeUnknown("overloaded"),
        ValueError("Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_whatever_does_not_say_no_is_not_taken_for_one(error: Exception) -> None:
    assert definite_no(error) is None


@given(st.text(max_size=200))
def test_no_wording_of_an_error_crashes_the_judgement(text: str) -> None:
    error = OSError(text)

    assert definite_no(error) is None or "HTTP status is 4" in text
    assert isinstance(error_text(error), str)


def test_a_failure_is_told_without_the_signature_in_its_address() -> None:
    error = OSError(f"Cannot connect to {URL}?timestamp=1&signature=abcdef today")

    assert "signature" not in error_text(error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{'code': -4068, 'msg': 'Position side cannot be changed.'}", "Position side cannot be changed."),
        ("It says no.", "It says no."),
        ("{'code': -1}", "{'code': -1}"),
        ("[1]", "[1]"),
        ("", ""),
    ],
)
def test_an_answer_that_is_handed_on_as_text_is_told_in_words(text: str, words: str) -> None:
    assert plain_words(text) == words
