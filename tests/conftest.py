"""What every test shares: in continuous integration a skipped test is a failure, unless explained here."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from aviary.persistence.database import open_database
from ports import free_port

SKIPS_ALLOWED: dict[str, str] = {}
"""Node id prefix → why it may be skipped in continuous integration."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "whole: starts real processes; slower than a second")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") and not any(item.nodeid.startswith(p) for p in SKIPS_ALLOWED):
        report.outcome = "failed"
        report.longrepr = f"skipped in continuous integration: {report.longrepr}"
    return None


def find_postgresql() -> Path | None:
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def as_postgres(*words: str) -> list[str]:
    # initdb and postgres refuse to run as root.
    return ["runuser", "-u", "postgres", "--", *words] if os.geteuid() == 0 else list(words)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL, without a database, of a cluster that is there for all tests."""
    programs = find_postgresql()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed: run .ci/services")
        pytest.skip("PostgreSQL is not installed: run .ci/services")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    folder.chmod(0o777)
    data = folder / "data"
    port = free_port()
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


@pytest.fixture
def postgresql_url(postgresql_server: str, tmp_path: Path) -> str:
    """The URL of an empty PostgreSQL database that is this test's alone."""
    name = f"t{uuid.uuid4().hex}"
    admin = open_database(f"{postgresql_server}/postgres", tmp_path)
    admin.connect()
    admin.connection().autocommit = True
    admin.execute_sql(f"CREATE DATABASE {name}")
    admin.close()
    return f"{postgresql_server}/{name}"
