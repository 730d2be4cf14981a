"""Names that become part of an address or a path: what they may not be."""

import re

MAX_NAME = 100
"""Characters of a name; a segment of an address holds as many."""

_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]+\Z")

NAME = r"^(?!\.{1,2}$)[^\x00-\x1f\x7f/\\]+$"
"""The same and what is said of dots, for the document."""


def name_problem(value: str) -> str | None:
    """What is wrong with a name that a path carries, `None` if nothing is."""
    if len(value) > MAX_NAME:
        return f"Name should have at most {MAX_NAME} characters"
    if value in {".", ".."} or not _NAME.match(value):
        return "Name should have no path separators, no control characters and not be '.' or '..'"
    return None
