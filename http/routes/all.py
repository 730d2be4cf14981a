"""Every row of the server."""

from aviary.http.routes import bot_orchestration, controllers, market_data, sandbox, scripts, supervision

ROWS = (
    *bot_orchestration.ROWS,
    *controllers.ROWS,
    *market_data.ROWS,
    *sandbox.ROWS,
    *scripts.ROWS,
    *supervision.ROWS,
)
