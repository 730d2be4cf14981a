"""A whole server as a process, on a folder of its own, with everything that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from aviary.commands.client import Client, NotRunning, Refused, client_of
from aviary.config.clock import SystemClock, pause
from aviary.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRY = Path(__file__).resolve().parents[2] / "run.py"

LOGIN = {"USERNAME": "admin", "PASSWORD": "testpass", "CONFIG_PASSWORD": "confpass"}

PATIENCE = 120.0
"""Seconds until something that a test waits for has not happened, on a machine whose cores are all busy."""

LOOK = 0.05


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a process of ours may know of this machine, and its settings."""
    given = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return {**given, "AVIARY_HOME": str(home), "PORT": "0", **more}


def verb(word: str, folder: Path, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Carry out a verb that ends by itself, in a folder."""
    return subprocess.run(
        [sys.executable, str(ENTRY), word],
        check=False,
        cwd=folder,
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


class Server:
    """Starts, kills and starts again; `end` leaves nothing running."""

    def __init__(self, home: Path, **more: str) -> None:
        self.home = home
        self.settings = Settings.model_validate(
            {"aviary_home": home, "port": 0, "password": "testpass", "config_password": "confpass"}
        )
        self._environment = environment(home, **{**LOGIN, **more})
        self.bot = ""
        """The name of the bot that a module's tests share."""
        self._process: subprocess.Popen[bytes] | None = None
        self._clock = SystemClock()

    def start(self) -> float:
        """Start and wait for the first answer; how many seconds that took."""
        began = self._clock.monotonic()
        self.begin()
        self.until("the server answers", lambda: self.call("GET", "/health/live"))
        return self._clock.monotonic() - began

    def begin(self, *through: str) -> None:
        """Start, and wait for nothing; `through` stands on Python's command line before the server's."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *through, str(ENTRY), "run"],
                cwd=self.home,
                env=self._environment,
                stdout=output,
                stderr=output,
            )

    def is_alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def client(self) -> Client:
        client, pid = client_of(self.settings)
        if pid != self.pid:
            raise NotRunning("that is the record of an earlier server")
        return client

    def call(self, method: str, path: str, body: object = None) -> Any:
        return self.client.call(method, path, body)

    def until[R](self, what: str, look: Callable[[], R], patience: float = PATIENCE) -> R:
        """Look until there is something to see."""
        began = self._clock.monotonic()
        trouble: Exception | None = None
        while self._clock.monotonic() - began < patience:
            try:
                seen = look()
                if seen:
                    return seen
            except (NotRunning, Refused) as error:
                trouble = error
            pause(LOOK)
        raise AssertionError(f"waited {patience:g} s in vain until {what}; last trouble: {trouble}")

    def ready(self) -> bool:
        return bool(self.call("GET", "/health/ready")["status"] == "ready")

    def kill(self) -> None:
        """kill -9: nothing is tidied up."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)

    def stop(self) -> int:
        """SIGTERM; answers the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE)

    def end(self) -> None:
        """End the server and everything that it started, however long it lives."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        for process in psutil.process_iter(["cmdline", "cwd"]):
            if self.is_ours(process.info["cwd"] or "", *(process.info["cmdline"] or ())):
                process.kill()

    def is_ours(self, *words: str) -> bool:
        """Whether one of the words of a process, or the folder it works in, is this server's folder or below it."""
        return any(f"{self.home}/" in f"{word}/" for word in words)

    # What tests look at

    def cell(self, address: str) -> dict[str, Any]:
        cells = self.call("GET", "/supervision/tree")["actors"]
        found: dict[str, Any] = next((cell for cell in cells if cell["address"] == address), {})
        return found

    def exchange(self, path: str) -> Any:
        return self.exchange_call("GET", path)

    def exchange_call(self, method: str, path: str, body: object = None) -> Any:
        return Client(self.call("GET", "/sandbox")["url"], "", "").call(method, path, body)

    def open_orders(self, key: str) -> list[dict[str, Any]]:
        orders: list[dict[str, Any]] = self.exchange(f"/_sandbox/orders?key={key}&open=true")
        return orders

    def faults(self, kind: str, seconds: float, **more: object) -> None:
        self.exchange_call("POST", "/_sandbox/faults", {"kind": kind, "seconds": seconds, **more})

    def add_key(self, key: str, account: str = "master_account", connector: str = "sandbox") -> None:
        """Add a key that the exchange takes; what a busy machine has no time for is asked again, as the answer says."""
        values = {f"{connector}_api_key": key, f"{connector}_api_secret": "secret"}

        def is_added() -> bool:
            try:
                self.call("POST", f"/accounts/add-credential/{account}/{connector}", values)
            except Refused as refused:
                assert refused.status == 503, refused
                return False
            return True

        self.until("the exchange has looked at the key", is_added)
