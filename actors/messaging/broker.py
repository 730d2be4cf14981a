"""Runs the MQTT broker: a process that outlives the server, since bots stay connected to it."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from typing import TYPE_CHECKING, Any, Literal

import orjson
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.ports.patience import Missed
from aviary.actors.messages.broker import BrokerInfo, GetBroker
from aviary.actors.runtimes.brokers import choose, configure
from aviary.actors.runtimes.daemon import Daemon, find_daemon, start_daemon
from aviary.actors.runtimes.mqtt_probe import logs_in
from aviary.config.environment import environment_of_children
from aviary.config.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

LISTEN_TIMEOUT = 10.0
"""Seconds a new broker has to take its first login; it needs 0.03 to 0.3."""

PROBE_PERIOD = 5.0
"""Seconds between two logins that show that it is alive."""

PROBE_TIMEOUT = 3.0
"""Seconds a login may take before it counts as missed."""

PROBES_MISSED = 3
"""Missed logins in a row after which the broker is hung; one for which it had half the time counts half."""

USERNAME = "aviary"


class Broker(AsyncActor):
    """Finds the broker that runs or starts one, and fails when it dies or hangs, to be started anew.

    With `external` there is no process: that broker is somebody else's.
    """

    def __init__(
        self,
        folder: Path,
        log: Path,
        wanted: Literal["auto", "mosquitto", "iotcore"],
        external: BrokerInfo | None = None,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._log = log
        self._wanted = wanted
        self._external = external
        self._daemon: Daemon | None = None
        self._info: BrokerInfo | None = external

    async def prepare(self) -> None:
        """Find or start the process and wait until it takes a login."""
        if self._external is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        record = self._folder / "daemon.json"
        known = self._read_identity()
        daemon = find_daemon(record)
        if daemon is not None and (known is None or not await logs_in(known, PROBE_TIMEOUT)):
            await daemon.terminate()
            daemon = None
        if daemon is None or known is None:
            known = self._make_identity(known)
            command = await asyncio.to_thread(configure, self._folder, known)
            environment = environment_of_children(os.environ)
            daemon = start_daemon(
                command, folder=self._folder, log=self._log, environment=environment, record=record
            )
        self._daemon = daemon
        self._info = known.model_copy(update={"pid": daemon.pid})
        await self._wait_until_it_listens(daemon, known)
        self.spawn(self._watch(daemon), "watch")
        self.spawn(self._probe(daemon, known), "probe")

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetBroker():
                return self._info
            case _:
                return super().receive(message)

    def _read_identity(self) -> BrokerInfo | None:
        try:
            return BrokerInfo.model_validate(orjson.loads((self._folder / "broker.json").read_bytes()))
        except (FileNotFoundError, ValueError):
            return None

    def _make_identity(self, known: BrokerInfo | None) -> BrokerInfo:
        # Running bots know the port and the password: what was chosen once is kept.
        port = known.port if known is not None and _is_free(known.port) else _free_port()
        password = secrets.token_urlsafe(24) if known is None else known.password.get_secret_value()
        info = BrokerInfo.model_validate(
            {
                "kind": choose(self._wanted),
                "host": "127.0.0.1",
                "port": port,
                "username": USERNAME,
                "password": password,
            }
        )
        path = self._folder / "broker.json"
        replace_file(path, orjson.dumps({**info.model_dump(exclude={"pid", "password"}), "password": password}))
        return info

    async def _wait_until_it_listens(self, daemon: Daemon, info: BrokerInfo) -> None:
        async with asyncio.timeout(LISTEN_TIMEOUT):
            while not await logs_in(info, PROBE_TIMEOUT):
                if not daemon.is_alive():
                    raise RuntimeError(f"the MQTT broker ended at once, see {self._log.name}")
                await asyncio.sleep(0.05)

    async def _watch(self, daemon: Daemon) -> None:
        await daemon.exited()
        raise RuntimeError("the MQTT broker's process ended")

    async def _probe(self, daemon: Daemon, info: BrokerInfo) -> None:
        missed = Missed(daemon.pid, self.clock, PROBE_TIMEOUT)
        while missed.answers < PROBES_MISSED:
            await asyncio.sleep(PROBE_PERIOD)
            missed.begin()
            missed.note(answered=await logs_in(info, PROBE_TIMEOUT))
        daemon.send(signal.SIGKILL)


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    return port
