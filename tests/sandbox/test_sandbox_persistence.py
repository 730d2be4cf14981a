"""What the exchange knows after it was killed."""

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from aviary.sandbox.testing import SandboxProcess, running_sandbox
from sandbox_client import Client


async def state(sandbox: SandboxProcess, key: str) -> dict[str, Any]:
    return {
        "orders": await sandbox.orders(key),
        "fills": await sandbox.fills(key),
        "balances": await sandbox.balances(key),
        "positions": [(each["symbol"], each["side"], each["amount"]) for each in await sandbox.positions(key)],
    }


async def test_a_killed_exchange_comes_back_with_every_order_and_balance(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path) as sandbox:
        async with Client(sandbox.url, "sandbox1") as client:
            bid, _ = await client.best()
            price = f"{bid * Decimal('0.8'):.2f}"
            await client.buy(type="LIMIT", quantity="0.01", price=price, newClientOrderId="rests")
            await client.buy(type="MARKET", quantity="0.02")
            await client.signed("POST", "/fapi/v1/leverage", symbol="ETHUSDT", leverage=7)
            perpetual = {"symbol": "ETHUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.5"}
            await client.order("/fapi/v1/order", **perpetual)
        before = await state(sandbox, "sandbox1")
        await sandbox.kill()

        await sandbox.restart_same_port()

        assert await state(sandbox, "sandbox1") == before
        assert before["positions"] == [("ETHUSDT", "BOTH", "-0.500")]
        async with Client(sandbox.url, "sandbox1") as client:
            _, orders = await client.signed("GET", "/api/v3/openOrders")
            assert [each["clientOrderId"] for each in orders] == ["rests"]
            _, new = await client.buy(type="MARKET", quantity="0.01")
            assert new["orderId"] > max(each["order_id"] for each in before["orders"])
            assert new["fills"][0]["tradeId"] > max(each["trade_id"] for each in before["fills"])
            status, _ = await client.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="rests")
            assert status == 200
            _, risk = await client.signed("GET", "/fapi/v2/positionRisk", symbol="ETHUSDT")
            assert risk[0]["leverage"] == "7"


async def test_what_was_answered_before_a_kill_is_known_after_it(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path) as sandbox:
        answered = []
        async with Client(sandbox.url, "sandbox1") as client:
            bid, _ = await client.best()
            price = f"{bid * Decimal('0.8'):.2f}"
            try:
                for number in range(40):
                    order = {"type": "LIMIT", "quantity": "0.001", "price": price}
                    status, _ = await client.buy(newClientOrderId=f"n{number}", **order)
                    assert status == 200
                    answered.append(f"n{number}")
                    if number == 20:
                        await sandbox.kill()
            except aiohttp.ClientError:
                pass
        await sandbox.restart_same_port()
        known = {each["client_order_id"] for each in await sandbox.orders("sandbox1", open_only=True)}
        assert set(answered) <= known
        locked = Decimal((await sandbox.balances("sandbox1"))["spot"]["USDT"]["locked"])
        assert locked == len(known) * Decimal(price) * Decimal("0.001")


async def test_a_stopped_exchange_ends_cleanly_with_clients_connected(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path) as sandbox, Client(sandbox.url, "sandbox1") as client:
        socket = await client.user_stream()
        assert await sandbox.stop() == 0
        await socket.close()


async def test_funding_that_fell_due_while_the_exchange_was_away_is_paid_once(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, options=("--funding-interval", "2")) as sandbox:
        async with Client(sandbox.url, "sandbox1") as client:
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
            await client.order("/fapi/v1/order", **order)
            await sandbox.kill()
            await sandbox.restart_same_port()

        async with Client(sandbox.url, "sandbox1") as client:

            async def payments() -> list[dict[str, Any]]:
                _, rows = await client.signed("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
                return list(rows)

            rows: list[dict[str, Any]] = []
            while len(rows) < 2:
                rows = await payments()
            times = [each["time"] for each in rows]
            assert all(b - a == 2000 for a, b in itertools.pairwise(times))
            _, rates = await client.public(
                "/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=times[0], endTime=times[0]
            )
            due = -Decimal("0.1") * Decimal(rates[0]["markPrice"]) * Decimal(rates[0]["fundingRate"])
            assert abs(Decimal(rows[0]["income"]) - due) < Decimal("0.001")
