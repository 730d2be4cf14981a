"""The actor itself: messages, addresses, mailboxes, actors, dispatchers, the system and ports.

Nothing here knows of trading. The rules are the nine promises of `docs/kernel.md`.
"""
