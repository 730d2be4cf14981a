"""Measures a whole server: its first answer, what it takes when idle, and how fast a killed bot is back.

Usage: `python benchmarks/server.py [--starts 5] [--kills 5] [--idle 20]`. Everything runs on a folder of its own and
is ended afterwards. Memory is PSS: pages that processes share count by their share.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
from pathlib import Path

import psutil
from aviary.actors.runtimes.daemon import find_daemon
from aviary.commands import demo
from aviary.commands.client import Client, client_of
from aviary.config.clock import SystemClock, pause
from aviary.config.layout import Layout
from aviary.config.settings import Settings


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--starts", type=int, default=5)
    words.add_argument("--kills", type=int, default=5)
    words.add_argument("--idle", type=float, default=20.0)
    chosen = words.parse_args()
    first_answers(chosen.starts)
    with tempfile.TemporaryDirectory(prefix="aviary-bench-") as folder:
        home = Path(folder)
        story = demo.Story()
        with demo.server(home, story) as client:
            pause(chosen.idle)
            memory(home)
            bot = demo.deploy(client, story)
            pause(5.0)
            memory(home)
            kills(client, bot, chosen.kills)
            demo.wind_down(client, bot, story)


def first_answers(count: int) -> None:
    """Seconds from the process's start to its first answer, on an empty folder each time."""
    seconds = []
    for _ in range(count):
        with tempfile.TemporaryDirectory(prefix="aviary-bench-") as folder:
            story = QuietStory()
            with demo.server(Path(folder), story):
                seconds.append(story.first_wait)
    print(
        f"first answer after the process's start, {count} starts: median {statistics.median(seconds):.2f} s,"
        f" {min(seconds):.2f} to {max(seconds):.2f} s (looked at every 0.1 s)"
    )


class QuietStory(demo.Story):
    """Says nothing, and keeps how long the first wait took."""

    def __init__(self) -> None:
        super().__init__()
        self.first_wait = 0.0

    def tell(self, text: str) -> None:
        """Nothing."""

    def wait_until[R](self, what: str, look: object) -> tuple[R, float]:
        """As always, and remember the first."""
        seen, waited = super().wait_until(what, look)  # type: ignore[arg-type]
        self.first_wait = self.first_wait or waited
        return seen, waited  # type: ignore[return-value]


def memory(home: Path) -> None:
    """The memory of every process of the server, and its processor share over two seconds."""
    layout = Layout(home)
    server = int(client_of(Settings.model_validate({"aviary_home": home}))[1])
    known = {server: "server"}
    for name, folder in (("simulated exchange", layout.sandbox), ("broker", layout.broker)):
        daemon = find_daemon(folder / "daemon.json")
        if daemon is not None:
            known[daemon.pid] = name
    processes = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(home) in " ".join(process.info["cmdline"] or ())
    ]
    family = {process.pid: process for process in [psutil.Process(server), *processes]}
    for process in family.values():
        process.cpu_percent()
    pause(2.0)
    for pid, process in sorted(family.items()):
        name = known.get(pid) or f"hummingbot: {Path(process.cwd()).name}"
        used = process.memory_full_info().pss / 2**20
        print(f"  {name:32} {used:7.1f} MB PSS  {process.cpu_percent():5.1f} % of a core")


def kills(client: Client, bot: str, count: int) -> None:
    """Seconds from `kill -9` of a bot to its quotes and to its next fill."""
    clock = SystemClock()
    story = QuietStory()
    quoting, filled = [], []
    for _ in range(count):
        pid = demo.bot_pid(client, bot)
        began = clock.monotonic()
        os.kill(pid, signal.SIGKILL)
        old = {order["order_id"] for order in demo.open_orders(client)}
        story.wait_until("it quotes", lambda old=old: demo.quoting_anew(client, old))
        quoting.append(clock.monotonic() - began)
        fills = demo.fills_of(client) or 0
        story.wait_until("it trades", lambda fills=fills: demo.more_fills(client, fills))
        filled.append(clock.monotonic() - began)
    print(f"kill -9 of a bot, {count} in a row, the backoff included:")
    print("  quoting again after " + ", ".join(f"{one:.1f}" for one in quoting) + " s")
    print("  next fill after " + ", ".join(f"{one:.1f}" for one in filled) + " s")


if __name__ == "__main__":
    main()
