"""Websockets: feeds and bot states pushed to clients."""
