"""Controllers that ship with Aviary; copied into the bots' shared `controllers` folder."""
