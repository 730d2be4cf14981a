"""The processes in which hummingbot and the simulated exchange run, and the calls into them."""
