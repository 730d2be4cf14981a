"""Hummingbot's own connectors and feeds on the exchange, each scene in a process of its own."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aviary.sandbox.testing import SandboxProcess

PROGRAM = Path(__file__).parent / "sandbox_hummingbot_run.py"

KEY = "sandbox-hummingbot"


async def play(sandbox: SandboxProcess, scene: str, folder: Path) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), sandbox.url, scene, stdout=PIPE, stderr=PIPE, cwd=folder
    )
    async with asyncio.timeout(55):
        output, errors = await process.communicate()
    found = [line for line in output.decode().splitlines() if line.startswith("RESULT ")]
    assert found, errors.decode()[-4000:]
    return dict(json.loads(found[0].removeprefix("RESULT ")))


@pytest.mark.whole
async def test_the_spot_connector_trades(sandbox: SandboxProcess, tmp_path: Path) -> None:
    seen = await play(sandbox, "spot", tmp_path)

    assert seen["name"] == "sandbox"
    assert seen["bids"] > 20
    assert seen["rule"] == "0.01"
    assert seen["open"] == []
    own = (await sandbox.balances(KEY))["spot"]
    assert Decimal(seen["btc"]) == Decimal(own["BTC"]["free"])
    assert Decimal(seen["usdt"]) == Decimal(seen["available"]) == Decimal(own["USDT"]["free"])
    assert {each["status"] for each in await sandbox.orders(KEY, market="spot")} == {"FILLED", "CANCELED"}


@pytest.mark.whole
async def test_the_perpetual_connector_trades_a_position(sandbox: SandboxProcess, tmp_path: Path) -> None:
    seen = await play(sandbox, "perpetual", tmp_path)

    assert seen["name"] == "sandbox_perpetual"
    assert (seen["side"], seen["amount"], seen["leverage"]) == ("LONG", "0.020", "5")
    assert Decimal(seen["mark"]) > 0
    assert abs(Decimal(seen["rate"])) < Decimal("0.001")
    own = (await sandbox.balances(KEY))["perpetual"]
    assert Decimal(seen["usdt"]) == Decimal(own["USDT"]["free"])
    assert await sandbox.positions(KEY) == []


@pytest.mark.whole
@pytest.mark.parametrize("scene", ["data", "late"])
async def test_feeds_settings_and_rates_know_the_connectors_whenever_they_are_registered(
    sandbox: SandboxProcess, tmp_path: Path, scene: str
) -> None:
    seen = await play(sandbox, scene, tmp_path)

    # Binance's futures leave out the newest candle of a range when a limit is given, and so does the sandbox.
    for name, history in (("sandbox", 6001), ("sandbox_perpetual", 6000)):
        assert seen[name] == {"candles": 50, "steps": [60.0], "history": history}
    assert seen["pairs"] == ["BNB-USDT", "BTC-USDT", "ETH-BTC", "ETH-USDT", "SOL-USDT"]
    assert seen["source"] == "sandbox"
    assert Decimal(seen["rate"]) > 1000
    assert seen["fees"] == "0.001"
