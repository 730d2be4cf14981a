"""Where an actor is reached: a slash path that is stable across restarts."""

import re

type Address = str
"""A path such as `bots/mm-1`; see `checked`."""

_SEGMENT = re.compile(r"[A-Za-z0-9_.:@$+-]{1,200}\Z")

MAX_LENGTH = 400
"""Characters an address may have."""


def checked(address: str) -> Address:
    """The address itself if it is well formed.

    Each segment has 1 to 200 characters out of letters, digits and `_.:@$+-`, and is not `.` or `..`.
    Raises `ValueError` otherwise.
    """
    if len(address) > MAX_LENGTH:
        raise ValueError(f"address of {len(address)} characters, at most {MAX_LENGTH} are allowed")
    for segment in address.split("/"):
        if not _SEGMENT.match(segment) or segment in {".", ".."}:
            raise ValueError(f"not an address: {address!r}")
    return address


def child_of(parent: Address, name: str) -> Address:
    """The address of the child called `name`; a name is one segment."""
    if "/" in name:
        raise ValueError(f"a child's name is one segment: {name!r}")
    return checked(f"{parent}/{name}" if parent else name)
