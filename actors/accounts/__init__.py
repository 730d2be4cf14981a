"""Accounts: their credentials, orders, balances and positions, and trading through them."""
