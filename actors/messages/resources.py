"""What may be asked about the machine that the server runs on, and about the room that its files take."""

from aviary.actors.core.message import Message, Value


class Processor(Value):
    """The machine's processors; `percent` is their use since the question before, together."""

    percent: float
    """Their use since the question before, together."""
    count_logical: int
    """Processors that programs see."""
    count_physical: int | None
    """Cores; null if the system does not tell."""
    load_avg_1m: float
    """Programs that ran or waited, over the last minute."""
    load_avg_5m: float
    """The same over five minutes."""
    load_avg_15m: float
    """The same over a quarter of an hour."""


class Memory(Value):
    """The machine's memory, in bytes."""

    total: int
    """All of it."""
    available: int
    """What programs could still get."""
    used: int
    """What is in use."""
    percent: float
    """The share that is in use."""


class DiskSpace(Value):
    """The disk that the server writes to, in bytes; `mountpoint` is where it is mounted."""

    mountpoint: str
    """Where it is mounted."""
    total: int
    """All of it."""
    used: int
    """What is in use."""
    free: int
    """What the server could still write."""
    percent: float
    """The share that is in use."""


class ServerProcess(Value):
    """The server's own process; `uptime` in seconds."""

    pid: int
    """Its number."""
    memory: int
    """What it holds of the memory, in bytes."""
    threads: int
    """How many it has."""
    uptime: float
    """Seconds since it was started."""


class Resources(Value):
    """How busy the machine is, and how full."""

    cpu: Processor
    """The processors."""
    memory: Memory
    """The memory."""
    disk: DiskSpace
    """The disk that the server writes to."""
    server: ServerProcess
    """The server's own process."""


class GetResources(Message[Resources]):
    """How busy the machine is, and how full."""


class StoredItem(Value):
    """A file or folder and the bytes in it."""

    name: str
    """Its name."""
    size_bytes: int
    """The bytes in it."""
    size_human: str
    """The same in words."""


class StoredFolder(Value):
    """A folder, the bytes in it and its largest items; `item_count` counts all of them."""

    size_bytes: int
    """The bytes in it."""
    size_human: str
    """The same in words."""
    item_count: int
    """How many items it has."""
    items: tuple[StoredItem, ...]
    """The largest items first, a thousand at most."""


class Storage(Value):
    """The room that bots' files take, by folder. Counted at most some seconds ago, `age` says how many."""

    total_size_bytes: int
    """The bytes in all of them."""
    total_size_human: str
    """The same in words."""
    directories: dict[str, StoredFolder]
    """By folder."""
    age: float
    """Seconds since they were counted."""


class GetStorage(Message[Storage]):
    """The room that archives, instances and configurations of bots take."""

    handler_limit = 60.0
