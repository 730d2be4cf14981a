"""What the registry needs of whoever supervises executors."""

from typing import Protocol


class ExecutorBranch(Protocol):
    """Starts the actors of executors; each ends by itself when its executor is settled."""

    async def start_executor(self, executor_id: str) -> None:
        """Start the actor `executors/<id>`; again does no harm."""
