"""`tree`: the live supervision tree, drawn in a terminal."""

from __future__ import annotations

import sys
from typing import Any

from aviary.commands.client import NotRunning, Refused, running_server
from aviary.config.clock import pause
from aviary.config.settings import SettingsError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

COLOURS = {
    "running": "green",
    "degraded": "yellow",
    "starting": "cyan",
    "backing_off": "yellow",
    "stopping": "cyan",
    "stopped": "dim",
    "parked": "red",
}

NOTE = "last failure, next try"

UNLIMITED = 10_000
"""Columns that no line of a tree has."""


def show_tree(*, watch: bool) -> int:
    """Print the tree once, or every second until interrupted; answers the exit code."""
    # A pipe or a file has no width: what reads it wants whole lines.
    console = Console() if sys.stdout.isatty() else Console(width=UNLIMITED)
    try:
        client, _ = running_server()
        while True:
            table = draw(client.call("GET", "/supervision/tree"))
            if watch:
                console.clear()
            console.print(table)
            if not watch:
                return 0
            pause(1.0)
    except (NotRunning, Refused, SettingsError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def draw(answer: dict[str, Any]) -> Table:
    """A table with one row an actor, indented by its place in the tree."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("actor", "state", "life", "restarts", "mailbox", "uptime", NOTE):
        table.add_column(
            heading,
            justify="right" if heading in {"life", "restarts", "mailbox", "uptime"} else "left",
            no_wrap=heading != NOTE,
        )
    cells = answer["actors"]
    children: dict[str | None, list[dict[str, Any]]] = {}
    for cell in cells:
        children.setdefault(cell["parent"], []).append(cell)

    def add(cell: dict[str, Any], lead: str, tail: str) -> None:
        name = cell["address"] if cell["parent"] in {None, "aviary"} else cell["address"].rsplit("/", 1)[-1]
        colour = COLOURS.get(cell["state"], "white")
        table.add_row(
            lead + escape(name),
            f"[{colour}]{cell['state']}[/]",
            str(cell["incarnation"]),
            str(cell["restarts"]),
            str(cell["mailbox"]),
            duration(cell["uptime"]),
            escape(note(cell)),
        )
        below = children.get(cell["address"], [])
        for place, child in enumerate(below):
            last = place == len(below) - 1
            add(child, tail + ("└─ " if last else "├─ "), tail + ("   " if last else "│  "))

    for root in children.get(None, []):
        add(root, "", "")
    return table


def note(cell: dict[str, Any]) -> str:
    """What went wrong last, and what happens next."""
    parts = [cell["degraded"] or "", (cell["last_failure"] or "")[:80]]
    if cell["next_try_at"] is not None:
        parts.append(f"try {cell['attempt']} is waiting")
    return "; ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """A length of time in its two largest units."""
    whole = int(seconds)
    for unit, size, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // part:02d}{smaller}"
    return f"{whole}s"
