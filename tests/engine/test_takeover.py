"""What is taken over of a dead bot's executors: amounts, prices, fees, and patience with the exchange."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ENTRIES: dict[str, tuple[dict[str, Any], list[str] | None]] = {
    "nothing traded": ({"side": "BUY", "fills": []}, None),
    "all of it": ({"side": "BUY", "fills": [["BUY", "1", "100"]]}, ["1", "100", "0"]),
    "several parts at their average": (
        {"side": "BUY", "fills": [["BUY", "1", "100"], ["BUY", "3", "104"]]},
        ["4", "103", "0"],
    ),
    "a short one": ({"side": "SELL", "fills": [["SELL", "2", "100"]]}, ["2", "100", "0"]),
    "the half that was not sold yet": (
        {"side": "BUY", "fills": [["BUY", "2", "100"], ["SELL", "1", "110"]]},
        ["1", "100", "0"],
    ),
    "the half of a short one that was not bought back": (
        {"side": "SELL", "fills": [["SELL", "2", "100"], ["BUY", "1", "90"]]},
        ["1", "100", "0"],
    ),
    "fees in base units make it less, and are shared out": (
        {"side": "BUY", "fills": [["BUY", "1", "100", "0.2"], ["SELL", "0.4", "110", "0", "USDT"]]},
        ["0.5", "100", "0.1"],
    ),
    "sold completely": ({"side": "BUY", "fills": [["BUY", "1", "100"], ["SELL", "1", "110"]]}, None),
    "sold completely but for the fee": (
        {"side": "BUY", "fills": [["BUY", "1", "100", "0.001"], ["SELL", "0.999", "110"]]},
        None,
    ),
    "sold twice": ({"side": "BUY", "fills": [["BUY", "1", "100"], ["SELL", "2", "110"]]}, None),
    "too small to be sold": ({"side": "BUY", "fills": [["BUY", "0.009", "100"]]}, None),
    "worth too little to be sold": ({"side": "BUY", "fills": [["BUY", "0.02", "100"]]}, None),
}

HELD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "bought for the stock": ({"fills": [["BUY", "2", "100", "0.2", "USDT"]]}, ["2", "100", "0.2"]),
    "bought, and a part sold": (
        {"fills": [["BUY", "2", "100", "0.2", "USDT"], ["SELL", "1", "110", "0.1", "USDT"]]},
        ["1", "100", "0.3"],
    ),
    "sold short": ({"fills": [["SELL", "1", "100"], ["SELL", "1", "110"]]}, ["-2", "105", "0"]),
    "a fee in a token without a price": ({"fills": [["BUY", "1", "100", "1", "NOSUCH"]]}, ["1", "100", "0"]),
}
"""Net amount, average price and fees of what another executor's orders hold."""

ASKED: dict[str, tuple[dict[str, Any], list[list[str]], bool]] = {
    "an answer at once": ({"amount": "1", "answers": [[["1", "100"]]]}, [["1", "100"]], False),
    "lost answers are asked for again": (
        {"amount": "1", "answers": ["lost", "lost", [["1", "100"]]]},
        [["1", "100"]],
        True,
    ),
    "fills that are listed late": (
        {"amount": "1", "answers": [[], [["0.5", "100"]], [["1", "100"]]]},
        [["1", "100"]],
        True,
    ),
    "fills that are never listed": (
        {"amount": "1", "answers": [[["0.4", "99"]]]},
        [["0.4", "99"], ["0.6", "100"]],
        True,
    ),
}
"""Cases; the fills that are counted in the end; whether somebody was told that it takes time."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    cases = {
        "entries": [case for case, _ in ENTRIES.values()],
        "held": [case for case, _ in HELD.values()],
        "asked": [case for case, *_ in ASKED.values()],
    }
    script = Path(__file__).with_name("takeover_cases.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path_factory.mktemp("takeover"))],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return {
        "acts early": answers["acts early"],
        **dict(zip(ENTRIES, answers["entries"], strict=True)),
        **dict(zip(HELD, answers["held"], strict=True)),
        **dict(zip(ASKED, answers["asked"], strict=True)),
    }


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_without_an_exit_is_taken_over(results: dict[str, Any], name: str) -> None:
    assert results[name] == ENTRIES[name][1]


@pytest.mark.parametrize("name", HELD)
def test_what_other_executors_hold_becomes_a_position(results: dict[str, Any], name: str) -> None:
    assert results[name] == HELD[name][1]


@pytest.mark.parametrize("name", ASKED)
def test_the_exchange_is_asked_until_the_fills_are_known(results: dict[str, Any], name: str) -> None:
    _, fills, told = ASKED[name]

    assert results[name]["fills"] == fills
    assert results[name]["ids"] == ["77"]
    assert bool(results[name]["said"]) is told


def test_no_controller_acts_before_the_dead_life_has_been_taken_over(results: dict[str, Any]) -> None:
    assert results["acts early"] is False
