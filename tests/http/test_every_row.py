"""What holds for every row of the server, whatever stands behind it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aviary.actors.accounts.portfolio import Portfolio
from aviary.actors.accounts.portfolio_history import PortfolioHistoryKeeper
from aviary.actors.accounts.registry import AccountRegistry
from aviary.actors.accounts.trading import TradingService
from aviary.actors.bots.registry import BotRegistry
from aviary.actors.keeping.database import Database, DatabaseReader
from aviary.actors.keeping.resources import ResourceKeeper
from aviary.actors.keeping.supervision import SupervisionService
from aviary.actors.markets.catalogue import Catalogue
from aviary.actors.markets.market_data import MarketData
from aviary.actors.markets.rate_oracle import RateOracle
from aviary.actors.strategies.library import StrategyLibrary
from aviary.http.routes.all import ROWS
from front_end import USER, front_end

if TYPE_CHECKING:
    from aviary.actors.core.actor import Actor
    from aviary.http.routing import Row

NASTY: tuple[Any, ...] = (
    None,
    "",
    "..",
    "../../etc/passwd",
    "a/b",
    "\u0000",
    "\u202e{0}%s${x}",
    "x" * 1000,
    "NaN",
    "1e400",
    "-1",
    -1,
    0,
    1e308,
    10**18,
    10**30,
    True,
    [],
    [[[]]],
    {},
    {"a": {"b": [None]}},
)

REFUSED = {400, 403, 404, 409, 413, 422, 429, 503}
"""Nothing stands behind the rows in these tests: what is not refused as nonsense finds nobody."""


def filled(row: Row, value: str) -> str:
    path = row.path
    for name in row.placeholders:
        path = path.replace("{" + name + "}", value)
    return path


def sent_names(row: Row) -> list[str]:
    sent_as = {field: name for name, field in row.names.items()}
    return [sent_as.get(field, field) for field in row.message.model_fields if field not in row.fixed]


STRANGERS = (
    {},
    *(
        {"Authorization": header}
        for header in (
            aiohttp.encode_basic_auth(USER, "wrong"),
            aiohttp.encode_basic_auth("", ""),
            aiohttp.encode_basic_auth(USER, ""),
            "Basic",
            "Basic !!!",
            "Bearer x",
            "Basic " + "A" * 5000,
        )
    ),
)
"""What those send who do not know the password."""


async def test_every_row_asks_for_the_password_unless_it_is_open() -> None:
    async with front_end(ROWS) as front:
        del front.client.headers["Authorization"]
        for row in ROWS:
            for headers in () if row.open else STRANGERS:
                status, body, told = await front.call(row.method, filled(row, "a"), headers=headers)
                assert (status, told["WWW-Authenticate"]) == (401, "Basic"), (row.path, headers)
                assert body["detail"]


async def test_every_body_must_be_small() -> None:
    async with front_end(ROWS) as front:
        for row in ROWS:
            if row.takes_body:
                big = io.BytesIO(b" " * 1_100_000)
                assert (await front.call(row.method, filled(row, "a"), data=big))[0] == 413, row.path


@pytest.mark.parametrize("value", NASTY, ids=lambda value: repr(value)[:20])
async def test_no_nasty_value_in_any_field_is_more_than_a_refusal(value: Any) -> None:
    async with front_end(ROWS) as front:
        for row in ROWS:
            names = sent_names(row)
            text = value if isinstance(value, str) else json.dumps(value)
            query = {name: text for name in names if not row.takes_body or name in row.query}
            bodies: list[Any] = [dict.fromkeys(names, value), value] if row.takes_body else [None]
            for body in bodies:
                more = {} if body is None else {"json": body}
                status, answer, _ = await front.call(row.method, filled(row, "7"), params=query, **more)
                assert status in REFUSED, (row.method, row.path, body, answer)
                assert "detail" in answer
        assert front.system.statistics().crashes == 0


DESKS: dict[str, type[Actor]] = {
    "account-registry": AccountRegistry,
    "bot-registry": BotRegistry,
    "market-data": MarketData,
    "market/catalogue": Catalogue,
    "portfolio": Portfolio,
    "portfolio-history": PortfolioHistoryKeeper,
    "rate-oracle": RateOracle,
    "resources": ResourceKeeper,
    "strategy-library": StrategyLibrary,
    "supervision": SupervisionService,
    "trading": TradingService,
}

ASKS_NOBODY = {"sandbox"}
"""Says where the simulated exchange is, and passes nothing on."""


def test_a_request_that_fails_at_a_desk_of_everybody_fails_alone() -> None:
    shared = {row.address for row in ROWS if not row.address_fields}

    assert shared == {*DESKS, *ASKS_NOBODY}
    assert [name for name, desk in DESKS.items() if not desk.keeps_nothing] == []
    assert Database.keeps_nothing
    assert DatabaseReader.keeps_nothing
