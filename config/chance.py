"""The one source of chance: everything random takes a `random.Random` made here.

A seeded source makes a run repeatable; without a seed the operating system's entropy is used.
"""

from random import Random


def chance(seed: int | None = None) -> Random:
    """A source of random numbers, repeatable if seeded. Not for secrets: those come from `secrets`."""
    return Random(seed)  # noqa: S311 - never for secrets
