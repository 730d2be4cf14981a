"""Engine hosts are looked at where accounts use them."""

from account_fixtures import account, exchange, home, session_world, world

__all__ = ["account", "exchange", "home", "session_world", "world"]
