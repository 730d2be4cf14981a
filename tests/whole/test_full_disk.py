"""A server that starts without room on its disk starts, says what is missing, and is whole once there is room.

No file can grow for a process whose limit of file sizes is 0: that needs no disk of its own, and no rights.
"""

import resource
import socket
from pathlib import Path
from typing import Any

import psutil
from aviary.commands.client import Client
from whole_server import Server

WITHOUT_ROOM = (
    "import os, resource, sys;"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY));"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def make_room(pid: int) -> None:
    """Let files grow again, for a process and all that it has started."""
    server = psutil.Process(pid)
    for process in (server, *server.children(recursive=True)):
        try:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except ProcessLookupError:
            # It has ended for want of room; the next one has some.
            continue


def test_a_server_without_room_starts_degraded_and_heals_when_there_is_some(tmp_path: Path) -> None:
    port = free_port()
    server = Server(tmp_path / "home", PORT=str(port))
    client = Client(f"http://127.0.0.1:{port}", "admin", "testpass")

    def alarms() -> set[str]:
        standing: list[dict[str, Any]] = client.call("GET", "/supervision/alarms")["standing"]
        return {alarm["name"] for alarm in standing}

    try:
        server.start()
        server.until("every branch runs", server.ready)
        server.end()

        server.begin("-c", WITHOUT_ROOM)
        server.until("it answers", lambda: client.call("GET", "/health/live")["status"] == "alive")
        server.until("the database says what is missing", lambda: "database" in alarms())
        assert server.is_alive()
        server.until("accounts are told", lambda: client.call("GET", "/accounts/") == ["master_account"])

        make_room(server.pid)

        server.until("every branch runs", server.ready)
        server.until("nothing is missing", lambda: not alarms() - {"disk"})
        assert client.call("GET", "/bot-orchestration/status")["data"] == {}
    finally:
        server.end()
