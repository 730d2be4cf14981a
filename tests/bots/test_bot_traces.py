"""Why a bot's process ended, from what it left."""

from pathlib import Path

import pytest
from aviary.actors.bots.traces import BotTraces

TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    b()\n'


def traces(folder: Path, log: str) -> BotTraces:
    (folder / "logs").mkdir()
    (folder / "logs" / "process.log").write_text(log)
    return BotTraces(folder)


@pytest.mark.parametrize("log", ["", "12:00 INFO rate limits are fine\n", "12:00 ERROR an error long ago\n12:01 ok\n"])
def test_an_unrelated_line_is_no_reason_for_an_end_that_nobody_was_told_of(tmp_path: Path, log: str) -> None:
    told = traces(tmp_path, log).exit_reason(None)

    assert told.startswith("ended; how is not known")
    assert not [line for line in log.splitlines() if line in told]


@pytest.mark.parametrize("error", ["ValueError: no roof", "asyncio.exceptions.TimeoutError", "KeyboardInterrupt"])
def test_an_error_at_the_end_is_a_reason_also_for_such_an_end(tmp_path: Path, error: str) -> None:
    told = traces(tmp_path, f"{TRACEBACK}{error}\n").exit_reason(None)

    assert told.startswith(f"ended; its last words: {error}")


def test_an_exit_code_is_told_with_the_last_words_and_a_signal_without(tmp_path: Path) -> None:
    left = traces(tmp_path, "12:00 INFO out of memory soon\n")

    assert left.exit_reason(3) == "ended with code 3; its last words: 12:00 INFO out of memory soon"
    assert left.exit_reason(-9) == "was killed by signal 9"
