"""What every handler of a request has at hand, and how a request's key and signature are checked."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from aiohttp import web
from aviary.sandbox.events import Event, Traded
from aviary.sandbox.exchange import Exchange
from aviary.sandbox.instruments import INSTRUMENTS, Market
from aviary.sandbox.orders import Trade
from aviary.sandbox.refusals import Refused, missing
from aviary.sandbox.web.listen_keys import ListenKeys
from aviary.sandbox.web.parameters import Parameters

KEY_HEADER = "X-MBX-APIKEY"

SECRET_HEADER = "X-SANDBOX-SECRET"  # noqa: S105 -- a header's name
"""With it the sandbox's connectors introduce the secret of a key that was not created beforehand."""

RECENT_TRADES = 200
"""Public trades of each symbol kept for questions about them."""


class Security(Enum):
    """What a request must prove."""

    NONE = auto()
    KEY = auto()
    SIGNED = auto()


@dataclass(frozen=True)
class Call:
    """A checked request. `key` is empty if none was asked for."""

    exchange: Exchange
    market: Market
    parameters: Parameters
    key: str
    recent: Mapping[tuple[Market, str], deque[Trade]]
    listen_keys: ListenKeys


type Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Row:
    """One route of the exchange's own protocol."""

    method: str
    path: str
    security: Security
    handler: Handler


@dataclass
class Desk:
    """Receives requests of the exchange's protocol."""

    exchange: Exchange
    listen_keys: ListenKeys
    recent: dict[tuple[Market, str], deque[Trade]] = field(init=False)

    def __post_init__(self) -> None:
        self.recent = {
            (market, symbol): deque(maxlen=RECENT_TRADES)
            for market, instruments in INSTRUMENTS.items()
            for symbol in instruments
        }
        self.exchange.listen(self._remember)

    def _remember(self, event: Event) -> None:
        if isinstance(event, Traded):
            trade = event.trade
            self.recent[trade.instrument.market, trade.instrument.symbol].append(trade)

    def route(self, market: Market, row: Row) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The aiohttp handler of a row."""

        async def handle(request: web.Request) -> web.StreamResponse:
            call = await self._checked(market, row.security, request)
            answer = row.handler(call)
            if isinstance(answer, Awaitable):
                answer = await answer
            return web.json_response(answer, dumps=dumps)

        return handle

    async def _checked(self, market: Market, security: Security, request: web.Request) -> Call:
        query = request.rel_url.raw_query_string
        body = (await request.text()) if request.can_read_body else ""
        pairs = parse_qsl(query, keep_blank_values=True) + parse_qsl(body, keep_blank_values=True)
        parameters = Parameters(dict(pairs))
        key = ""
        if security is not Security.NONE:
            key = self.exchange.keys.known(request.headers.get(KEY_HEADER))
        if security is Security.SIGNED:
            signature = parameters.text("signature")
            check_timestamp(parameters, self.exchange.clock.now())
            unsigned = urlencode([(name, value) for name, value in pairs if name != "signature"])
            raw = [_without_signature(query) + _without_signature(body), unsigned]
            self.exchange.keys.verify(key, raw, signature, request.headers.get(SECRET_HEADER))
        return Call(self.exchange, market, parameters, key, self.recent, self.listen_keys)


def check_timestamp(parameters: Parameters, now: float) -> None:
    """Refuse requests that are older than their window or from the future."""
    sent = parameters.integer("timestamp")
    window = parameters.integer("recvWindow", 5_000)
    milliseconds = int(now * 1000)
    if sent > milliseconds + 1_000:
        raise Refused(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if milliseconds - sent > min(window, 60_000):
        raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")


def one_of(parameters: Parameters, first: str, second: str) -> tuple[int | None, str | None]:
    """An order's id or client id; refused if neither was sent."""
    order_id = parameters.optional_integer(first)
    client_id = parameters.optional(second)
    if order_id is None and client_id is None:
        raise missing(second)
    return order_id, client_id


def _without_signature(encoded: str) -> str:
    return "&".join(each for each in encoded.split("&") if each and not each.startswith("signature="))


def dumps(value: Any) -> str:
    """JSON text."""
    return orjson.dumps(value).decode()
