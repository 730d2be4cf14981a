"""`run`: the server's own life, from the first line of its log to the last."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import logging
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import uvloop
from aiohttp import web
from aviary.actors.core.system import System
from aviary.config.layout import Layout
from aviary.config.logs import set_up_logging
from aviary.config.settings import Settings, SettingsError, ensure_secrets, read_settings
from aviary.http.app import create_app
from aviary.http.routes.all import ROWS
from aviary.http.runner import runner_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from aviary.supervisors.boot import Tree

log = logging.getLogger("aviary.server")

TREE_STOP_TIMEOUT = 45.0
"""Seconds the tree has to stop before the process ends all the same."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

WEAK = frozenset({"", "admin", "password", "a"})
"""Passwords that everybody knows; the released server's defaults are among them."""


class AlreadyRunning(Exception):
    """Another server uses the same folder."""


def serve(env_file: Path = Path(".env")) -> int:
    """Run the server until it is told to stop; answers the exit code."""
    try:
        made = ensure_secrets(os.environ, env_file)
        settings = read_settings(os.environ, env_file)
        refuse_exposure(settings)
        refuse_unknown_database(settings)
        layout = Layout(settings.home)
        with only_server(layout):
            set_up_logging(settings.log_level, layout.logs)
            uvloop.run(run_until_stopped(settings, layout, login(settings, env_file, made)))
    except (SettingsError, AlreadyRunning) as error:
        print(f"Aviary can't start: {error}", file=sys.stderr)
        return 2
    return 0


def refuse_exposure(settings: Settings) -> None:
    """Raise `SettingsError` for a server that strangers could enter."""
    if settings.host not in LOOPBACK and settings.password.get_secret_value() in WEAK:
        raise SettingsError(f"PASSWORD: too weak to listen on {settings.host}")


def refuse_unknown_database(settings: Settings) -> None:
    """Raise `SettingsError` for an address that is none, before anything waits for what it names."""
    if settings.database_url is None:
        return
    # Not needed for the first answer, and slow to import.
    from aviary.persistence.database import BadDatabaseUrl, open_database

    try:
        open_database(settings.database_url.get_secret_value(), Path())
    except BadDatabaseUrl as error:
        raise SettingsError(f"DATABASE_URL: {error}") from None


def login(settings: Settings, env_file: Path, made: Mapping[str, str]) -> str | None:
    """How to log in, for the one time it is told: when a password was generated; else `None`."""
    if not made:
        return None
    lines = [f"\n  Log in at {{url}}/docs as {settings.username}"]
    if "PASSWORD" in made:
        lines[0] += f" with password {made['PASSWORD']}"
    lines.append(f"  Generated now and kept in {env_file}: {', '.join(made)}")
    if "CONFIG_PASSWORD" in made:
        lines.append("  CONFIG_PASSWORD encrypts your exchange keys: without it they are lost")
    return "\n".join(lines) + "\n"


@contextmanager
def only_server(layout: Layout) -> Iterator[None]:
    """Hold the folder's lock. Raises `AlreadyRunning`, or `SettingsError` if nothing can be written there."""
    try:
        layout.run.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(layout.run / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"AVIARY_HOME: can't write to {layout.home}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyRunning(f"another server uses {layout.home}") from None
    try:
        yield
    finally:
        os.close(descriptor)


async def run_until_stopped(settings: Settings, layout: Layout, greeting: str | None = None) -> None:
    """Serve first, bring the tree up behind it, and take both down in reverse.

    Turns the garbage collection on, which `run` keeps off until then.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    system = System.live()
    runner = runner_of(create_app(system, settings, ROWS), shutdown_timeout=2.0)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port)
    try:
        await site.start()
    except OSError as error:
        raise SettingsError(f"PORT: can't listen on {settings.host}:{settings.port}: {error.strerror}") from error
    gc.enable()
    host, port = runner.addresses[0][:2]
    note_server(layout, host, port)
    if greeting is not None:
        print(greeting.replace("{url}", f"http://{host}:{port}"), flush=True)
    log.info("serving on http://%s:%d, data in %s", host, port, layout.home)
    tree = await asyncio.to_thread(plant, settings, layout, system)
    starting = asyncio.run_coroutine_threadsafe(tree.start(), system.kernel.loop)
    starting.add_done_callback(_tell_start)
    try:
        await stopped.wait()
    finally:
        log.info("stopping; bots go on, and are found again at the next start")
        starting.cancel()
        await runner.cleanup()
        stopping = asyncio.run_coroutine_threadsafe(tree.stop(), system.kernel.loop)
        try:
            async with asyncio.timeout(TREE_STOP_TIMEOUT):
                await asyncio.wrap_future(stopping)
        except TimeoutError:
            log.exception("the tree did not stop within %g s", TREE_STOP_TIMEOUT)
        system.shutdown()
        layout.server_record.unlink(missing_ok=True)
        log.info("stopped")


def plant(settings: Settings, layout: Layout, system: System) -> Tree:
    """The tree, not started yet. What it imports takes longer than the first answer may."""
    from aviary.supervisors.boot import Tree
    from aviary.supervisors.tree import tree_spec

    return Tree(system, tree_spec(settings, layout, system))


def _tell_start(starting: Future[None]) -> None:
    if starting.cancelled():
        return
    error = starting.exception()
    if error is None:
        log.info("every branch has been started")
    else:
        log.error("the tree did not start: %s", error)


def note_server(layout: Layout, host: str, port: int) -> None:
    """Write down where this server listens, for the other verbs."""
    layout.server_record.write_bytes(orjson.dumps({"pid": os.getpid(), "host": host, "port": port}))
