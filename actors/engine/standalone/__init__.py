"""Executors that belong to an account and no bot: checked, run, and gone on with, inside the account's host."""
