"""What is taken over of a dead bot's executors: their orders and what they do next, and patience with the exchange."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from resumed_cases import RESUMED

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
    "an order that was still on its way": (
        {"amount": "1", "answers": ["unknown", "unknown", [["1", "100"]]], "age": 1.0},
        [["1", "100"]],
        True,
    ),
    "an order that arrived after the others were cancelled": (
        {"amount": "1", "answers": ["open", [["1", "100"]]]},
        [["1", "100"]],
        True,
    ),
}
"""Cases; the fills that are counted in the end; whether somebody was told that it takes time."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    cases = {
        "resumed": [case for case, _ in RESUMED.values()],
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
        "old record": answers["old record"],
        **dict(zip(RESUMED, answers["resumed"], strict=True)),
        **dict(zip(HELD, answers["held"], strict=True)),
        **dict(zip(ASKED, answers["asked"], strict=True)),
    }


@pytest.mark.parametrize("name", RESUMED)
def test_a_dead_executor_is_gone_on_with(results: dict[str, Any], name: str) -> None:
    _, expected = RESUMED[name]

    assert {key: results[name][key] for key in expected} == expected


@pytest.mark.parametrize("name", HELD)
def test_what_can_t_go_on_becomes_a_position(results: dict[str, Any], name: str) -> None:
    assert results[name] == HELD[name][1]


@pytest.mark.parametrize("name", ASKED)
def test_the_exchange_is_asked_until_the_fills_are_known(results: dict[str, Any], name: str) -> None:
    case, fills, told = ASKED[name]

    assert results[name]["fills"] == fills
    assert results[name]["ids"] == ["77"]
    assert bool(results[name]["said"]) is told
    assert results[name]["cancelled"] is ("open" in case["answers"])


def test_no_controller_acts_before_the_dead_life_has_been_taken_over(results: dict[str, Any]) -> None:
    assert results["acts early"] is False


def test_what_an_earlier_release_wrote_down_is_read(results: dict[str, Any]) -> None:
    assert results["old record"] == [{}, {}, [""]]
