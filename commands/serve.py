"""`run`: the server's own life, from the first line of its log to the last."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import json
import logging
import os
import signal
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from aviary.config.files import keep_private, replace_file
from aviary.config.layout import Layout, url_of
from aviary.config.logs import set_up_logging
from aviary.config.settings import Settings, SettingsError, ensure_secrets, is_private, read_settings
from aviary.http.startup_responder import StartupResponder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aviary.commands.server import Server

log = logging.getLogger("aviary.server")

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

WEAK = frozenset({"", "admin", "password", "a"})
"""Passwords that everybody knows; the released server's defaults are among them."""


FIRST_NOTE_RETRY, LAST_NOTE_RETRY = 1.0, 30.0
"""Seconds until the record of the running server is tried again on a full disk, doubling from the first to the last."""


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
            if not is_private(env_file):
                log.warning("others can read the passwords in %s: chmod 600 it", env_file)
            return uvloop.run(run_until_stopped(settings, layout, login(settings, env_file, made)))
    except (SettingsError, AlreadyRunning) as error:
        print(f"Aviary can't start: {error}", file=sys.stderr)
        return 2


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
        keep_private(layout.home)
        layout.run.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(layout.server_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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


async def run_until_stopped(settings: Settings, layout: Layout, greeting: str | None = None) -> int:
    """Answer first, bring the front end and the tree up behind that, take all down in reverse; the exit code.

    Turns the garbage collection on, which `run` keeps off until then.
    """
    stopped = stop_signals()
    startup_responder = StartupResponder()
    try:
        sockets = await startup_responder.open(settings.host, settings.port)
    except OSError as error:
        raise SettingsError(
            f"HOST, PORT: can't listen on {settings.host}:{settings.port}: {_reason(error)}"
        ) from error
    host, port = sockets[0].getsockname()[:2]
    noting = asyncio.ensure_future(keep_note(layout, host, port))
    if greeting is not None:
        print(greeting.replace("{url}", url_of(host, port)), flush=True)
    log.info("serving on %s, data in %s", url_of(host, port), layout.home)
    try:
        server = await asyncio.to_thread(build, settings, layout)
        gc.enable()
        startup_responder.close()
        await server.open(sockets)
        await stopped.wait()
        log.info("stopping; bots go on, and are found again at the next start")
        code = await server.close()
    finally:
        noting.cancel()
        layout.server_record.unlink(missing_ok=True)
    log.info("stopped")
    return code


def stop_signals() -> asyncio.Event:
    """An event that is set by each signal that asks the server to end: a closed terminal does so, too."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Under nohup, a closed terminal is to be ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stopped.set)
    return stopped


def build(settings: Settings, layout: Layout) -> Server:
    """Everything behind the door, not started yet. What it imports takes longer than the first answer may."""
    from aviary.actors.runtimes.wards import Wards
    from aviary.commands.server import Server

    # Nobody else uses the folder: who still lives of those belongs to a server that was killed.
    ended = Wards(layout.wards).end_all()
    if ended:
        log.warning("%d processes of a server that was killed were still there and have been ended", ended)
    return Server(settings, layout)


async def keep_note(layout: Layout, host: str, port: int) -> None:
    """Note the server down as soon as the disk takes it: without that note the other verbs do not find it."""
    delay = FIRST_NOTE_RETRY
    while True:
        try:
            return note_server(layout, host, port)
        except OSError as error:
            told = f"{layout.server_record} can't be written, so that other verbs don't find this server yet"
            log.warning("%s: %s", told, _reason(error))
        await asyncio.sleep(delay)
        delay = min(LAST_NOTE_RETRY, 2.0 * delay)


def note_server(layout: Layout, host: str, port: int) -> None:
    """Write down where this server listens, for the other verbs."""
    noted = {"pid": os.getpid(), "host": host, "port": port}
    replace_file(layout.server_record, json.dumps(noted), durable=False)


def _reason(error: OSError) -> str:
    # The system's words: what event loops make of them differs from loop to loop.
    return os.strerror(error.errno or 0) if not isinstance(error, socket.gaierror) else str(error.strerror)
