"""What answers look like as JSON, and which bodies are read."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from aviary.actors.core.message import Value
from aviary.http.json import MAX_DEPTH, BadJson, dumps, loads
from pydantic import SecretStr


class Purse(Value):
    owner: str
    amount: Decimal
    key: SecretStr


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            Purse(owner="a", amount=Decimal("0.10"), key=SecretStr("hunter2")),
            b'{"owner":"a","amount":0.1,"key":"***"}',
        ),
        ({"a": float("nan"), "b": float("inf"), "c": Decimal("1e56")}, b'{"a":null,"b":null,"c":1e+56}'),
        (
            {1: (Purse(owner="a", amount=Decimal(1), key=SecretStr("")),)},
            b'{"1":[{"owner":"a","amount":1.0,"key":"***"}]}',
        ),
        (frozenset({"b", "a"}), b'["a","b"]'),
    ],
)
def test_values_are_written_for_the_released_clients(value: object, text: bytes) -> None:
    assert dumps(value) == text


def test_nesting_is_read_up_to_its_limit() -> None:
    assert loads(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(BadJson, match="nested"):
        loads(b"[" * (MAX_DEPTH + 1) + b"[]" + b"]" * (MAX_DEPTH + 1))


def test_one_odd_value_hides_none_of_the_others() -> None:
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    value = {
        "good": Decimal("1.5"),
        "big": 2**70,
        "deep": deep,
        "text": "a\ud800b",
        5: float("nan"),
        "secret": SecretStr("x"),
    }

    told = orjson.loads(dumps(value))

    assert (told["good"], told["big"], told["text"], told["5"]) == (1.5, str(2**70), "a?b", None)
    assert told["secret"] == "***"
