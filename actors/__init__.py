"""The actors: one file a kind."""
