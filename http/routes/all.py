"""Every row of the server."""

from aviary.http.routes import bot_orchestration, controllers, sandbox, scripts, supervision

ROWS = (*bot_orchestration.ROWS, *controllers.ROWS, *sandbox.ROWS, *scripts.ROWS, *supervision.ROWS)
