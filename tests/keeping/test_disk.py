"""The watch over the disk, with real files and the free room of a real disk."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aviary.actors.core.system import System
from aviary.actors.keeping.disk import ALARM, Disk, cut
from aviary.config.clock import SystemClock, pause
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec

PATIENCE = 20.0

LOOK = 0.02


@contextmanager
def watched(home: Path, *, low: int) -> Iterator[System]:
    system = System.live()
    child = ChildSpec("disk", lambda: Disk({home: "logs/*.log"}, low=low, log_bytes=100, period=LOOK))
    tree = Tree(system, SupervisorSpec(park=True, children=(child,)))
    try:
        asyncio.run_coroutine_threadsafe(tree.start(), system.kernel.loop).result(PATIENCE)
        yield system
    finally:
        asyncio.run_coroutine_threadsafe(tree.stop(), system.kernel.loop).result(PATIENCE)
        system.shutdown()


def until(look: Callable[[], object]) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + PATIENCE
    while not look():
        assert clock.monotonic() < deadline
        pause(LOOK)


def test_a_disk_with_no_room_is_an_alarm_and_a_degraded_branch(tmp_path: Path) -> None:
    with watched(tmp_path, low=2**62) as system:
        until(lambda: [alarm.name for alarm in system.alarms.standing()] == [ALARM])

        cell = system.cell("disk")
        assert cell is not None
        assert "MB are left" in str(cell.degraded)


def test_a_disk_with_room_is_none(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "a.log"
    log.write_bytes(b"x" * 101)

    with watched(tmp_path, low=1) as system:
        until(lambda: log.stat().st_size == 0)

        assert not system.alarms.standing()


def test_a_log_that_is_being_written_is_cut_and_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old " * 30)

        assert cut(log, 100)

        writer.write(b"new")
    assert log.read_bytes() == b"new"
    assert (tmp_path / "a.log.1").read_bytes() == (b"old " * 30)[-100:]


def test_a_log_within_its_bound_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 100)

    assert not cut(log, 100)
    assert not cut(tmp_path / "none.log", 100)
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]
