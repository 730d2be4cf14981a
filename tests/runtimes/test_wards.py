"""Processes that end with their server, be it that it was killed and they were stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from aviary.actors.core.ports.process import ChildProcess
from aviary.actors.runtimes.wards import Wards


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    yield process
    process.kill()
    process.wait()


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_what_a_killed_server_left_is_ended_by_the_next_one_although_it_is_stopped(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    await Wards(tmp_path / "wards").note(ChildProcess.of(sleeper.pid))
    os.kill(sleeper.pid, signal.SIGSTOP)

    assert Wards(tmp_path / "wards").end_all() == 1

    assert sleeper.wait(20) == -signal.SIGKILL
    assert names(tmp_path / "wards") == []


def test_another_process_with_the_same_number_is_left_alone(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    wards = Wards(tmp_path)
    (tmp_path / "1.json").write_bytes(orjson.dumps({"pid": sleeper.pid, "birth": "another boot"}))

    assert wards.end_all() == 0

    assert sleeper.poll() is None
    assert names(tmp_path) == []


async def test_notes_about_those_that_have_ended_do_not_pile_up(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    wards = Wards(tmp_path)
    for number in range(5):
        (tmp_path / f"{number}.json").write_bytes(orjson.dumps({"pid": sleeper.pid, "birth": f"boot {number}"}))

    await wards.note(ChildProcess.of(sleeper.pid))

    assert names(tmp_path) == [f"{sleeper.pid}.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "birth": "y"}'])
def test_a_damaged_note_is_passed_over(text: str, tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text(text)

    assert Wards(tmp_path).end_all() == 0


async def test_without_room_for_the_note_the_process_goes_on(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    await Wards(tmp_path / "file" / "wards").note(ChildProcess.of(sleeper.pid))

    assert sleeper.poll() is None
