"""The link to the MQTT broker: everything bots say comes in here, every command to them goes out here."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import socket
from typing import TYPE_CHECKING, Any

import orjson
import paho.mqtt.client as mqtt
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import DeadlineExceeded, Unavailable
from aviary.actors.messages.bots import BotSpoke
from aviary.actors.messages.broker import CallBot, ForgetBot, GetBroker, GetLink, LinkState
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.address import Address
    from aviary.actors.messages.broker import BrokerInfo

NAMESPACE = "hbot"
KINDS = frozenset({"performance", "hb", "log", "events", "notify", "status_updates"})

TOPIC = "broker/link"
"""On the bus: `True` when the link has come up, `False` when it is lost."""

BROKER_TIMEOUT = 15.0
"""Seconds to learn where the broker listens."""

ALARM = "broker"
"""Stands while there is no connection."""

KEEPALIVE = 10
"""Seconds; a broker that hangs is noticed after one and a half of them."""

FIRST_RETRY, LAST_RETRY = 1, 5
"""Seconds between two tries to connect."""

BRIEF = 2.0
"""Seconds without the broker that a command sits out: a first connect, or a broker that is being restarted."""

HEARD_POLL = 0.05
"""Seconds between two looks whether a bot is back."""

MAX_CALLS = 1_000
"""Commands that may wait for their reply at one time."""

MAX_KNOWN = 10_000
"""Bots that are remembered as heard of."""

MAX_OUTGOING = 1_000
"""Messages that may wait for the socket."""


class LinkBroken(Exception):
    """The library's thread has ended: nothing would be heard any more."""


class WatchedClient(mqtt.Client):
    """A client that tells when its thread ends, for whatever reason."""

    on_end: Callable[[], None] | None = None
    """Called in that thread."""

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:  # noqa: FBT001, FBT002 - as the library has it
        """Run the client; called in its thread."""
        try:
            return super().loop_forever(timeout, retry_first_connection)
        finally:
            if self.on_end is not None:
                self.on_end()


class MqttLink(AsyncActor):
    """Keeps one connection to the broker and hands on what arrives.

    What a bot says goes to the actor `bots/<name>` if there is one, and to the bus under
    `bots/<name>/<kind>`. A command gets a reply topic of its own, since replies carry nothing else to tell them
    apart.
    """

    def __init__(self, broker: Address) -> None:
        super().__init__()
        self._broker = broker

    async def prepare(self) -> None:
        """Learn where the broker is and begin to connect; a broker that is away is waited for."""
        info = await self.ask(self._broker, GetBroker(), timeout=BROKER_TIMEOUT)
        self._info: BrokerInfo = info
        self._where = f"{info.host}:{info.port}"
        self._lost = f"no connection to the MQTT broker at {self._where}"
        self._loop = asyncio.get_running_loop()
        self._connected = False
        self._changed_at = self.clock.monotonic()
        self._heard: dict[str, float] = {}
        self._calls: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        # A reply to an earlier incarnation of this server must not be taken for ours.
        self._replies = f"aviary/{secrets.token_hex(6)}"
        self._ended = asyncio.Event()
        self._client = self._connect(info)
        self.spawn(self._watch(), "watch")

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case CallBot():
                return self.defer(self._call(message))
            case ForgetBot(bot=bot):
                self._heard.pop(bot, None)
                return None
            case GetLink():
                return self._state()
            case _:
                return super().receive(message)

    async def release(self) -> None:
        """Disconnect; whoever waits for a reply is told."""
        client = getattr(self, "_client", None)
        if client is None:
            return
        client.on_connect = client.on_connect_fail = client.on_disconnect = client.on_message = None
        client.on_end = None
        client.disconnect()
        # Joins the library's thread, which may be in the middle of a connect.
        await asyncio.to_thread(client.loop_stop)

    async def _watch(self) -> None:
        await self._ended.wait()
        raise LinkBroken("the thread that talks to the MQTT broker has ended, see the log")

    def _connect(self, info: BrokerInfo) -> WatchedClient:
        client = WatchedClient(CallbackAPIVersion.VERSION2, client_id=f"aviary-{secrets.token_hex(6)}")
        if info.username:
            client.username_pw_set(info.username, info.password.get_secret_value())
        client.reconnect_delay_set(FIRST_RETRY, LAST_RETRY)
        client.max_queued_messages_set(MAX_OUTGOING)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_end = self._on_end
        client.connect_async(info.host, info.port, keepalive=KEEPALIVE)
        client.loop_start()
        return client

    # In the library's thread

    def _on_end(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        if code.is_failure:
            self._loop.call_soon_threadsafe(self._trouble, f"refused by the MQTT broker at {self._where}: {code}")
            return
        connection = client.socket()
        if isinstance(connection, socket.socket):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The broker may have forgotten: every connection subscribes anew.
        client.subscribe([(f"{NAMESPACE}/+/{kind}", 0) for kind in sorted(KINDS)])
        client.subscribe(f"{self._replies}/#", 1)
        self._loop.call_soon_threadsafe(self._note, True)

    def _on_connect_fail(self, *_: Any) -> None:
        self._loop.call_soon_threadsafe(self._trouble, self._lost)

    def _on_disconnect(self, *_: Any) -> None:
        self._loop.call_soon_threadsafe(self._note, False)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        payload = parse(bytes(message.payload))
        if payload is not None:
            self._loop.call_soon_threadsafe(self._arrived, message.topic, payload)

    # On the actor's loop

    def _note(self, connected: bool) -> None:  # noqa: FBT001
        if not self._bound_life.alive:
            return
        if connected:
            self.recover()
            self.system.alarms.clear(ALARM)
        elif self._connected or self.life.cell.degraded is None:
            # Some brokers hang up on a wrong password; those that say what they refuse do so before that.
            self._trouble(self._lost)
        if connected != self._connected:
            self._connected = connected
            self._changed_at = self.clock.monotonic()
            self.publish(TOPIC, connected)

    def _trouble(self, told: str) -> None:
        if self._bound_life.alive:
            self.degrade(told)
            self.system.alarms.raise_(ALARM, told)

    def _arrived(self, topic: str, payload: dict[str, Any]) -> None:
        if not self._bound_life.alive:
            return
        if topic.startswith(self._replies):
            waiting = self._calls.pop(topic, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(payload)
            return
        _, bot, kind = topic.split("/", 2)
        if bot in self._heard or len(self._heard) < MAX_KNOWN:
            self._heard[bot] = self.clock.monotonic()
        address = f"bots/{bot}"
        if self.system.cell(address) is not None:
            self.tell(address, BotSpoke.model_validate({"kind": kind, "payload": payload}))
        self.publish(f"{address}/{kind}", payload)

    async def _call(self, call: CallBot) -> dict[str, Any]:
        while not self._connected:
            if self.clock.monotonic() - self._changed_at > BRIEF:
                raise Unavailable("the MQTT broker is away", retry_after=LAST_RETRY)
            await asyncio.sleep(HEARD_POLL)
        if len(self._calls) >= MAX_CALLS:
            raise Unavailable("too many commands wait for their reply")
        deadline = self._loop.time() + call.timeout
        # After an outage bots come back one by one; a command sent before is lost without a trace.
        while self._heard.get(call.bot, -1.0) < self._changed_at:
            if self._loop.time() > deadline:
                raise Unavailable(f"bot {call.bot} has not been heard of since the broker is there")
            await asyncio.sleep(HEARD_POLL)
        topic = f"{self._replies}/{next(self._numbers)}"
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._calls[topic] = answer
        header = {
            "timestamp": int(self.clock.now() * 1000),
            "reply_to": topic,
            "agent": "aviary",
            "properties": {},
        }
        sent = self._client.publish(
            f"{NAMESPACE}/{call.bot}/{call.command}", orjson.dumps({"header": header, "data": call.data}), qos=1
        )
        try:
            if sent.rc != mqtt.MQTT_ERR_SUCCESS:
                raise Unavailable(f"the MQTT broker is away ({mqtt.error_string(sent.rc)})")
            async with asyncio.timeout_at(deadline):
                reply = await answer
        except TimeoutError:
            raise DeadlineExceeded(
                f"bot {call.bot} did not answer {call.command!r} within {call.timeout:g} s"
            ) from None
        finally:
            self._calls.pop(topic, None)
        data = reply.get("data")
        return data if isinstance(data, dict) else {}

    def _state(self) -> LinkState:
        now = self.clock.monotonic()
        return LinkState(
            connected=self._connected,
            since=now - self._changed_at,
            host=self._info.host,
            port=self._info.port,
            username=self._info.username,
            bots={bot: now - at for bot, at in self._heard.items()},
        )


SURE_DIGITS = 18
"""Digits of a whole number that surely fits in 64 bits."""

MAX_DEPTH = 50
"""Objects and arrays that a message may nest: what can be read can be written again."""


def parse(payload: bytes) -> dict[str, Any] | None:
    """A JSON object; a bare NaN or Infinity in it, which hummingbot writes for missing prices, becomes null.

    `None` for what is no JSON object, or nested beyond reason: anybody may publish on a broker.
    """
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(payload, parse_constant=lambda _: None, parse_int=_number)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) and not _is_deeper(value, MAX_DEPTH) else None


def _number(text: str) -> int | float:
    """A whole number as orjson reads it, which writes none of more than 64 bits."""
    return int(text) if len(text) <= SURE_DIGITS else float(text)


def _is_deeper(value: object, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_is_deeper(item, depth - 1) for item in items)
