"""The public side of a host: feeds, and questions that need no keys."""
