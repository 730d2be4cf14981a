"""An account of its own for each test."""

from account_fixtures import account, exchange, home, session_world, world

__all__ = ["account", "exchange", "home", "session_world", "world"]
