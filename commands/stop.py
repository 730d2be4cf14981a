"""`stop`: end the running server, and on request everything that outlives it."""

import signal
import sys

from aviary.actors.runtimes.daemon import Daemon, find_daemon
from aviary.commands.client import Client, NotRunning, Refused, client_of
from aviary.config.clock import SystemClock, pause
from aviary.config.layout import Layout
from aviary.config.settings import Settings, read_settings

STOP_TIMEOUT = 60.0
"""Seconds the server has to end."""

BOTS_TIMEOUT = 90.0
"""Seconds all bots have to cancel their orders and end."""


class StillRunning(Exception):
    """What was asked to end has not: what it needs is left alone."""


def stop_server(*, everything: bool) -> int:
    """Stop the server that runs on the configured folder; answers the exit code."""
    import os
    from pathlib import Path

    settings = read_settings(os.environ, Path(".env"))
    try:
        client, pid = client_of(settings)
        if everything:
            stop_bots(client)
        stop_process(pid)
    except (StillRunning, Refused) as problem:
        print(problem, file=sys.stderr)
        return 1
    except NotRunning as problem:
        print(problem, file=sys.stderr)
        if not everything:
            return 1
    if everything:
        stop_daemons(settings)
    print("stopped")
    return 0


def stop_bots(client: Client) -> None:
    """Ask every bot to wind down and wait until each has; `StillRunning` if one has not after `BOTS_TIMEOUT`."""
    for bot in client.call("GET", "/bot-orchestration/bots"):
        if bot["state"] != "stopped":
            client.call("POST", f"/bot-orchestration/bots/{bot['name']}/stop")
    clock = SystemClock()
    deadline = clock.monotonic() + BOTS_TIMEOUT
    while left := [bot["name"] for bot in client.call("GET", "/bot-orchestration/bots") if bot["pid"]]:
        if clock.monotonic() > deadline:
            raise StillRunning(f"bots that did not stop within {BOTS_TIMEOUT:g} s: {', '.join(left)}")
        pause(0.2)


def stop_process(pid: int) -> None:
    """Ask a server to end and wait for it. Raises `NotRunning` if there is none, `StillRunning` if it does not end."""
    import psutil

    clock = SystemClock()
    try:
        daemon = Daemon(pid, psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        raise NotRunning("the server has ended already") from None
    daemon.send(signal.SIGTERM)
    deadline = clock.monotonic() + STOP_TIMEOUT
    while daemon.is_alive():
        if clock.monotonic() > deadline:
            raise StillRunning(f"the server (process {pid}) did not end within {STOP_TIMEOUT:g} s")
        pause(0.05)


def stop_daemons(settings: Settings) -> None:
    """End the broker and the simulated exchange."""
    layout = Layout(settings.home)
    for folder in (layout.broker, layout.sandbox):
        daemon = find_daemon(folder / "daemon.json")
        if daemon is not None:
            daemon.send(signal.SIGTERM)
