"""Hummingbot's connectors: built, asked, and understood."""
