"""What a JSON value looks like: the keys and types that a client reads."""

from dataclasses import dataclass
from types import UnionType
from typing import Any

NUMBER = int | float
"""A JSON number, which has one kind only."""

ANYTHING = object


@dataclass(frozen=True, slots=True)
class Each:
    """A mapping with keys of any name; at least one."""

    value: Any


@dataclass(frozen=True, slots=True)
class Maybe:
    """A list or mapping that may be empty, or a value that may be null."""

    value: Any


def mismatches(value: Any, shape: Any, where: str = "$") -> list[str]:
    """Where a value does not have a shape: a type, a text, `[of each item]`, or a mapping by key.

    Keys that the shape does not name are nobody's business.
    """
    match shape:
        case Maybe():
            return [] if value is None or value in ([], {}) else mismatches(value, shape.value, where)
        case Each() if isinstance(value, dict) and value:
            return [
                text for key, item in value.items() for text in mismatches(item, shape.value, f"{where}.{key}")
            ]
        case [item] if isinstance(value, list) and value:
            return [text for index, one in enumerate(value) for text in mismatches(one, item, f"{where}[{index}]")]
        case dict() if isinstance(value, dict):
            missing = [f"{where}.{key} is missing" for key in shape if key not in value]
            wrong = [
                text
                for key, item in shape.items()
                if key in value
                for text in mismatches(value[key], item, f"{where}.{key}")
            ]
            return missing + wrong
        case type() | UnionType():
            # To JSON a truth value is no number, to Python it is one.
            fits = isinstance(value, shape) and not (isinstance(value, bool) and shape in {int, float, NUMBER})
            return [] if fits else [f"{where} is {value!r:.80}, not {getattr(shape, '__name__', shape)}"]
        case None | [] | str() | int() | float() if value == shape:
            return []
        case _:
            return [f"{where} is {value!r:.80}, not {shape!r:.80}"]
