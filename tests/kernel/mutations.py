"""Changes the kernel in small, mean ways, one at a time, and looks whether a test of `tests/kernel` notices.

`python tests/kernel/mutations.py [WORD…]` tries the changes of `mutants.py` whose file or promise has one of the words
in it, by default all. Each is made in a copy of the tree. It fails if one is not noticed that is not marked as
equivalent, or if one is noticed that is.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "data", "build")

COPIES = 2
"""Changes that are tried at the same time."""

TEST_LIMIT = 30
"""Seconds a single test may take; a change that makes one hang is noticed too."""

LIMIT = 600.0
"""Seconds all tests may take."""

LAST = ("test_threads.py", "test_supervisor_model.py", "test_simulation_of_faults.py")
"""The slow ones. Most changes are noticed before."""

LEFT_OUT = ("test_house_rules.py", "test_duties.py")
"""Looks at the syntax, which a change leaves as it should be."""

FATAL = Mutant("actors/core/life.py", "anything works at all", "self.alive = True", "self.alive = False")
"""A change that every test must notice: if it is not noticed, the tests run on another tree than the copy."""

FIRST_FAILURE = re.compile(r"^(?:FAILED|ERROR) ((?:tests/|time).+?)(?: - |$)", re.MULTILINE)


class Copy:
    """A copy of the tree, and the tests on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT, folder, symlinks=True, ignore=NOT_COPIED)
        tests = {path.name for path in (folder / "tests" / "kernel").glob("test_*.py")} - {*LAST, *LEFT_OUT}
        self._tests = [f"tests/kernel/{name}" for name in (*sorted(tests), *LAST)]
        self._environment = {**os.environ, "PYTHONPATH": str(folder / ".types")}
        found = self._python("-c", "import aviary.actors.core.life as life; print(life.__file__)").stdout
        if not Path(found.strip()).resolve().is_relative_to(folder):
            raise RuntimeError(f"the tests would run on {found.strip()}")

    def _python(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output, _ = process.communicate()
                output += "\nFAILED time-limit"
        return subprocess.CompletedProcess(command, process.returncode, output)

    def first_failure(self) -> str | None:
        """The first test that fails, `None` if all pass."""
        limits = ["-o", f"timeout={TEST_LIMIT}", "-p", "no:randomly", "-p", "no:cacheprovider"]
        done = self._python("-m", "pytest", "-x", "-q", *limits, *self._tests)
        if done.returncode == 0:
            return None
        found = FIRST_FAILURE.search(done.stdout)
        return found[1].removeprefix("tests/kernel/") if found else f"exit {done.returncode}: {done.stdout[-300:]}"

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """The copy with one change."""
        path = self.folder / mutant.file
        original = path.read_text(encoding="utf-8")
        try:
            self._write(path, original.replace(mutant.old, mutant.new))
            yield
        finally:
            self._write(path, original)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        # Python looks at size and second only to see whether a file was changed.
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def checked(mutants: tuple[Mutant, ...]) -> tuple[Mutant, ...]:
    """The changes, if each can be made at one place exactly."""
    for mutant in mutants:
        found = (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old)
        if found != 1 or mutant.old == mutant.new:
            raise SystemExit(f"{mutant}: found {found} times, or no change")
    return mutants


def verdict(mutant: Mutant, failure: str | None) -> str:
    """What the outcome says of a change."""
    if failure is None:
        return "equivalent" if mutant.equivalent else "SURVIVED"
    return "MARKED EQUIVALENT, BUT KILLED" if mutant.equivalent else "killed"


def main(words: list[str]) -> int:
    """Try the changes; 0 if everything that matters is noticed."""
    chosen = checked(
        tuple(m for m in MUTANTS if not words or any(word in f"{m.file} {m.promise}" for word in words))
    )
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(COPIES) as pool:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for n in range(COPIES):
            copies.put(Copy(Path(folder).resolve() / str(n)))

        def attempt(mutant: Mutant | None) -> str | None:
            copy = copies.get()
            try:
                if mutant is None:
                    return copy.first_failure()
                with copy.changed(mutant):
                    return copy.first_failure()
            finally:
                copies.put(copy)

        unchanged, fatal = pool.map(attempt, (None, *checked((FATAL,))))
        if unchanged is not None or fatal is None:
            print(f"The tests can't tell: unchanged {unchanged or 'passes'}, fatally changed {fatal or 'passes'}")
            return 2
        for mutant, failure in zip(chosen, pool.map(attempt, chosen), strict=True):
            word = verdict(mutant, failure)
            counts[word] += 1
            why = mutant.equivalent or failure or ""
            print(f"{word:10} {mutant.file}: {mutant.promise}{f'  ({why})' if why else ''}", flush=True)
    print(f"tried {len(chosen)}: " + ", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    return 0 if set(counts) <= {"killed", "equivalent"} else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
