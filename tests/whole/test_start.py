import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from aviary.commands.client import Client, Refused
from whole_server import ENTRY, Server


def test_the_first_run_tells_how_to_log_in_and_keeps_it_private(tmp_path: Path) -> None:
    environment = {
        **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"}},
        "AVIARY_HOME": str(tmp_path / "data"),
        "PORT": "0",
        "SANDBOX": "false",
        "TEMPLATE": "false",
        "BROKER_HOST": "127.0.0.1",
        "BROKER_PORT": "1",
    }
    process = subprocess.Popen(
        [sys.executable, str(ENTRY), "run"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "serving on" in line:
            break
    process.terminate()
    said += process.stdout.read()
    process.stdout.close()
    code = process.wait(60)

    env_file = tmp_path / ".env"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    password = re.search(r"^PASSWORD=(.+)$", env_file.read_text(), re.MULTILINE)
    assert password is not None
    assert said.count(password[1]) == 1
    assert code == 0


def test_every_branch_comes_up_and_says_so(server: Server) -> None:
    state = server.call("GET", "/health/ready")

    assert state["status"] == "ready"
    assert {branch["state"] for branch in state["branches"]} == {"running"}


def test_a_second_server_on_the_folder_says_that_it_is_taken(server: Server) -> None:
    environment = {
        **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME"}},
        "AVIARY_HOME": str(server.home),
        "PASSWORD": "x",
        "CONFIG_PASSWORD": "y",
        "USERNAME": "z",
        "PORT": "0",
    }

    second = subprocess.run(
        [sys.executable, str(ENTRY), "run"],
        check=False,
        cwd=server.home,
        env=environment,
        capture_output=True,
        timeout=30,
    )

    assert second.returncode == 2
    assert b"another server uses" in second.stderr
    assert b"Traceback" not in second.stderr


def test_the_tree_is_drawn_in_the_terminal(server: Server) -> None:
    environment = {
        **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME"}},
        "AVIARY_HOME": str(server.home),
        "USERNAME": "admin",
        "PASSWORD": "testpass",
        "COLUMNS": "140",
    }

    drawn = subprocess.run(
        [sys.executable, str(ENTRY), "tree"],
        check=False,
        cwd=server.home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert drawn.returncode == 0
    for name in ("aviary", "database", "broker", "feeds", "bots"):
        assert name in drawn.stdout
    assert drawn.stdout.count("running") >= 10


def test_nobody_enters_without_the_password(server: Server) -> None:
    stranger = Client(server.client.url, "admin", "wrong")

    with pytest.raises(Refused) as refused:
        stranger.call("GET", "/supervision/tree")

    assert refused.value.status == 401


def test_a_crash_is_in_the_journal_once_and_the_branch_is_back(server: Server) -> None:
    server.call("POST", "/supervision/restart", {"address": "market-data"})
    server.until("it runs again", lambda: server.cell("market-data")["state"] == "running")

    def entries() -> list[dict[str, object]]:
        journal = server.call("GET", "/supervision/journal?address=market-data&kind=operator")
        found: list[dict[str, object]] = journal["data"]
        return found

    assert len(server.until("the journal has it", entries)) == 1
