"""A process is killed before each single statement of an order's life; what it leaves is consistent."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from aviary.persistence.database import open_database
from aviary.persistence.migrations import integrity_problems
from aviary.persistence.repositories import Repositories

WRITER = """
import json, os, signal, sys
from decimal import Decimal
from pathlib import Path
from aviary.config.clock import FakeClock
from aviary.persistence.database import open_database
from aviary.persistence.fills import Fill
from aviary.persistence.migrations import migrate
from aviary.persistence.orders import Order
from aviary.persistence.repositories import Repositories

ORDER = Order(client_order_id="c", account="a", connector="s", trading_pair="BTC-USDT", side="BUY",
    order_type="LIMIT", amount=Decimal(2), price=Decimal(1), created_at=1.0, updated_at=1.0)

def fill(number):
    return Fill(trade_id=f"t-{number}", client_order_id="c", account="a", connector="s",
        trading_pair="BTC-USDT", side="BUY", amount=Decimal(1), price=Decimal(1), timestamp=2.0)

def live(path, fatal, acknowledge):
    database = open_database(None, path)
    database.connect()
    migrate(database, FakeClock())
    left = fatal

    def before_each_statement(_statement):
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    database.connection().set_trace_callback(before_each_statement)
    records = Repositories(database)
    for name, work in (
        ("intent", lambda: records.orders.record_intent(ORDER)),
        ("open", lambda: records.orders.record_outcome("a", "s", "c", "open", at=2.0, exchange_order_id="7")),
        ("first", lambda: records.fills.record(fill(1), at=3.0)),
        ("cancel", lambda: records.orders.request_cancel("a", "s", "c", at=4.0)),
        ("second", lambda: records.fills.record(fill(2), at=5.0)),
    ):
        work()
        os.write(acknowledge, name.encode() + b" ")

folder = Path(sys.argv[1])
acknowledged = []
for fatal in range(1000):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        live(folder / f"{fatal}.sqlite", fatal, writing)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as words:
        acknowledged.append(words.read().split())
    if os.waitpid(child, 0)[1] == 0:
        break
print(json.dumps(acknowledged))
"""


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, list[str]]]:
    folder = tmp_path_factory.mktemp("lives")
    writer = subprocess.run(
        [sys.executable, "-c", WRITER, str(folder)], check=True, capture_output=True, text=True, timeout=60
    )
    return [(folder / f"{fatal}.sqlite", words) for fatal, words in enumerate(json.loads(writer.stdout))]


def test_every_statement_was_the_last_one_once(lives: list[tuple[Path, list[str]]]) -> None:
    # Five transactions, each of at least a begin, a read or a write, and a commit.
    assert len(lives) > 15
    assert lives[0][1] == []
    assert lives[-1][1] == ["intent", "open", "first", "cancel", "second"]


def test_what_was_acknowledged_is_there_and_nothing_is_there_by_half(
    lives: list[tuple[Path, list[str]]],
) -> None:
    for path, acknowledged in lives:
        database = open_database(None, path)
        with database.connection_context():
            assert integrity_problems(database) == ()
            records = Repositories(database)
            order = records.orders.get("a", "s", "c")
            fills = records.fills.of_order("a", "s", "c")
        if order is None:
            assert (acknowledged, fills) == ([], ())
            continue
        # The fills and what the order says of them are written together.
        assert order.filled_amount == sum((fill.amount for fill in fills), Decimal(0))
        assert (order.state == "filled") == (order.filled_amount == order.amount)
        assert len(fills) >= ("first" in acknowledged) + ("second" in acknowledged)
        if "open" in acknowledged:
            assert order.exchange_order_id == "7"
            assert order.state != "intent"
        if "cancel" in acknowledged:
            assert order.cancel_requested
