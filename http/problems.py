"""What is wrong with a request, in the list form that the released server's clients read."""

import re
from collections.abc import Mapping
from typing import Any

from aviary.actors.core.message import Value
from pydantic import Field

MAX_SHOWN = 200
"""Characters of an input that are shown."""

_SECRET = re.compile(r"(?i)secret|password|passphrase|private|credential|api_?key|token|mnemonic|seed")


class Problem(Value):
    """Why a request was not carried out."""

    detail: str
    """The reason, in words for people; it names the field where there is one."""
    fields: dict[str, str] = Field(default_factory=dict)
    """Of each field of a refused change of a configuration what became of it; left out otherwise."""


class WrongPlace(Value):
    """One thing that is wrong with a request."""

    type: str
    """The kind of mistake, such as `missing`."""
    loc: tuple[str | int, ...]
    """Where it is: `path`, `query` or `body`, then names and positions."""
    msg: str
    """What is wrong, in words for people."""
    input: str | float | bool | None
    """What was sent there, cut to 200 characters; null for what is larger or may be secret."""
    ctx: dict[str, str] = Field(default_factory=dict)
    """What else there is to say, such as the limit."""


class ValidationProblem(Value):
    """What is wrong with a request."""

    detail: tuple[WrongPlace, ...]
    """Each mistake."""


class InvalidRequest(Exception):
    """The request makes no sense; `problems` says where and why."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


def problem(
    kind: str,
    location: list[str | int],
    text: str,
    given: object = None,
    context: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """One entry of the list. What was given is shown so that it can be found again, but never a secret."""
    secret = any(_SECRET.search(str(part)) for part in location)
    # Texts of our own validators may quote what was given.
    text = "Input is not valid" if secret and kind in {"value_error", "assertion_error"} else text
    entry: dict[str, Any] = {
        "type": kind,
        "loc": [part[:MAX_SHOWN] if isinstance(part, str) else part for part in location],
        "msg": text,
        "input": None if secret else _shown(given),
    }
    if context and not secret:
        entry["ctx"] = {key: str(value)[:MAX_SHOWN] for key, value in context.items()}
    return entry


def _shown(value: object) -> object:
    # Never a whole body, which may hold keys under names that nobody thought of.
    match value:
        case str():
            return value[:MAX_SHOWN]
        case bool() | None:
            return value
        case int():
            return value if abs(value) < 1 << 53 else str(value)[:MAX_SHOWN] if abs(value) < 1 << 1024 else None
        case float():
            return value
        case _:
            return None
