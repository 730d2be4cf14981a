"""Where things run that are not part of the server's process."""
