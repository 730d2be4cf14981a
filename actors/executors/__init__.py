"""Executors of accounts: one actor an executor, and the registry that answers for all of them."""
