"""A server that has come up without trouble has nothing to report but that."""

import stat
from pathlib import Path

from whole_server import Server


def test_a_start_is_journalled_whole_and_leaves_no_dead_letters_and_no_alarms(server: Server) -> None:
    def started() -> set[str]:
        entries = server.call("GET", "/supervision/journal?kind=start&limit=200")["data"]
        return {entry["address"] for entry in entries}

    server.until("the last branch's start is journalled", lambda: "aviary" in started())

    assert {"database", "journal", "template", "broker/link", "bots"} <= started()
    assert server.call("GET", "/supervision/dead-letters")["total"] == 0
    assert server.call("GET", "/supervision/journal?kind=crash")["data"] == []
    assert server.call("GET", "/supervision/alarms")["standing"] == []


def test_nobody_else_can_read_what_the_server_and_its_children_write(server: Server) -> None:
    server.add_key("sandbox-private")
    server.until(
        "the account trades", lambda: server.cell("accounts/master_account/sandbox").get("state") == "running"
    )
    ours = [
        path for path in server.home.rglob("*") if path != server.home / "output.log" and not path.is_symlink()
    ]

    open_to_others = [path for path in (server.home, *ours) if mode_of(path) & 0o077]

    assert open_to_others == []
    assert {"aviary.sqlite", "server.log", "broker.json", "sandbox.json"} <= {path.name for path in ours}


def mode_of(path: Path) -> int:
    """Who may do what with a file; nobody anything with one that has been replaced meanwhile."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return 0
