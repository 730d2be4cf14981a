"""Supervisors: actors whose only work is to start, watch, restart and stop their children.

The contract is that of Erlang/OTP's `supervisor`, with backoff added; see `docs/kernel.md`.
"""
