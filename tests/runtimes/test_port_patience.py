"""What counts as a process's own time: not what it waits for a processor, nor what everybody stood still."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from aviary.actors.core.ports.patience import LATE, Missed, OwnTime, in_own_time, waited
from aviary.config.clock import FakeClock, SystemClock, pause

PATIENCE = 30.0

BUSY = "while True: pass"

ASLEEP = "import signal; signal.pause()"


@contextmanager
def running(code: str, *, on: int | None = None) -> Iterator[int]:
    """A Python process that does nothing else, perhaps bound to one processor; its id."""
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        if on is not None:
            os.sched_setaffinity(process.pid, {on})
        yield process.pid
    finally:
        process.kill()
        process.wait()


def until(look: Callable[[], bool]) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + PATIENCE
    while not look():
        assert clock.monotonic() < deadline
        pause(0.02)


def until_asleep(pid: int) -> None:
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_SLEEPING)


def test_a_process_that_sleeps_has_all_the_time_for_itself() -> None:
    clock = SystemClock()
    with running(ASLEEP) as pid:
        until_asleep(pid)
        own = OwnTime(pid, clock, look=PATIENCE)
        begun, turn = clock.monotonic(), waited(pid)
        pause(0.3)
        passed = clock.monotonic() - begun

        assert own.add() >= passed - (waited(pid) - turn)


def test_what_a_process_waits_for_its_turn_does_not_count() -> None:
    processor = min(os.sched_getaffinity(0))
    with running(BUSY, on=processor) as pid, running(BUSY, on=processor), running(BUSY, on=processor):
        own = OwnTime(pid, SystemClock(), look=PATIENCE)
        begun = waited(pid)
        until(lambda: waited(pid) - begun > 1.0)

        own.add()

        assert own.seconds <= own.passed - 1.0


def test_a_pause_of_everybody_counts_as_no_more_than_a_late_look() -> None:
    clock = FakeClock()
    own = OwnTime(os.getpid(), clock, look=0.25)

    clock.advance(3600.0)

    assert own.add() <= 0.25 * LATE


def test_looks_add_up_until_it_begins_anew() -> None:
    clock = FakeClock()
    with running(ASLEEP) as pid:
        until_asleep(pid)
        own = OwnTime(pid, clock, look=1.0)
        for _ in range(4):
            clock.advance(1.0)
            own.add()
        assert own.seconds == pytest.approx(4.0, abs=1.0)

        own.begin()

        assert own.seconds == 0.0


async def test_what_hangs_is_given_up_in_its_own_time_and_what_comes_is_passed_on() -> None:
    with running(ASLEEP) as pid:
        owed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await in_own_time(owed, OwnTime(pid, SystemClock()), 0.1, PATIENCE)

        asyncio.get_running_loop().call_later(0.05, owed.set_result, "here")
        assert await in_own_time(owed, OwnTime(pid, SystemClock()), PATIENCE, PATIENCE) == "here"


async def test_a_process_that_never_gets_a_turn_is_given_up_too_in_the_end() -> None:
    with running(ASLEEP) as pid:
        owed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await in_own_time(owed, OwnTime(pid, SystemClock()), PATIENCE, 0.1)


def test_missed_answers_count_by_the_time_there_was_for_them() -> None:
    with running(ASLEEP) as pid:
        os.kill(pid, signal.SIGSTOP)
        clock = SystemClock()
        missed = Missed(pid, clock, 0.2)
        for _ in range(3):
            missed.begin()
            pause(0.2)
            missed.note(answered=False)
        assert 0.0 < missed.answers <= 3.0

        missed.note(answered=True)

        assert missed.answers == 0.0


def test_an_answer_missed_by_one_without_a_processor_counts_less() -> None:
    processor = min(os.sched_getaffinity(0))
    with running(BUSY, on=processor) as pid, running(BUSY, on=processor), running(BUSY, on=processor):
        at = SystemClock().monotonic()
        missed = Missed(pid, SystemClock(), PATIENCE)
        missed.begin()
        begun = waited(pid)
        until(lambda: waited(pid) - begun > 1.0)
        missed.note(answered=False)

        assert missed.answers <= 1.0 - 1.0 / (SystemClock().monotonic() - at)
