"""What tokens are worth in one another."""

from aviary.actors.messages.rates import (
    GetRate,
    GetRateConfig,
    GetRates,
    GetSourcePrices,
    ListRateSources,
    SetRateConfig,
)
from aviary.http.routing import Row

ORACLE = "rate-oracle"

PATIENCE = 45.0
"""Seconds for reading a source; the host may have to start first."""

ROWS = (
    Row("GET", "/rate-oracle/sources", ListRateSources, ORACLE, timeout=PATIENCE),
    Row("GET", "/rate-oracle/config", GetRateConfig, ORACLE, timeout=PATIENCE),
    Row("PUT", "/rate-oracle/config", SetRateConfig, ORACLE, timeout=PATIENCE),
    Row("POST", "/rate-oracle/rates", GetRates, ORACLE, timeout=PATIENCE),
    Row(
        "GET",
        "/rate-oracle/rate/{trading_pair}",
        GetRate,
        ORACLE,
        summary="The rate of a pair, from prices of the last seconds",
        timeout=PATIENCE,
        fixed={"anew": False},
    ),
    Row(
        "GET",
        "/rate-oracle/rate-async/{trading_pair}",
        GetRate,
        ORACLE,
        summary="The rate of a pair, from prices that are read for it",
        timeout=PATIENCE,
        fixed={"anew": True},
    ),
    Row("GET", "/rate-oracle/prices", GetSourcePrices, ORACLE, timeout=PATIENCE),
)
