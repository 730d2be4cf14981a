"""One whole server for each module."""

from collections.abc import Iterator

import pytest
from whole_server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is up and ready."""
    server = Server(tmp_path_factory.mktemp("whole"))
    server.start()
    server.until("every branch runs", server.ready)
    yield server
    server.end()
