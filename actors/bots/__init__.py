"""Bots: deployed, kept running, stopped and archived, and what is known of each."""
