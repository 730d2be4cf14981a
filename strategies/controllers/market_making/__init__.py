"""Market-making controllers that ship with Aviary."""
