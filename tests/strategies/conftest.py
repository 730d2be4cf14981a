"""The library is looked at where bots use it."""

from bot_fixtures import world

__all__ = ["world"]
