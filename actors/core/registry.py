"""pykka's registry, for systems of many actors.

`pykka.ActorRegistry` keeps a list that it searches from the front at the end of each actor, which makes the ends of
ten thousand actors a matter of seconds.
"""

from __future__ import annotations

from typing import Any

import pykka

LAST = 64
"""Actors that entered last and are looked at first: supervisors stop from the end, and what crashes is young."""


def enter(ref: pykka.ActorRef[Any]) -> None:
    """Enter an actor that starts."""
    pykka.ActorRegistry.register(ref)


def take_out(ref: pykka.ActorRef[Any]) -> None:
    """Take out an actor that has ended."""
    with pykka.ActorRegistry._actor_refs_lock:  # noqa: SLF001 - pykka has no other way in than from the front
        refs = pykka.ActorRegistry._actor_refs  # noqa: SLF001 - as above
        for place in range(len(refs) - 1, max(len(refs) - LAST, 0) - 1, -1):
            if refs[place] is ref:
                del refs[place]
                return
    pykka.ActorRegistry.unregister(ref)
