"""Talks to the machine's service manager: that the server is up, that it still lives, that only a restart helps.

Datagrams to the socket that systemd names (`sd_notify(3)`, `sd_watchdog_enabled(3)`); without one, nobody is told.
It lives on the kernel's own loop, so that a kernel that hangs falls silent, and is restarted from outside.
"""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Any, ClassVar

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALARM = "abandoned-threads"

MAX_ABANDONED = 8
"""Hung threads that are carried along. Each keeps its stack and whatever it holds until the process ends."""

LOOK_PERIOD = 5.0
"""Seconds between two looks when the service manager keeps no watch."""


class LookDue(Message[None]):
    """Event, of the actor to itself: it is time to look, and to give a sign of life.

    Control: set aside as poison, it would have the whole process restarted from outside.
    """

    control = True


def end_this_process() -> None:
    """Ask the server to stop in order, as an operator would."""
    os.kill(os.getpid(), signal.SIGTERM)


class ServiceManager(AsyncActor):
    """Gives signs of life, and asks for a restart of the process when too many threads hang in it."""

    dispatcher: ClassVar[str | None] = "kernel"

    def __init__(self, environment: Mapping[str, str], end: Callable[[], None] = end_this_process) -> None:
        super().__init__()
        self._socket = environment.get("NOTIFY_SOCKET", "")
        watch = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        # Twice within the time it grants, as the protocol asks for.
        self._period = int(watch) / 2_000_000 if watch.isdecimal() and int(watch) and ours else LOOK_PERIOD
        self._end = end

    async def prepare(self) -> None:
        """Say that everything has been started: this actor is the last."""
        self._asked = False
        self._tell("READY=1")
        self._look()
        self.every(self._period, LookDue())

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case LookDue():
                return self._look()
            case _:
                return super().receive(message)

    async def release(self) -> None:
        """Say that the server stops."""
        self._tell("STOPPING=1")

    def _look(self) -> None:
        self._tell("WATCHDOG=1")
        hung = self.system.statistics().abandoned_threads
        if hung > MAX_ABANDONED and not self._asked:
            self._asked = True
            text = f"{hung} threads hang and can't be ended: the process has to be started anew"
            self.system.alarms.raise_(ALARM, text)
            self._tell(f"STATUS={text}")
            self._end()

    def _tell(self, state: str) -> None:
        if not self._socket:
            return
        name = f"\0{self._socket[1:]}" if self._socket.startswith("@") else self._socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(state.encode(), name)
            except OSError as error:
                self.degrade(f"the service manager can't be told: {error.strerror}")
            else:
                self.recover()
