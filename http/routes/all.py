"""Every row of the server."""

from aviary.http.routes import (
    accounts,
    bot_orchestration,
    connectors,
    controllers,
    market_data,
    portfolio,
    sandbox,
    scripts,
    supervision,
    trading,
)

ROWS = (
    *accounts.ROWS,
    *bot_orchestration.ROWS,
    *connectors.ROWS,
    *controllers.ROWS,
    *market_data.ROWS,
    *portfolio.ROWS,
    *sandbox.ROWS,
    *scripts.ROWS,
    *supervision.ROWS,
    *trading.ROWS,
)
