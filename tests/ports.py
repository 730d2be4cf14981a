"""Ports for what has to be told its port before it starts."""

import random
import socket

FIRST, LAST = 20_000, 32_000
"""Below those that Linux gives to connections, so that none of them takes a port before its server does."""


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    # Not the shared source of chance, which every test draws the same numbers from.
    dice = random.SystemRandom()
    while True:
        port = dice.randint(FIRST, LAST)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
