"""Every row of the server."""

from aviary.http.routes import market_data, sandbox, supervision

ROWS = (
    *market_data.ROWS,
    *sandbox.ROWS,
    *supervision.ROWS,
)
