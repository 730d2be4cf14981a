"""Rates as an engine host reads them."""

from decimal import Decimal

import pytest
from aviary.actors.core.ports.port import PortRefusal
from aviary.sandbox.testing import SandboxProcess
from engine_neighbours import Host

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_simulated_exchange_is_a_source_of_prices_and_volumes(host: Host) -> None:
    assert {"sandbox", "binance"} <= set(await host.call("rate_sources"))
    prices = await host.call("source_prices", source="sandbox", quote_token="USDT")
    volumes = await host.call("source_volumes", source="sandbox")

    assert set(prices) == {"BTC-USDT", "ETH-USDT", "SOL-USDT", "BNB-USDT", "ETH-BTC"}
    assert Decimal(prices["BTC-USDT"]) > Decimal(prices["ETH-USDT"])
    assert set(volumes) == set(prices)
    assert all(Decimal(number) >= 0 for pair in volumes.values() for number in pair)


async def test_an_unknown_source_is_a_clear_no(host: Host) -> None:
    with pytest.raises(PortRefusal, match="no rate source nosuch") as refused:
        await host.call("source_prices", source="nosuch", quote_token="USDT")

    assert refused.value.kind == "not_found"


async def test_a_source_out_of_reach_gives_no_prices_and_the_next_question_finds_it_again(
    host: Host, exchange: SandboxProcess
) -> None:
    await host.call("source_prices", source="sandbox", quote_token="USDT")
    await exchange.faults("http_5xx", seconds=30)

    with pytest.raises(PortRefusal) as refused:
        await host.call("source_prices", source="sandbox", quote_token="USDT")

    assert refused.value.kind == "unavailable"
    await exchange.clear_faults()
    assert await host.call("source_prices", source="sandbox", quote_token="USDT")
