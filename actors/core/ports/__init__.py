"""Ports: calls into child processes and the frames that carry them, and the processes themselves."""
