"""Every row of the server."""

from aviary.http.routes import (
    accounts,
    bot_orchestration,
    connectors,
    controllers,
    market_data,
    portfolio,
    rate_oracle,
    sandbox,
    scripts,
    supervision,
    system,
    trading,
)

ROWS = (
    *accounts.ROWS,
    *bot_orchestration.ROWS,
    *connectors.ROWS,
    *controllers.ROWS,
    *market_data.ROWS,
    *portfolio.ROWS,
    *rate_oracle.ROWS,
    *sandbox.ROWS,
    *scripts.ROWS,
    *supervision.ROWS,
    *system.ROWS,
    *trading.ROWS,
)
