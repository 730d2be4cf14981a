"""Code of controllers and scripts, looked into."""
