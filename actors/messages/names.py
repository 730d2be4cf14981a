"""What connectors and trading pairs may be called."""

from typing import Annotated

from pydantic import StringConstraints

type ConnectorName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,60}$")]
type TradingPair = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_$]{1,40}-[A-Za-z0-9.:_$]{1,40}$")]
"""Base and quote asset, such as `BTC-USDT`. Colons and dollar signs are in names of some exchanges."""
