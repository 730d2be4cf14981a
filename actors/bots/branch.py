"""What the registry needs of whoever supervises bots."""

from typing import Protocol


class BotBranch(Protocol):
    """Starts and removes the actors of bots."""

    async def start_bot(self, name: str) -> None:
        """Start the actor `bots/<name>`, or a new incarnation of one that is backing off."""

    async def remove_bot(self, name: str) -> None:
        """Remove the actor."""
