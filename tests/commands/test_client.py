from pathlib import Path

import orjson
import pytest
from aviary.commands.client import Client, NotRunning, client_of
from aviary.config.layout import Layout
from aviary.config.settings import Settings


def test_without_a_record_there_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="no server runs"):
        client_of(Settings.model_validate({"aviary_home": tmp_path}))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8123"),
        ("::", "http://[::1]:8123"),
        ("::1", "http://[::1]:8123"),
        ("10.1.2.3", "http://10.1.2.3:8123"),
    ],
)
def test_a_server_is_reached_where_it_listens(tmp_path: Path, host: str, url: str) -> None:
    layout = Layout(tmp_path)
    layout.run.mkdir()
    layout.server_record.write_bytes(orjson.dumps({"pid": 7, "host": host, "port": 8123}))

    client, pid = client_of(Settings.model_validate({"aviary_home": tmp_path, "password": "x"}))

    assert (client.url, pid) == (url, 7)


def test_a_server_that_does_not_answer_is_said_so() -> None:
    with pytest.raises(NotRunning, match="no server answers"):
        Client("http://127.0.0.1:1", "a", "b").call("GET", "/")
