"""A SQLite database, and a real PostgreSQL cluster in a folder of the tests."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest
from aviary.config.clock import FakeClock
from aviary.persistence.database import open_database
from aviary.persistence.migrations import migrate
from aviary.persistence.repositories import Repositories


def find_postgresql() -> Path | None:
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def as_postgres(*words: str) -> list[str]:
    # initdb and postgres refuse to run as root.
    return ["runuser", "-u", "postgres", "--", *words] if os.geteuid() == 0 else list(words)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    programs = find_postgresql()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed: run .ci/services")
        pytest.skip("PostgreSQL is not installed: run .ci/services")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    folder.chmod(0o777)
    data = folder / "data"
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    initdb = [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "aviary", "--no-sync"]
    subprocess.run(as_postgres(*initdb), check=True, capture_output=True)
    control = str(programs / "pg_ctl")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    start = [control, "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start"]
    subprocess.run(as_postgres(*start), check=True, capture_output=True)
    yield f"postgresql://aviary@127.0.0.1:{port}"
    subprocess.run(
        as_postgres(control, "-D", str(data), "-m", "immediate", "stop"), check=True, capture_output=True
    )
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a.sqlite'}"
    server = request.getfixturevalue("postgresql_url")
    name = f"t{abs(hash(request.node.nodeid)) % 10**12}"
    admin = open_database(f"{server}/postgres", tmp_path)
    admin.connect()
    admin.connection().autocommit = True
    admin.execute_sql(f'DROP DATABASE IF EXISTS "{name}"')
    admin.execute_sql(f'CREATE DATABASE "{name}"')
    admin.close()
    return f"{server}/{name}"


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[peewee.Database]:
    opened = open_database(database_url, tmp_path / "unused.sqlite")
    opened.connect()
    migrate(opened, FakeClock())
    yield opened
    opened.close()


@pytest.fixture
def records(database: peewee.Database) -> Repositories:
    return Repositories(database)
