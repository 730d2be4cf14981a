"""Settings, logging, the clock and the source of chance."""
