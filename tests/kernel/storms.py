"""Tries seeds of the storms, one after the other, and tells which failed: `python tests/kernel/storms.py SEEDS [FIRST]`.

So many simulated seeds from `FIRST` (0), then one threaded seed for every `SIMULATED_FOR_A_THREADED` of them.
"""

import faulthandler
import gc
import sys
import traceback
from collections.abc import Callable

from storm_of_faults import storm
from storm_of_threads import thread_storm

SIMULATED_FOR_A_THREADED = 50

MESSAGES = 1_000
"""What each producer of a threaded storm sends."""

LIMIT = 600
"""Seconds for one seed; beyond, every thread's stack is printed and the process ends."""

OFTEN = 100
"""Seeds between two signs of life."""


def simulated(seed: int) -> None:
    with storm(seed) as blowing:
        blowing.run()


def threaded(seed: int) -> None:
    with thread_storm(seed) as blowing:
        blowing.run(MESSAGES)


def failure_of(blow: Callable[[int], None], seed: int) -> str | None:
    """What was wrong, and where; `None` if nothing."""
    print(f"seed {seed}", end="\r", flush=True)
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    try:
        blow(seed)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {where.name}:{where.lineno}: {error!s:.600}"
    finally:
        faulthandler.cancel_dump_traceback_later()
        # What a failed one leaves behind must not end within the next.
        gc.collect()
    return None


def tried(what: str, blow: Callable[[int], None], seeds: range) -> int:
    """How many of the seeds failed."""
    failures = 0
    for done, seed in enumerate(seeds, 1):
        if (failure := failure_of(blow, seed)) is not None:
            failures += 1
            print(f"{what} seed {seed}: {failure}", flush=True)
        if done % OFTEN == 0 or done == len(seeds):
            print(f"{what}: {done} of {len(seeds)} seeds, {failures} failures", flush=True)
    return failures


def main(words: list[str]) -> int:
    """Try the seeds; 0 if none failed."""
    count, first = int(words[0]), int(words[1]) if len(words) > 1 else 0
    failures = tried("simulated", simulated, range(first, first + count))
    threads = max(1, count // SIMULATED_FOR_A_THREADED)
    return 1 if failures + tried("threaded", threaded, range(first, first + threads)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
