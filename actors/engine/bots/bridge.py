"""Hummingbot's MQTT bridge with its defects repaired, and the commands that it offers made to work.

As released, a broker that is away for the bot's first 30 seconds costs the run its performance messages; while it
is away messages pile up without limit; market events are never forwarded in headless mode; `start`, `status` and
`config` fail on attributes that the application does not have any more; notices stay in a queue.
"""

# ruff: noqa: SLF001, FBT001, FBT002 - repairs take hummingbot's private names and its signatures

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hummingbot.client.hummingbot_application import HummingbotApplication
from hummingbot.remote_iface.mqtt import MQTTGateway, MQTTNotifier

MAX_WAITING = 5_000
"""Messages kept for a broker that is away; the oldest are given up."""

RECONNECT_INTERVAL = 1.0
"""Seconds between two tries to reach the broker."""


class Bridge(MQTTGateway):  # type: ignore[misc]
    """One bridge for the whole life of the process, whatever the broker does."""

    def __init__(self, application: Any, heartbeat: float) -> None:
        super().__init__(application)
        self._heartbeat_interval = heartbeat
        self._reconnect_interval = RECONNECT_INTERVAL
        self._outgoing: asyncio.Queue[tuple[str, dict[str, Any], int]] = asyncio.Queue(MAX_WAITING)

    def publish(self, topic: str, payload: dict[str, Any], qos: int = 0) -> None:
        """Queue a message; callable from any thread."""
        self._ev_loop.call_soon_threadsafe(self._put, (topic, payload, qos))

    def tell(self, kind: str, text: str) -> None:
        """Publish a status update of ours; readers of hummingbot's own kinds pass it over."""
        self.broadcast_status_update(text, msg_type=kind)

    def start_market_events_fw(self) -> None:
        """Forward the events of the markets there are now, once each."""
        self._remove_market_event_listeners()
        super().start_market_events_fw()

    async def flushed(self, timeout: float) -> None:  # noqa: ASYNC109
        """Wait until everything queued has been sent, for at most `timeout` seconds."""
        deadline = self._ev_loop.time() + timeout
        # The message at hand is out of the queue before it is sent: the last turn is for it.
        while self._connected and not self._outgoing.empty() and self._ev_loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)

    def _wrap_response(self, response: Any) -> dict[str, Any]:
        wrapped: dict[str, Any] = super()._wrap_response(response)
        bridge = wrapped["data"].get("config", {}).get("client", {}).get("mqtt_bridge")
        if bridge:
            bridge["mqtt_password"] = "***"  # noqa: S105 - the opposite of one
        return wrapped

    def _put(self, item: tuple[str, dict[str, Any], int]) -> None:
        if self._outgoing.full():
            self._outgoing.get_nowait()
        self._outgoing.put_nowait(item)


def repair_commands(application: Any) -> None:
    """Make `start`, `status`, `config` and notices work on this application."""
    HummingbotApplication.strategy = property(lambda self: self.trading_core.strategy)
    HummingbotApplication.start = _start
    HummingbotApplication.start_check = _start_check_by_names
    HummingbotApplication.config = _config
    MQTTNotifier.add_message_to_queue = MQTTNotifier.add_msg_to_queue
    application._strategy_config_map = {}


_check_start: Callable[..., Awaitable[None]] = HummingbotApplication.start_check


def _start(
    self: Any,
    log_level: str | None = None,
    v2_conf: str | None = None,
    is_quickstart: bool = False,
    script: str | None = None,
    conf: str | None = None,
) -> None:
    arguments = (log_level, v2_conf, is_quickstart, script, conf)
    self.ev_loop.call_soon_threadsafe(lambda: self.ev_loop.create_task(_start_check_by_names(self, *arguments)))


async def _start_check_by_names(
    self: Any,
    log_level: str | None = None,
    v2_conf: str | None = None,
    is_quickstart: bool = False,
    script: str | None = None,
    conf: str | None = None,
) -> str:
    """`start` as the bridge calls it: by script and configuration, both optional here."""
    chosen = v2_conf or conf or self.aviary_script_config
    await _check_start(self, log_level, chosen if chosen.endswith(".yml") else f"{chosen}.yml", is_quickstart)
    return "" if script is None else f"Started {script}."


def _config(self: Any, key: str | None = None, value: str | None = None) -> None:
    """Headless, there is nothing to print; a known key is set, its value validated by its own model."""
    if key is None:
        return
    *groups, name = key.split(".")
    place = self.client_config_map
    for group in groups:
        place = getattr(place, group)
    setattr(place, name, value)
