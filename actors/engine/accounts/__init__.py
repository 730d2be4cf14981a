"""An account's side of a host: credentials, orders, balances and positions."""
