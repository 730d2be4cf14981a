"""Scripts that ship with Aviary; copied into the bots' shared `scripts` folder."""
