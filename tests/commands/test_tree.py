import io

import pytest
from aviary.commands.tree import draw, duration
from rich.console import Console


def cell(address: str, parent: str | None, **changes: object) -> dict[str, object]:
    return {
        "address": address,
        "parent": parent,
        "state": "running",
        "incarnation": 1,
        "restarts": 0,
        "mailbox": 0,
        "uptime": 5.0,
        "degraded": None,
        "last_failure": None,
        "attempt": 0,
        "next_try_at": None,
    } | changes


def drawn(*cells: dict[str, object], width: int = 160) -> list[str]:
    screen = io.StringIO()
    Console(file=screen, width=width).print(draw({"actors": list(cells)}))
    return [line.rstrip() for line in screen.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (59.9, "59s"), (60.0, "1m00s"), (3_725.0, "1h02m"), (90_000.0, "1d01h")],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_children_are_drawn_below_their_supervisor_by_their_own_names() -> None:
    lines = drawn(
        cell("aviary", None),
        cell("broker", "aviary"),
        cell("bots", "aviary"),
        cell("broker/link", "broker"),
        cell("bots/mm-1", "bots"),
    )

    names = [line.split(" running")[0].rstrip() for line in lines[1:]]
    assert names == ["aviary", "├─ broker", "│  └─ link", "└─ bots", "   └─ mm-1"]


def test_one_that_waits_for_its_next_try_says_why() -> None:
    lines = drawn(
        cell("aviary", None),
        cell("bots", "aviary", state="backing_off", attempt=3, next_try_at=1.0, last_failure="it broke"),
    )

    assert "backing_off" in lines[-1]
    assert "it broke; try 3 is waiting" in lines[-1]


def test_a_failure_in_brackets_is_told_as_it_is() -> None:
    failed = cell("feeds", None, last_failure="[/x] of [sandbox]: no")

    assert any("[/x] of [sandbox]: no" in line for line in drawn(failed))


def test_a_name_is_never_broken_however_narrow_the_screen() -> None:
    long = cell("database-reader-1", "aviary", last_failure="nothing was heard of it for a very long time")

    lines = drawn(cell("aviary", None), long, width=70)

    assert any("└─ database-reader-1" in line for line in lines)
