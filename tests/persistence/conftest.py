"""A SQLite and a PostgreSQL database, each empty, and what is kept in them."""

from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest
from aviary.config.clock import FakeClock
from aviary.persistence.database import open_database
from aviary.persistence.migrations import migrate
from aviary.persistence.repositories import Repositories


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a.sqlite'}"
    return str(request.getfixturevalue("postgresql_url"))


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
