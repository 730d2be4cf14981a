"""A whole hummingbot as a process: what its launcher adds to it."""
