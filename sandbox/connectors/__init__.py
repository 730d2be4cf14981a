"""The connectors `sandbox` and `sandbox_perpetual`: hummingbot's own for Binance, pointed at this exchange.

`register()` makes them appear wherever hummingbot looks for a connector. Their modules are found through the
import path of hummingbot's packages, so nothing depends on the working folder or on files in site-packages.
"""

from aviary.sandbox.connectors.registration import register

__all__ = ["register"]
