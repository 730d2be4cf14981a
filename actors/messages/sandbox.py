"""What may be asked of the simulated exchange's keeper."""

from aviary.actors.core.message import Message, Value


class SandboxInfo(Value):
    """Where the exchange listens."""

    url: str
    pid: int


class GetSandbox(Message[SandboxInfo]):
    """Query: where the simulated exchange listens."""
