import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aviary.commands.client import NotRunning
from aviary.commands.stop import running_bots, stop_process
from aviary.config.settings import Settings


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us, in a bot's folder."""
    folder = tmp_path / "bots" / "instances" / "mm-1"
    folder.mkdir(parents=True)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd=folder)
    yield process
    process.communicate(b"\n", timeout=30)


def test_whoever_has_the_pid_of_a_dead_server_is_left_alone(
    tmp_path: Path, bystander: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(NotRunning):
        stop_process(bystander.pid, tmp_path / "server.lock")

    assert bystander.poll() is None


def test_a_bot_is_known_by_its_folder(tmp_path: Path, bystander: subprocess.Popen[bytes]) -> None:
    assert bystander.poll() is None

    assert running_bots(Settings.model_validate({"aviary_home": tmp_path})) == ("mm-1",)
    assert running_bots(Settings.model_validate({"aviary_home": tmp_path / "elsewhere"})) == ()
