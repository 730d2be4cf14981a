"""Which failures of a start may heal by themselves, and what is kept of errors."""

import logging
from typing import Any

import aiohttp
import pytest
from aviary.actors.engine.bots.errors import KEPT, Errors, time_heals
from pydantic import BaseModel, ValidationError


class Model(BaseModel):
    size: int


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"size": "many"})
    return caught.value


def caused(by: Exception) -> Exception:
    error = RuntimeError("it did not start")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "heals"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (aiohttp.ClientError(), True),
        (OSError(28, "no space"), True),
        (caused(aiohttp.ClientError()), True),
        (MemoryError(), True),
        (FileNotFoundError("conf/scripts/x.yml"), False),
        (caused(FileNotFoundError("x")), False),
        (KeyError("BBP"), False),
        (ImportError("nothing_of_this_name"), False),
        (SyntaxError("x"), False),
        (RuntimeError("No active exception to reraise"), False),
        (invalid(), False),
        (None, False),
    ],
    ids=repr,
)
def test_what_the_world_did_heals_and_what_is_written_does_not(error: Exception | None, heals: bool) -> None:
    assert time_heals(error) is heals


def test_a_chain_that_bites_its_tail_has_an_end() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first

    assert time_heals(first) is False


def entries(*calls: Any) -> tuple[Errors, list[dict[str, Any]]]:
    errors = Errors()
    parent, logger = logging.getLogger("test-errors"), logging.getLogger("test-errors.child")
    for one in (parent, logger):
        one.addHandler(errors)
    for call in calls:
        call(logger)
    for one in (parent, logger):
        one.removeHandler(errors)
    return errors, errors.entries()


def test_the_error_at_hand_is_remembered_with_its_trace_once() -> None:
    def fail(logger: logging.Logger) -> None:
        try:
            raise KeyError("BBP_20_2.0")
        except KeyError:
            logger.exception("it failed")

    errors, kept = entries(
        fail, lambda logger: logger.error("Failed to start strategy"), lambda logger: logger.info("x")
    )

    assert errors.text == "it failed"
    assert isinstance(errors.error, KeyError)
    assert [entry["count"] for entry in kept] == [1]
    assert "BBP_20_2.0" in kept[0]["msg"]
    assert kept[0]["level_no"] == logging.ERROR


def test_equal_errors_are_one_and_only_the_newest_are_kept() -> None:
    many = [lambda logger, n=n: logger.error("error %d", n) for n in range(KEPT + 5)]

    _, kept = entries(*many, many[-1], many[-1])

    assert len(kept) == KEPT
    assert (kept[-1]["msg"], kept[-1]["count"]) == (f"error {KEPT + 4}", 3)
    assert kept[0]["msg"] == "error 5"
