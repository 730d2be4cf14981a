"""Where the simulated exchange is."""

from aviary.actors.messages.sandbox import GetSandbox
from aviary.http.routing import Row

ROWS = (
    Row(
        "GET",
        "/sandbox",
        GetSandbox,
        "sandbox",
        summary="Where the simulated exchange listens; its own interface for faults and books is under /_sandbox/",
        missing="The simulated exchange is turned off",
    ),
)
