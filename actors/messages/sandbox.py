"""What may be asked of the simulated exchange's keeper."""

from aviary.actors.core.message import Message, Value


class SandboxInfo(Value):
    """Where the exchange listens."""

    url: str
    """The address that it listens at, such as `http://127.0.0.1:18000`."""
    pid: int
    """The number of its process."""


class GetSandbox(Message[SandboxInfo]):
    """Query: where the simulated exchange listens."""
