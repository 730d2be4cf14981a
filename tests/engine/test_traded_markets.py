"""Where a dead bot may have left orders, read without a look at its code."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

LOOK = """
import json, sys
from pathlib import Path
from aviary.actors.engine.bots.orders import traded_markets

found = traded_markets(Path(sys.argv[1]), Path(sys.argv[2]))
print(json.dumps({connector: sorted(pairs) for connector, pairs in found.items()}))
"""
"""Hummingbot is imported in a process of its own."""

TABLES = {
    "Order": ("market", "symbol"),
    "AviaryExecutorOrder": ("connector_name", "trading_pair"),
}


@pytest.mark.parametrize("tables", [("Order",), ("AviaryExecutorOrder",), ("Order", "AviaryExecutorOrder"), ()])
def test_either_record_tells_the_markets_and_a_torn_configuration_hides_none(
    tmp_path: Path, tables: tuple[str, ...]
) -> None:
    """Hummingbot writes an order down some time after it was sent; the executors' record is there before."""
    with sqlite3.connect(tmp_path / "bot.sqlite") as database:
        for table in tables:
            market, pair = TABLES[table]
            database.execute(f'CREATE TABLE "{table}" ({market} TEXT, {pair} TEXT)')
            database.execute(f'INSERT INTO "{table}" VALUES (?, ?)', ("sandbox", f"{table}-USDT"))
    database.close()
    (tmp_path / "torn.yml").write_text("][")
    (tmp_path / "good.yml").write_text("connector_name: sandbox\ntrading_pair: ETH-USDT\n")

    looked = subprocess.run(
        [sys.executable, "-c", LOOK, str(tmp_path / "bot.sqlite"), str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    found = json.loads(looked.stdout.splitlines()[-1])
    assert found == {"sandbox": sorted([*(f"{table}-USDT" for table in tables), "ETH-USDT"])}


KILLED_WHILE_IT_WRITES = """
import os, sqlite3, sys

database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute('CREATE TABLE "Order" (market TEXT, symbol TEXT)')
database.execute('INSERT INTO "Order" VALUES (?, ?)', ("sandbox", "BTC-USDT"))
database.execute("BEGIN")
for n in range(2_000):
    database.execute('INSERT INTO "Order" VALUES (?, ?)', ("sandbox", f"unfinished-{n}"))
os._exit(9)
"""


def test_what_was_being_written_at_the_kill_is_undone_and_hides_nothing(tmp_path: Path) -> None:
    file = tmp_path / "bot.sqlite"
    subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_WRITES, str(file)], check=False)
    assert file.with_name("bot.sqlite-journal").stat().st_size > 0

    looked = subprocess.run(
        [sys.executable, "-c", LOOK, str(file), str(tmp_path)], check=True, capture_output=True, text=True
    )

    assert json.loads(looked.stdout) == {"sandbox": ["BTC-USDT"]}
