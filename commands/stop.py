"""`stop`: end the running server, and on request everything that outlives it."""

import os
import signal
import sys
from pathlib import Path

import psutil
from aviary.actors.runtimes.daemon import Daemon, find_daemon
from aviary.commands.client import Client, NotRunning, Refused, client_of
from aviary.config.clock import SystemClock, pause
from aviary.config.layout import Layout
from aviary.config.settings import Settings, SettingsError, read_settings

STOP_TIMEOUT = 60.0
"""Seconds the server has to end."""

BOTS_TIMEOUT = 90.0
"""Seconds all bots have to cancel their orders and end."""


class StillRunning(Exception):
    """What was asked to end has not: what it needs is left alone."""


def stop_server(*, everything: bool) -> int:
    """Stop the server that runs on the configured folder; answers the exit code."""
    try:
        settings = read_settings(os.environ, Path(".env"))
        running = True
        try:
            client, pid = client_of(settings)
            if everything:
                stop_bots(client)
            stop_process(pid, Layout(settings.home).server_lock)
        except NotRunning as problem:
            running = False
            print(problem, file=sys.stderr)
        if everything:
            if left := running_bots(settings):
                # Without broker and exchange they would be lost.
                raise StillRunning(f"bots run without a server: {', '.join(left)}; start it to stop them")
            stop_daemons(settings)
    except (StillRunning, Refused, SettingsError) as problem:
        print(problem, file=sys.stderr)
        return 1
    if not running and not everything:
        return 1
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


def stop_process(pid: int, lock: Path) -> None:
    """Ask a server to end and wait for it. Raises `NotRunning` if there is none, `StillRunning` if it does not end.

    A server that was killed leaves its record behind, and its pid may be anybody's since: only who holds the lock
    file open is the server.
    """
    clock = SystemClock()
    try:
        daemon = Daemon.of(pid)
        if str(lock) not in {file.path for file in psutil.Process(pid).open_files()}:
            raise NotRunning("the server has ended already")
    except (ProcessLookupError, psutil.NoSuchProcess, psutil.AccessDenied):
        raise NotRunning("the server has ended already") from None
    daemon.send(signal.SIGTERM)
    deadline = clock.monotonic() + STOP_TIMEOUT
    while daemon.is_alive():
        if clock.monotonic() > deadline:
            raise StillRunning(f"the server (process {pid}) did not end within {STOP_TIMEOUT:g} s")
        pause(0.05)


def running_bots(settings: Settings) -> tuple[str, ...]:
    """The names of the bots that have a process, whether a server runs or not."""
    instances = settings.bots / "instances"
    folders = {Path(process.info["cwd"] or "/") for process in psutil.process_iter(["cwd"])}
    return tuple(sorted(folder.name for folder in folders if folder.parent == instances))


def stop_daemons(settings: Settings) -> None:
    """End the broker and the simulated exchange."""
    layout = Layout(settings.home)
    for folder in (layout.broker, layout.sandbox):
        daemon = find_daemon(folder / "daemon.json")
        if daemon is not None:
            daemon.send(signal.SIGTERM)
