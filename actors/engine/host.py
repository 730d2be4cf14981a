"""The engine host: the process in which hummingbot's connectors of one account live, or its public data feeds.

One event loop, one account, one port. It ends when its server hangs up; whatever of it fails unexpectedly
ends it too, and the server starts another.
"""

import asyncio
import logging
import os
import select
import socket
import threading
from collections.abc import Coroutine
from logging.handlers import RotatingFileHandler
from typing import Any

from aviary.actors.core.ports.server import Method, PortServer
from aviary.actors.engine.accounts.holdings import Holdings
from aviary.actors.engine.accounts.orders import Orders
from aviary.actors.engine.exchanges import catalogue, credentials
from aviary.actors.engine.exchanges.budget import hold_requests_to_budgets
from aviary.actors.engine.exchanges.candle_history import take_candles_as_the_exchange_has_them
from aviary.actors.engine.exchanges.connections import Connections, Ticker
from aviary.actors.engine.markets.feeds import Feeds
from aviary.actors.engine.markets.public_data import PublicData
from aviary.actors.engine.markets.rate_sources import RateSources
from aviary.actors.engine.processes.stub_application import install_stub_application
from aviary.actors.engine.standalone.books import LentBooks
from aviary.actors.engine.standalone.executors import Executors
from aviary.config.clock import SystemClock, pause

REPORT_INTERVAL = 0.5
"""Seconds between two looks at balances, positions and status."""

REPORT_INTERVAL_COMING_UP = 0.1
"""The same while a connector is not ready: whoever replaces a host waits for that."""

LOG_SIZE = 5_000_000
"""Bytes of a log file before the next is begun."""

LOGS_KEPT = 2

FAREWELL = 2.0
"""Seconds in which a host whose server is gone can end in good order."""

FAILED = 70
"""Exit code of a host in which something failed unexpectedly (EX_SOFTWARE of sysexits)."""


class Host:
    """What a host does, put together."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ticker = Ticker()
        self._server = PortServer(methods := {})
        self._connections = Connections(self._server, self._clock, self._ticker)
        self._public = PublicData(self._clock)
        self._rates = RateSources()
        self._feeds = Feeds(self._server, self._clock, self._ticker, self._public, self.spawn)
        self._orders = Orders(self._connections)
        self._holdings = Holdings(self._connections)
        self._executors = Executors(
            self._server,
            self._connections,
            self._orders,
            self._holdings,
            LentBooks(self._feeds),
            self._clock,
            self.spawn,
        )
        methods.update(self._methods())

    async def run(self, port: socket.socket) -> int:
        """Serve the port until the server hangs up; the exit code."""
        self.spawn(self._ticker.run(), "ticker")
        self.spawn(self._report(), "report")
        self.spawn(self._executors.run(), "executors")
        serving = asyncio.create_task(self._server.serve(port))
        waited: set[asyncio.Future[Any]] = {serving, self._failed}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            return 0
        logging.getLogger(__name__).critical("the host failed", exc_info=self._failed.exception())
        return FAILED

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a task whose failure ends the host."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)

    async def _report(self) -> None:
        while True:
            all_ready = self._connections.report()
            await asyncio.sleep(REPORT_INTERVAL if all_ready else REPORT_INTERVAL_COMING_UP)

    def _methods(self) -> dict[str, Method]:
        connections, orders, holdings = self._connections, self._orders, self._holdings
        public, feeds, executors = self._public, self._feeds, self._executors
        return {
            "list_connectors": catalogue.list_connectors,
            "list_candle_connectors": catalogue.list_candle_connectors,
            "config_map": catalogue.config_map,
            "encrypt_credential": credentials.encrypt_credential,
            "decrypt_credential": credentials.decrypt_credential,
            "ensure_password": credentials.ensure_password,
            "open_connector": connections.open_connector,
            "close_connector": connections.close_connector,
            "connector_status": connections.connector_status,
            "renew_user_stream": connections.renew_user_stream,
            "open_connectors": connections.open_connectors,
            "check_credential": connections.check_credential,
            "new_order_id": orders.new_order_id,
            "place_order": orders.place_order,
            "cancel_order": orders.cancel_order,
            "query_order": orders.query_order,
            "open_orders": orders.open_orders,
            "tracked_orders": orders.tracked_orders,
            "refresh_orders": orders.refresh_orders,
            "restore_orders": orders.restore_orders,
            "forget_order": orders.forget_order,
            "balances": holdings.balances,
            "trading_rules": holdings.trading_rules,
            "positions": holdings.positions,
            "set_leverage": holdings.set_leverage,
            "position_mode": holdings.position_mode,
            "set_position_mode": holdings.set_position_mode,
            "last_funding_payment": holdings.last_funding_payment,
            "executor_kinds": executors.executor_kinds,
            "executor_schema": executors.executor_schema,
            "check_executor": executors.check_executor,
            "fits_executor": executors.fits_executor,
            "start_executor": executors.start_executor,
            "executor_status": executors.executor_status,
            "stop_executor": executors.stop_executor,
            "order_written": executors.order_written,
            "forget_executor": executors.forget_executor,
            "order_types": public.order_types,
            "public_trading_rules": public.trading_rules,
            "all_trading_pairs": public.all_trading_pairs,
            "prices": public.prices,
            "rate_sources": self._rates.rate_sources,
            "source_prices": self._rates.source_prices,
            "source_volumes": self._rates.source_volumes,
            "funding_info": public.funding_info,
            "historical_candles": public.historical_candles,
            "candle_intervals": public.candle_intervals,
            "open_feed": feeds.open_feed,
            "close_feed": feeds.close_feed,
            "open_feeds": feeds.open_feeds,
            "feed_snapshot": feeds.feed_snapshot,
        }


def main(spec: dict[str, Any]) -> int:
    """The entry of an engine host; `spec` holds the port's descriptor."""
    _log_to(spec["log"])
    from aviary.sandbox.connectors import register

    register()
    install_stub_application()
    hold_requests_to_budgets()
    take_candles_as_the_exchange_has_them()
    port = socket.socket(fileno=spec["port_fd"])
    _end_with_the_server(port.fileno())
    port.setblocking(False)
    return asyncio.run(_serve(port))


def _log_to(path: str) -> None:
    # An outage fills the log with hummingbot's tracebacks, so it is kept within bounds.
    log = RotatingFileHandler(path, maxBytes=LOG_SIZE, backupCount=LOGS_KEPT)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", handlers=[log], force=True
    )


async def _serve(port: socket.socket) -> int:
    return await Host().run(port)


def _end_with_the_server(port_fd: int) -> None:
    # A loop that hangs in foreign code never reads that the server is gone; a thread that only waits for that
    # does, so that no host outlives its server.
    watched = os.dup(port_fd)

    def watch() -> None:
        poll = select.poll()
        poll.register(watched, 0)
        poll.poll()
        pause(FAREWELL)
        os._exit(FAILED)

    threading.Thread(target=watch, name="server watch", daemon=True).start()
