"""What the exchange remembers across restarts, in one SQLite file.

Writes happen inside the request that causes them, before its answer is sent: what a client was told
survives `kill -9`. A commit to the write-ahead log takes about a tenth of a millisecond, less than a thread hop would
cost, so it is made on the event loop.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from aviary.sandbox.instruments import INSTRUMENTS, Market
from aviary.sandbox.orders import Fill, Order, OrderType, PositionSide, Side, Status, TimeInForce
from aviary.sandbox.refusals import Refused

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, secret TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS balances (
    market TEXT, key TEXT, asset TEXT, free TEXT NOT NULL, locked TEXT NOT NULL, PRIMARY KEY (market, key, asset));
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, market TEXT, symbol TEXT, key TEXT, client_id TEXT, side TEXT, type TEXT,
    time_in_force TEXT, price INTEGER, quantity INTEGER, filled INTEGER, worth INTEGER, status TEXT,
    created INTEGER, updated INTEGER, reduce_only INTEGER, position_side TEXT, reserved TEXT);
CREATE INDEX IF NOT EXISTS orders_by_client ON orders (key, market, client_id);
CREATE INDEX IF NOT EXISTS open_orders ON orders (status) WHERE status IN ('NEW', 'PARTIALLY_FILLED');
CREATE INDEX IF NOT EXISTS unfilled ON orders (updated) WHERE filled = 0 AND status IN ('CANCELED', 'EXPIRED');
CREATE TABLE IF NOT EXISTS fills (
    number INTEGER PRIMARY KEY, trade INTEGER, order_id INTEGER, market TEXT, symbol TEXT, key TEXT, client_id TEXT,
    side TEXT, price INTEGER, quantity INTEGER, at INTEGER, is_maker INTEGER, fee TEXT, fee_asset TEXT, realized TEXT,
    position_side TEXT);
CREATE INDEX IF NOT EXISTS fills_by_key ON fills (key, market, symbol, at);
CREATE INDEX IF NOT EXISTS fills_by_order ON fills (order_id);
CREATE TABLE IF NOT EXISTS positions (
    key TEXT, symbol TEXT, side TEXT, amount INTEGER, cost TEXT, updated INTEGER, PRIMARY KEY (key, symbol, side));
CREATE TABLE IF NOT EXISTS leverages (key TEXT, symbol TEXT, leverage INTEGER, PRIMARY KEY (key, symbol));
CREATE TABLE IF NOT EXISTS hedged (key TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS incomes (
    id INTEGER PRIMARY KEY, key TEXT, symbol TEXT, kind TEXT, amount TEXT, asset TEXT, at INTEGER, trade TEXT);
CREATE INDEX IF NOT EXISTS incomes_by_key ON incomes (key, at);
"""

_ORDER_COLUMNS = (
    "id, market, symbol, key, client_id, side, type, time_in_force, price, quantity, filled, worth, status,"
    " created, updated, reduce_only, position_side, reserved"
)


@dataclass(frozen=True, slots=True)
class StoredFill:
    """A fill as it is kept: prices in ticks, amounts in lots, `at` in Unix milliseconds."""

    trade: int
    order_id: int
    market: Market
    symbol: str
    key: str
    client_id: str
    side: Side
    price: int
    quantity: int
    at: int
    is_maker: bool
    fee: Decimal
    fee_asset: str
    realized: Decimal
    position_side: PositionSide


class Store:
    """The exchange's file; opened and created by the constructor."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._depth = 0
        self.broken = False
        """Whether a change failed half way: what is in memory is then not what is in the file."""

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are kept together or not at all; nested ones join the outer one."""
        if self._depth:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except Refused:
            # Requests are refused before they change anything.
            self._db.execute("ROLLBACK")
            raise
        except BaseException:
            self.broken = True
            self._db.execute("ROLLBACK")
            raise
        else:
            self._db.execute("COMMIT")
        finally:
            self._depth = 0

    def reserve_numbers(self, name: str, count: int) -> int:
        """The first of `count` numbers that nobody was given before, in this life of the process or another."""
        with self.transaction():
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
            first = int(row[0]) if row else 1
            self.write_fact(name, first + count)
        return first

    def fact(self, name: str) -> int | None:
        """A single number kept under a name."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else None

    def write_fact(self, name: str, value: int) -> None:
        """Keep a single number under a name."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, str(value)))

    # Keys and balances

    def keys(self) -> dict[str, str]:
        """Secret of each key."""
        return dict(self._db.execute("SELECT key, secret FROM keys").fetchall())

    def write_key(self, key: str, secret: str) -> None:
        """Keep a key."""
        self._db.execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", (key, secret))

    def balances(self) -> Iterator[tuple[Market, str, str, Decimal, Decimal]]:
        """Market, key, asset, free and locked of everything owned."""
        for market, key, asset, free, locked in self._db.execute("SELECT * FROM balances"):
            yield Market(market), key, asset, Decimal(free), Decimal(locked)

    def write_balance(self, market: Market, key: str, asset: str, free: Decimal, locked: Decimal) -> None:
        """Keep a balance."""
        self._db.execute(
            "INSERT OR REPLACE INTO balances VALUES (?, ?, ?, ?, ?)", (market, key, asset, str(free), str(locked))
        )

    # Orders and fills

    def write_order(self, order: Order) -> None:
        """Keep an order as it stands."""
        values = (
            order.id,
            order.instrument.market,
            order.instrument.symbol,
            order.owner,
            order.client_id,
            order.side,
            order.type,
            order.time_in_force,
            order.price,
            order.quantity,
            order.filled,
            order.worth,
            order.status,
            order.created,
            order.updated,
            order.reduce_only,
            order.position_side,
            str(order.reserved),
        )
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR REPLACE INTO orders ({_ORDER_COLUMNS}) VALUES ({marks})", values)  # noqa: S608 -- only names of columns

    def orders(self, condition: str, *values: object, tail: str = "ORDER BY id") -> list[Order]:
        """Orders that satisfy an SQL condition."""
        rows = self._db.execute(f"SELECT {_ORDER_COLUMNS} FROM orders WHERE {condition} {tail}", values)  # noqa: S608 -- our own text
        return [_order(row) for row in rows]

    def open_orders(self) -> list[Order]:
        """All orders that may still trade, oldest first."""
        return self.orders("status IN ('NEW', 'PARTIALLY_FILLED')")

    def forget_unfilled(self, before: int, limit: int) -> None:
        """Forget some orders that ended before a time in Unix milliseconds and never traded."""
        self._db.execute(
            "DELETE FROM orders WHERE id IN (SELECT id FROM orders WHERE filled = 0"
            " AND status IN ('CANCELED', 'EXPIRED') AND updated < ? LIMIT ?)",
            (before, limit),
        )

    def write_fill(self, fill: Fill) -> None:
        """Keep a fill."""
        order, trade = fill.order, fill.trade
        self._db.execute(
            "INSERT INTO fills VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                trade.id,
                order.id,
                order.instrument.market,
                order.instrument.symbol,
                order.owner,
                order.client_id,
                order.side,
                trade.price,
                trade.quantity,
                trade.at,
                fill.is_maker,
                str(fill.fee),
                fill.fee_asset,
                str(fill.realized),
                order.position_side,
            ),
        )

    def fills(self, condition: str, *values: object, tail: str = "ORDER BY trade") -> list[StoredFill]:
        """Fills that satisfy an SQL condition."""
        rows = self._db.execute(f"SELECT * FROM fills WHERE {condition} {tail}", values)  # noqa: S608 -- our own text
        return [
            StoredFill(
                trade=row[1],
                order_id=row[2],
                market=Market(row[3]),
                symbol=row[4],
                key=row[5],
                client_id=row[6],
                side=Side(row[7]),
                price=row[8],
                quantity=row[9],
                at=row[10],
                is_maker=bool(row[11]),
                fee=Decimal(row[12]),
                fee_asset=row[13],
                realized=Decimal(row[14]),
                position_side=PositionSide(row[15]),
            )
            for row in rows
        ]

    # Perpetual accounts

    def positions(self) -> list[tuple[str, str, PositionSide, int, Decimal, int]]:
        """Key, symbol, side, signed lots, entry cost in quote and time of every position."""
        rows = self._db.execute("SELECT key, symbol, side, amount, cost, updated FROM positions")
        return [(row[0], row[1], PositionSide(row[2]), row[3], Decimal(row[4]), row[5]) for row in rows]

    def write_position(
        self, key: str, symbol: str, side: PositionSide, amount: int, cost: Decimal, updated: int
    ) -> None:
        """Keep a position."""
        self._db.execute(
            "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?)",
            (key, symbol, side, amount, str(cost), updated),
        )

    def leverages(self) -> dict[tuple[str, str], int]:
        """Leverage by key and symbol, where it was set."""
        rows = self._db.execute("SELECT key, symbol, leverage FROM leverages")
        return {(key, symbol): leverage for key, symbol, leverage in rows}

    def write_leverage(self, key: str, symbol: str, leverage: int) -> None:
        """Keep a leverage."""
        self._db.execute("INSERT OR REPLACE INTO leverages VALUES (?, ?, ?)", (key, symbol, leverage))

    def hedged(self) -> set[str]:
        """Keys in hedge mode."""
        return {row[0] for row in self._db.execute("SELECT key FROM hedged")}

    def write_hedged(self, key: str, *, hedged: bool) -> None:
        """Keep a key's position mode."""
        if hedged:
            self._db.execute("INSERT OR REPLACE INTO hedged VALUES (?)", (key,))
        else:
            self._db.execute("DELETE FROM hedged WHERE key = ?", (key,))

    def write_income(
        self, key: str, symbol: str, kind: str, amount: Decimal, asset: str, at: int, trade: str
    ) -> None:
        """Keep a change of a perpetual wallet that is not a transfer."""
        self._db.execute(
            "INSERT INTO incomes VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            (key, symbol, kind, str(amount), asset, at, trade),
        )

    def incomes(
        self, key: str, symbol: str | None, kind: str | None, start: int, end: int, limit: int
    ) -> list[tuple[int, str, str, Decimal, str, int, str]]:
        """Number, symbol, kind, amount, asset, time and trade of a key's incomes, oldest first."""
        rows = self._db.execute(
            "SELECT id, symbol, kind, amount, asset, at, trade FROM incomes WHERE key = ? AND at BETWEEN ? AND ?"
            " AND (? IS NULL OR symbol = ?) AND (? IS NULL OR kind = ?) ORDER BY id DESC LIMIT ?",
            (key, start, end, symbol, symbol, kind, kind, limit),
        ).fetchall()
        return [(row[0], row[1], row[2], Decimal(row[3]), row[4], row[5], row[6]) for row in reversed(rows)]


def _order(values: tuple[Any, ...]) -> Order:
    return Order(
        id=values[0],
        owner=values[3],
        instrument=INSTRUMENTS[Market(values[1])][values[2]],
        client_id=values[4],
        side=Side(values[5]),
        type=OrderType(values[6]),
        time_in_force=TimeInForce(values[7]),
        price=values[8],
        quantity=values[9],
        filled=values[10],
        worth=values[11],
        status=Status(values[12]),
        created=values[13],
        updated=values[14],
        reduce_only=bool(values[15]),
        position_side=PositionSide(values[16]),
        reserved=Decimal(values[17]),
    )
