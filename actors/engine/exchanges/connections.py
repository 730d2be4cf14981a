"""The trading connectors of one account: built, ticked, watched and taken down.

A connector is brought up by hummingbot's own network loop on a real-time clock, which pings the exchange,
starts its streams when it answers and starts them over after an outage.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import orjson
from aviary.actors.core.ports.errors import PortRefusal
from aviary.actors.core.ports.server import PortServer
from aviary.actors.engine.exchanges import credentials
from aviary.actors.engine.exchanges.announcements import Announcer
from aviary.actors.engine.exchanges.budget import Purpose, requests_for
from aviary.actors.engine.exchanges.catalogue import load, settings_of
from aviary.actors.engine.exchanges.notation import balances_of, positions_of
from aviary.actors.engine.exchanges.outcomes import REQUEST_ERRORS, OutcomeUnknown, definite_no, error_text
from aviary.actors.engine.exchanges.positions import PositionBook
from aviary.actors.engine.exchanges.recovery import recover_soon
from aviary.config.clock import Clock
from hummingbot.client.config.config_helpers import get_connector_class
from hummingbot.connector.exchange_py_base import ExchangePyBase
from hummingbot.core.clock import Clock as TickClock
from hummingbot.core.clock import ClockMode
from hummingbot.core.network_iterator import NetworkStatus

TICK = 1.0
"""Seconds between two ticks; hummingbot's own bots tick so."""

POLL_INTERVAL = 30.0
"""Seconds between two polls of balances and positions while the user stream is alive (hummingbot: 120)."""

NEVER = 10**12

REQUEST_TIMEOUT = 10.0
"""Seconds an exchange may take to answer one request; hummingbot itself would wait for five minutes."""

STATUS_INTERVAL = 5.0
"""Seconds after which a connector's status is sent again although nothing changed."""


class Connection:
    """One connector that may trade."""

    def __init__(self, name: str, connector: Any) -> None:
        self.name = name
        self.connector = connector
        self.announcer: Announcer | None = None
        self.user_stream: Any = None
        self.user_streams = 0
        """How often the user stream was connected."""
        self.last_sent: dict[str, bytes] = {}
        self.status_sent_at = 0.0
        self.positions = PositionBook(connector) if self.perpetual else None

    @property
    def perpetual(self) -> bool:
        """Whether the connector trades perpetual contracts."""
        return hasattr(self.connector, "account_positions")


class Connections:
    """All connectors of this host, by name."""

    def __init__(self, server: PortServer, clock: Clock, ticker: "Ticker") -> None:
        self._server = server
        self._clock = clock
        self._ticker = ticker
        self._open: dict[str, Connection] = {}
        self._changing = asyncio.Lock()
        self._told_of_closing: list[Callable[[str], None]] = []

    def when_closed(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with the name of each connector that is closed, or built anew, before it is."""
        self._told_of_closing.append(tell)

    async def open_connector(
        self,
        connector_name: str,
        trading_pairs: list[str],
        keys: dict[str, Any] | None = None,
        password: str | None = None,
        account_dir: str | None = None,
    ) -> dict[str, Any]:
        """Build a connector and start it; returns its status at once, `connector/…` events tell the rest.

        Its keys are either given, or read from the account's folder. An open one of the same name is closed
        first, so this also changes keys.
        """
        await load(connector_name)
        values = await _keys(connector_name, keys, password, account_dir)
        async with self._changing:
            await self._close(connector_name)
            connector = build(connector_name, values, trading_pairs)
            connection = Connection(connector_name, connector)
            connection.announcer = Announcer(connector_name, connector, self._server.push)
            self._open[connector_name] = connection
            self._ticker.add(connector)
        return self._status(connection)

    async def close_connector(self, connector_name: str) -> bool:
        """Stop a connector and forget its keys; whether it was open. Its orders are left alone."""
        async with self._changing:
            return await self._close(connector_name)

    async def _close(self, connector_name: str) -> bool:
        connection = self._open.pop(connector_name, None)
        if connection is None:
            return False
        for tell in self._told_of_closing:
            tell(connector_name)
        if connection.announcer is not None:
            connection.announcer.close()
        await self._ticker.remove(connection.connector)
        return True

    async def renew_user_stream(self, connector_name: str) -> None:
        """Start a connector's user stream over: it is open, and does not tell what happens."""
        connector = self.get(connector_name).connector
        task = connector._user_stream_tracker_task  # noqa: SLF001
        if task is None:
            # Its network is down and starts the stream when it is back.
            return
        task.cancel()
        await connector._user_stream_tracker.stop()  # noqa: SLF001
        if connector._user_stream_tracker_task is task:  # noqa: SLF001 - unless that was done meanwhile
            connector._user_stream_tracker_task = connector._create_user_stream_tracker_task()  # noqa: SLF001

    async def connector_status(self, connector_name: str) -> dict[str, Any]:
        """The payload of a `connector/…` event, as of now."""
        return self._status(self.get(connector_name))

    async def open_connectors(self) -> list[str]:
        """Names of the open connectors."""
        return sorted(self._open)

    async def check_credential(self, connector_name: str, keys: dict[str, Any]) -> dict[str, Any]:
        """The balances these keys give access to, asked of the exchange.

        Refused as `rejected` with the exchange's text, as `invalid` if no request can be made of them, or as
        `unavailable` if the exchange says nothing.
        """
        await load(connector_name)
        connector = build(connector_name, credentials.validated(connector_name, keys), [])
        with exchange_errors(connector_name), _own_errors(connector_name):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                await connector._update_balances()  # noqa: SLF001 - the query itself, with its exception
        return balances_of(connector)

    def get(self, name: str) -> Connection:
        """An open connection; refused as `not_found`."""
        connection = self._open.get(name)
        if connection is None:
            raise PortRefusal("not_found", f"{name} is not connected in this account", field="connector_name")
        return connection

    def report(self) -> bool:
        """Send what changed of balances, positions and status; whether all connectors are ready."""
        all_ready = True
        for connection in self._open.values():
            _catch_up_after_reconnection(connection)
            # What was not asked for yet is not known to be nothing.
            if connection.connector._account_balances:  # noqa: SLF001 - no public way
                self._send_if_changed(connection, "balance", {"balances": balances_of(connection.connector)})
            if connection.positions is not None and connection.positions.known:
                positions = {"positions": positions_of(connection.connector)}
                self._send_if_changed(connection, "position", positions)
            status = self._status(connection)
            all_ready = all_ready and status["ready"]
            steady = {key: value for key, value in status.items() if not key.endswith("_at")}
            due = self._clock.monotonic() - connection.status_sent_at >= STATUS_INTERVAL
            if due:
                connection.last_sent.pop("connector", None)
            if self._changed(connection, "connector", orjson.dumps(steady)):
                connection.status_sent_at = self._clock.monotonic()
                self._server.push_newest(f"connector/{connection.name}", orjson.dumps(status))
        return all_ready

    def _send_if_changed(self, connection: Connection, topic: str, facts: dict[str, Any]) -> None:
        payload = orjson.dumps(facts)
        if self._changed(connection, topic, payload):
            stamped = orjson.dumps({**facts, "timestamp": self._clock.now()})
            self._server.push_newest(f"{topic}/{connection.name}", stamped)

    @staticmethod
    def _changed(connection: Connection, topic: str, payload: bytes) -> bool:
        if connection.last_sent.get(topic) == payload:
            return False
        connection.last_sent[topic] = payload
        return True

    def _status(self, connection: Connection) -> dict[str, Any]:
        connector = connection.connector
        connected = connector.network_status is NetworkStatus.CONNECTED
        heard = connector._user_stream_tracker.last_recv_time  # noqa: SLF001 - no public way
        return {
            "ready": bool(connected and connector.ready),
            "network": "connected" if connected else "disconnected",
            "parts": {name: bool(value) for name, value in connector.status_dict.items()},
            "tracked_orders": len(connector.in_flight_orders),
            "user_streams": connection.user_streams,
            "user_stream_heard_at": heard or None,
            "sent_at": self._clock.now(),
        }


class Ticker:
    """Hummingbot's clock, which every connector needs to poll anything at all."""

    def __init__(self) -> None:
        self._clock = TickClock(ClockMode.REALTIME, tick_size=TICK)

    async def run(self) -> None:
        """Tick until cancelled."""
        with self._clock:
            await self._clock.run()

    def add(self, connector: Any) -> None:
        """Start a connector."""
        recover_soon(connector)
        self._clock.add_iterator(connector)

    async def remove(self, connector: Any) -> None:
        """Stop a connector."""
        self._clock.remove_iterator(connector)
        await connector.stop_network()


async def _keys(
    connector_name: str, keys: dict[str, Any] | None, password: str | None, account_dir: str | None
) -> dict[str, Any]:
    if keys is None:
        if password is None or account_dir is None:
            raise PortRefusal("invalid", "either keys, or password and account_dir are needed", field="keys")
        keys = await credentials.decrypt_credential(password, account_dir, connector_name)
    return credentials.validated(connector_name, keys)


def build(connector_name: str, values: dict[str, Any], trading_pairs: list[str]) -> Any:
    """A connector that may trade, not started yet. Must be called in the host's loop."""
    settings = settings_of(connector_name)
    parameters = settings.conn_init_parameters(
        trading_pairs=list(trading_pairs),
        trading_required=True,
        api_keys=credentials.plain(values),
        balance_asset_limit={},
        rate_limits_share_pct=Decimal(100),
    )
    connector = get_connector_class(connector_name)(**parameters)
    if not isinstance(connector, ExchangePyBase):
        raise PortRefusal("unsupported", f"{connector_name} is of a kind that cannot be traded with here")
    connector.LONG_POLL_INTERVAL = POLL_INTERVAL
    # After four failed polls, time-outs included, hummingbot would call an order failed. Here only a definite
    # no does that; what the exchange does not find any more is settled by whoever asks for it.
    connector._order_tracker.lost_order_count_limit = NEVER  # noqa: SLF001
    _tell_overload_from_success(connector)
    _leave_orders_to_who_compares_them(connector)
    if not trading_pairs:
        _leave_books_out(connector)
    return connector


def _catch_up_after_reconnection(connection: Connection) -> None:
    # What happened while the user stream was down comes with the next poll only, so that is brought forward; the
    # server, which compares the orders, sees by the count that it has to.
    connector = connection.connector
    stream = getattr(connector._user_stream_tracker.data_source, "_ws_assistant", None)  # noqa: SLF001
    if stream is None or stream is connection.user_stream:
        return
    connection.user_streams += 1
    if connection.user_stream is not None:
        connector._poll_notifier.set()  # noqa: SLF001
    connection.user_stream = stream


def _tell_overload_from_success(connector: Any) -> None:
    # On one wording of a 503 hummingbot's Binance connectors answer that the order "UNKNOWN" was placed.
    place = connector._place_order  # noqa: SLF001 - the request itself

    async def place_and_look(*arguments: Any, **named: Any) -> tuple[str, float]:
        exchange_order_id, timestamp = await place(*arguments, **named)
        if exchange_order_id in {None, "", "None", "UNKNOWN"}:
            raise OutcomeUnknown("the exchange is overloaded and did not say what became of the order")
        return exchange_order_id, timestamp

    connector._place_order = place_and_look  # noqa: SLF001


def _leave_orders_to_who_compares_them(connector: Any) -> None:
    # Hummingbot's polls ask twice about every order, also about those that ended half a minute ago. The server compares
    # all of them by one list; what is left to poll are balances and positions.
    async def poll() -> None:
        with requests_for(Purpose.QUESTION):
            await connector._update_all_balances()  # noqa: SLF001
            if hasattr(connector, "account_positions"):
                await connector._update_positions()  # noqa: SLF001

    connector._status_polling_loop_fetch_updates = poll  # noqa: SLF001


def _leave_books_out(connector: Any) -> None:
    # Market data come from another host. A stream without a single pair would be refused by some exchanges,
    # and a connector without books would never call itself ready.
    tracker = connector.order_book_tracker
    tracker.start = tracker._order_books_initialized.set  # noqa: SLF001
    perpetual = getattr(connector, "_perpetual_trading", None)
    if perpetual is not None:
        # Funding is market data too: hummingbot asks for it when it starts, when no pair is followed yet.
        perpetual.is_funding_info_initialized = lambda: True


@contextmanager
def _own_errors(connector_name: str) -> Iterator[None]:
    """What is raised while a request is signed and put together is no silence of the exchange."""
    try:
        yield
    except (aiohttp.ClientError, json.JSONDecodeError):
        raise
    except (ValueError, TypeError) as error:
        detail = f"{connector_name} can't be asked with these keys: {error_text(error)}"
        raise PortRefusal("invalid", detail) from error


def exchange_errors(connector_name: str) -> AbstractContextManager[None]:
    """Turns a failed request to the exchange into a refusal: `rejected` or `unavailable`."""
    return _told(lambda words: PortRefusal("unavailable", f"{connector_name} did not answer: {words}", retry_after=2.0))


def exchange_changes(connector_name: str, what: str) -> AbstractContextManager[None]:
    """Turns a failed request to change `what` into a refusal: `rejected`, or `unknown` as it may have been done."""
    silent = f"{connector_name} did not say whether {what} was set; it may have been"
    return _told(lambda words: PortRefusal("unknown", f"{silent}: {words}"))


@contextmanager
def _told(silence: Callable[[str], PortRefusal]) -> Iterator[None]:
    try:
        yield
    except PortRefusal:
        raise
    except REQUEST_ERRORS as error:
        words = definite_no(error)
        raise (silence(error_text(error)) if words is None else PortRefusal("rejected", words)) from error
