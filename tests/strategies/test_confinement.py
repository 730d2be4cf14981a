"""What uploaded code can do while it is only looked into: nothing to anybody else."""

import asyncio
import multiprocessing
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aviary.actors.engine.processes.launch import Job, launch
from aviary.actors.engine.processes.launch import OnSpawn as OnProcessSpawn
from aviary.actors.engine.strategies.confinement import confine
from aviary.actors.strategies.inspector import Inspector

SPY = """
import json, os, signal, socket, subprocess, tempfile
from pathlib import Path
from hummingbot.client.config.config_data_types import BaseClientModel

def tried(work):
    try:
        return str(work())
    except BaseException as error:
        return type(error).__name__

def connected():
    with socket.create_connection(("127.0.0.1", {port}), timeout=5):
        return "connected"

class SpyConfig(BaseClientModel):
    secret: str = tried(lambda: Path({secret!r}).read_text())
    listing: str = tried(lambda: sorted(os.listdir({home!r})))
    written: str = tried(lambda: Path({home!r}, "written").write_text("x"))
    library: str = tried(lambda: Path({library!r}, "new.py").write_text("x"))
    network: str = tried(connected)
    parent: str = tried(lambda: Path(f"/proc/{server}/environ").read_bytes())
    killed: str = tried(lambda: os.kill({server}, 0))
    password: str = tried(lambda: os.environ["PASSWORD"])
    own_folder: str = tried(lambda: Path("mine").write_text("x"))
    temporary: str = tried(lambda: tempfile.mkstemp() and "made")
    big: str = tried(lambda: Path("big").write_bytes(b"x" * (65 << 20)))
    memory: str = tried(lambda: len(bytearray(5 << 30)))
    run: str = tried(lambda: subprocess.run(["cat", {secret!r}], capture_output=True).stdout)
"""


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def start(job: Job, _: OnProcessSpawn | None) -> Any:
    return await launch(None, job)


def given_up(folder: Path) -> frozenset[str]:
    """What this platform lets a process give up, found out by a process that does."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(confine, (folder, []))


async def test_code_that_is_looked_into_reads_no_secret_and_reaches_nobody(
    tmp_path: Path, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "hunter2")
    home, library = tmp_path / "home", tmp_path / "library"
    (library / "scripts").mkdir(parents=True)
    (library / "controllers").mkdir()
    home.mkdir()
    secret = home / "key.yml"
    secret.write_text("hunter2")
    (library / "scripts" / "spy.py").write_text(
        SPY.replace("{port}", str(listening))
        .replace("{secret!r}", repr(str(secret)))
        .replace("{home!r}", repr(str(home)))
        .replace("{library!r}", repr(str(library / "scripts")))
        .replace("{server}", str(os.getpid()))
    )
    possible = await asyncio.to_thread(given_up, tmp_path / "library")

    fields = await Inspector(start).fields(library, "scripts.spy", "missing")
    found = {name: field["default"] for name, field in fields.items()}

    assert found["password"] == "KeyError"
    assert (found["own_folder"], found["temporary"]) == ("1", "made")
    assert (found["big"], found["memory"]) == ("OSError", "MemoryError")
    if "network" in possible:
        assert found["network"] in {"OSError", "PermissionError"}
    if "files" in possible:
        kept = {"secret", "listing", "written", "library", "parent", "killed"}
        assert {found[name] for name in kept} <= {"PermissionError", "ProcessLookupError"}
        assert found["run"] == "b''"
        assert "hunter2" not in str(found)
    assert [path.name for path in home.iterdir()] == ["key.yml"]
