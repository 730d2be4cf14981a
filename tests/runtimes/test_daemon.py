import asyncio
import os
import signal
import sys
from pathlib import Path

import orjson
import psutil
import pytest
from aviary.actors.runtimes.daemon import Daemon, find_daemon, start_daemon
from processes import processes_in

SLEEPER = [sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True)\n"
        "while True: signal.pause()"
    ),
]


async def started(folder: Path, argv: list[str]) -> Daemon:
    log = folder / "log"
    daemon = start_daemon(
        argv, folder=folder, log=log, environment=dict(os.environ), record=folder / "daemon.json"
    )
    async with asyncio.timeout(10):
        while b"ready" not in log.read_bytes():
            await asyncio.sleep(0.01)
    return daemon


async def test_a_daemon_is_found_again_by_its_record(tmp_path: Path) -> None:
    daemon = await started(tmp_path, SLEEPER)

    assert find_daemon(tmp_path / "daemon.json") == daemon
    await daemon.terminate()
    assert find_daemon(tmp_path / "daemon.json") is None


async def test_a_daemon_has_a_session_of_its_own(tmp_path: Path) -> None:
    daemon = await started(tmp_path, SLEEPER)

    assert os.getsid(daemon.pid) == daemon.pid != os.getsid(0)
    await daemon.terminate()


async def test_its_end_is_noticed(tmp_path: Path) -> None:
    daemon = await started(tmp_path, SLEEPER)
    watch = asyncio.ensure_future(daemon.exited())
    await asyncio.sleep(0)
    assert not watch.done()

    os.kill(daemon.pid, signal.SIGKILL)

    async with asyncio.timeout(5):
        await watch
    assert not daemon.is_alive()


async def test_one_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    daemon = await started(tmp_path, STUBBORN)

    await daemon.terminate(timeout=0.2)

    assert not daemon.is_alive()


async def test_a_step_of_the_machine_s_clock_does_not_make_it_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = await started(tmp_path, SLEEPER)

    # Linux derives the moment of boot from the clock, and psutil a process's time of creation from that.
    booted = psutil.boot_time()
    with monkeypatch.context() as stepped:
        stepped.setattr("psutil._pslinux.boot_time", lambda: booted + 3600)
        found, alive = find_daemon(tmp_path / "daemon.json"), daemon.is_alive()

    await daemon.terminate()
    assert alive
    assert found == daemon


async def test_another_process_with_the_same_number_is_not_taken_for_it(tmp_path: Path) -> None:
    record = tmp_path / "daemon.json"
    record.write_bytes(orjson.dumps({"pid": os.getpid(), "birth": "another"}))

    assert find_daemon(record) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "birth": "y"}'])
def test_a_damaged_record_means_that_there_is_none(text: str, tmp_path: Path) -> None:
    record = tmp_path / "daemon.json"
    record.write_text(text)

    assert find_daemon(record) is None


def test_a_process_that_could_not_be_noted_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FileExistsError):
        start_daemon(
            SLEEPER, folder=tmp_path, log=tmp_path / "log", environment={}, record=tmp_path / "file" / "record"
        )

    assert processes_in(tmp_path) == []
