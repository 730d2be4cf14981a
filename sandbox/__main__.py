"""`python -m aviary.sandbox`: run the exchange as a process of its own."""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from aiohttp import web
from aviary.config.clock import SystemClock
from aviary.config.files import keep_private, replace_file
from aviary.sandbox.exchange import Exchange, Settings
from aviary.sandbox.web.app import application

ANNOUNCEMENT = "sandbox.json"
"""File in the data folder that says where the exchange listens; it is there while the exchange runs."""

SHUTDOWN_TIMEOUT = 2.0
"""Seconds that requests under way have to finish after SIGTERM."""


def main() -> None:
    """Parse the command line and serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m aviary.sandbox", description="A simulated exchange.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="folder of the exchange's file")
    parser.add_argument("--seed", type=int, default=1, help="seed of the market")
    parser.add_argument("--volatility", type=float, default=1.0, help="how lively the market is; 1 is usual")
    parser.add_argument("--funding-interval", type=int, default=8 * 3600, help="seconds between funding payments")
    arguments = parser.parse_args()
    settings = Settings(arguments.seed, arguments.volatility, arguments.funding_interval)
    keep_private(arguments.data)
    asyncio.run(serve(arguments.host, arguments.port, arguments.data, settings))
    (arguments.data / ANNOUNCEMENT).unlink(missing_ok=True)


async def serve(host: str, port: int, directory: Path, settings: Settings) -> None:
    """Serve the exchange until SIGTERM or SIGINT."""
    exchange = Exchange(directory, SystemClock(), settings)
    runner = web.AppRunner(application(exchange), access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
    await runner.setup()
    site = web.TCPSite(runner, host, port, reuse_address=True)
    await site.start()
    address = runner.addresses[0]
    _announce(directory, str(address[0]), int(address[1]))
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await runner.cleanup()
    exchange.close()


def _announce(directory: Path, host: str, port: int) -> None:
    """Write where the exchange listens, at once and whole, and say that it is ready."""
    ready = {"host": host, "port": port, "pid": os.getpid()}
    replace_file(directory / ANNOUNCEMENT, json.dumps(ready), durable=False)
    sys.stdout.write(f"sandbox exchange ready on http://{host}:{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
