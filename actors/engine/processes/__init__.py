"""How engine processes come to be: the warm template, forks and cold starts."""
