"""The text of a crash is the one that Python gives, however often the same lines crash."""

import traceback
from collections.abc import Callable

import pytest
from aviary.actors.core import tracebacks
from aviary.actors.core.events import MAX_DETAIL
from aviary.actors.core.tracebacks import traceback_of


def plain() -> None:
    raise ValueError("first line\nsecond line")


def caused() -> None:
    try:
        plain()
    except ValueError as error:
        raise KeyError("k") from error


def in_context() -> None:
    try:
        caused()
    except KeyError:
        {}["missing"]


def without_context() -> None:
    try:
        plain()
    except ValueError:
        raise RuntimeError from None


def a_cause_of_itself() -> None:
    try:
        caused()
    except KeyError as error:
        assert error.__cause__ is not None
        error.__cause__.__cause__ = error
        raise


def a_cause_that_was_seen_and_a_context() -> None:
    try:
        caused()
    except KeyError as error:
        cause = error.__cause__
        assert cause is not None
        cause.__cause__, cause.__context__, cause.__suppress_context__ = error, OSError(1, "no"), False
        raise


def noted() -> None:
    error = TypeError()
    error.add_note("a note")
    raise error


def grouped() -> None:
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")]) from OSError("down")


def led_to_by_a_group() -> None:
    try:
        grouped()
    except ExceptionGroup as error:
        raise ValueError("out of a group") from error


def a_wrong_name() -> None:
    value = 1
    print(valu + value)  # type: ignore[name-defined]  # noqa: F821


def a_wrong_attribute() -> None:
    "".uper()  # type: ignore[attr-defined]


def not_python() -> None:
    compile("a b", "somewhere", "exec")


def endless() -> None:
    endless()


def failure_of(work: Callable[[], object]) -> BaseException:
    try:
        work()
    except BaseException as error:
        return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize(
    "work",
    [
        plain,
        caused,
        in_context,
        without_context,
        a_cause_of_itself,
        a_cause_that_was_seen_and_a_context,
        noted,
        grouped,
        led_to_by_a_group,
        a_wrong_name,
        a_wrong_attribute,
        not_python,
        endless,
    ],
)
def test_it_is_what_python_says(work: Callable[[], object]) -> None:
    for _ in range(2):
        error = failure_of(work)

        assert traceback_of(error) == "".join(traceback.format_exception(error))


def test_it_is_what_python_says_of_an_error_that_was_never_raised() -> None:
    assert traceback_of(ValueError("x")) == "ValueError: x\n"


def test_the_same_lines_may_fail_of_different_errors() -> None:
    def fail(error: Exception) -> None:
        raise error

    texts = [traceback_of(failure_of(lambda error=error: fail(error))) for error in (ValueError(1), KeyError(2))]

    assert [text.splitlines()[-1] for text in texts] == ["ValueError: 1", "KeyError: 2"]


def test_lines_of_one_function_are_told_apart() -> None:
    def fail(*, early: bool) -> None:
        if early:
            raise ValueError("same")
        raise ValueError("same")

    early, late = (traceback_of(failure_of(lambda early=early: fail(early=early))) for early in (True, False))

    assert early != late


def test_what_is_kept_for_the_next_crash_is_bounded() -> None:
    for n in range(tracebacks.PLACES + 10):
        code = compile(f"raise ValueError({n})", f"generated {n}", "exec")
        traceback_of(failure_of(lambda code=code: exec(code)))

        assert len(tracebacks._texts) <= tracebacks.PLACES


def test_an_error_of_which_no_text_can_be_had_is_no_error_of_ours() -> None:
    class Mute(Exception):
        @property
        def __cause__(self) -> BaseException | None:  # type: ignore[override]
            raise RuntimeError("no")

    assert traceback_of(Mute("loud")) == "Mute: loud\n(its traceback can't be had: RuntimeError: no)"


def test_it_is_bounded() -> None:
    assert len(traceback_of(ValueError("x" * 10 * MAX_DETAIL))) <= MAX_DETAIL
