"""Hummingbot's executors, made so that a later life can go on with them."""
