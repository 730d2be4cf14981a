"""What runs inside engine processes: the only rooms that import hummingbot."""
