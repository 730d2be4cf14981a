"""A world for the tests of each module."""

from bot_fixtures import world

__all__ = ["world"]
