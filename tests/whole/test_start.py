import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from aviary.commands.client import Client, Refused
from whole_server import ENTRY, LOGIN, PATIENCE, Server, environment, verb

BARE = {"SANDBOX": "false", "TEMPLATE": "false", "BROKER_HOST": "127.0.0.1", "BROKER_PORT": "1"}
"""Settings of a server that starts no other process."""


def hear_signals() -> None:
    """What was started in the background, or by nohup, is born deaf to these, and the server leaves it at that."""
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)


@pytest.mark.parametrize("ask_to_stop", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_run_tells_how_to_log_in_and_keeps_it_private(
    tmp_path: Path, ask_to_stop: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, str(ENTRY), "run"],
        cwd=tmp_path,
        env=environment(tmp_path / "data", **BARE),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hear_signals,  # noqa: PLW1509 - nothing but two system calls
    )
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "every branch" in line:
                break
        process.send_signal(ask_to_stop)
        said += process.stdout.read()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        process.stdout.close()

    assert process.wait(PATIENCE) == 0
    env_file = tmp_path / ".env"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    password = re.search(r"^PASSWORD=(.+)$", env_file.read_text(), re.MULTILINE)
    assert password is not None
    assert said.count(password[1]) == 1
    assert said.endswith("stopped\n")


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = verb("run", tmp_path, tmp_path / "data", **LOGIN, PORT=str(taken.getsockname()[1]))

    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].endswith("Address already in use")
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("word", ["tree", "stop"])
def test_without_a_server_the_other_verbs_say_so_in_one_line(tmp_path: Path, word: str) -> None:
    said = verb(word, tmp_path, tmp_path / "data", **LOGIN)

    assert said.returncode == 1
    assert said.stderr == f"no server runs on {tmp_path / 'data'}\n"


@pytest.mark.parametrize("word", ["run", "tree", "stop"])
def test_a_password_file_that_makes_no_sense_is_said_in_one_line(tmp_path: Path, word: str) -> None:
    (tmp_path / ".env").write_text("hunter2\n")

    said = verb(word, tmp_path, tmp_path / "data")

    assert said.returncode != 0
    assert len(said.stderr.splitlines()) == 1
    assert ".env, line 1" in said.stderr


def test_every_branch_comes_up_and_says_so(server: Server) -> None:
    state = server.call("GET", "/health/ready")

    assert state["status"] == "ready"
    assert {branch["state"] for branch in state["branches"]} == {"running"}


def test_a_second_server_on_the_folder_says_that_it_is_taken(server: Server) -> None:
    second = verb("run", server.home, server.home, **LOGIN)

    assert second.returncode == 2
    assert "another server uses" in second.stderr
    assert "Traceback" not in second.stderr


def test_the_tree_is_drawn_in_the_terminal(server: Server) -> None:
    drawn = verb("tree", server.home, server.home, **LOGIN, COLUMNS="140")

    assert drawn.returncode == 0
    for name in ("aviary", "database", "broker", "feeds", "bots"):
        assert name in drawn.stdout
    assert drawn.stdout.count("running") >= 10


def test_nobody_enters_without_the_password(server: Server) -> None:
    stranger = Client(server.client.url, "admin", "wrong")

    with pytest.raises(Refused) as refused:
        stranger.call("GET", "/supervision/tree")

    assert refused.value.status == 401


def test_an_operator_s_restart_is_in_the_journal_once_and_the_branch_is_back(server: Server) -> None:
    for address in ("market-data", "portfolio"):
        server.call("POST", "/supervision/restart", {"address": address})
        server.until("it runs again", lambda: server.cell(address)["state"] == "running")  # noqa: B023

    def restarts(address: str) -> list[dict[str, object]]:
        journal = server.call("GET", f"/supervision/journal?address={address}&kind=operator")
        found: list[dict[str, object]] = journal["data"]
        return found

    # The journal keeps the order: with the second restart, all there is of the first is written.
    server.until("the journal has the second", lambda: restarts("portfolio"))
    assert len(restarts("market-data")) == 1
