"""What may be asked about the machine that the server runs on, and about the room that its files take."""

from aviary.actors.core.message import Message, Value


class Processor(Value):
    """The machine's processors; `percent` is their use since the question before, together."""

    percent: float
    count_logical: int
    count_physical: int | None
    load_avg_1m: float
    load_avg_5m: float
    load_avg_15m: float


class Memory(Value):
    """The machine's memory, in bytes."""

    total: int
    available: int
    used: int
    percent: float


class DiskSpace(Value):
    """The disk that the server writes to, in bytes; `mountpoint` is where it is mounted."""

    mountpoint: str
    total: int
    used: int
    free: int
    percent: float


class ServerProcess(Value):
    """The server's own process; `uptime` in seconds."""

    pid: int
    memory: int
    threads: int
    uptime: float


class Resources(Value):
    """How busy the machine is, and how full."""

    cpu: Processor
    memory: Memory
    disk: DiskSpace
    server: ServerProcess


class GetResources(Message[Resources]):
    """How busy the machine is, and how full."""


class StoredItem(Value):
    """A file or folder and the bytes in it."""

    name: str
    size_bytes: int
    size_human: str


class StoredFolder(Value):
    """A folder, the bytes in it and its largest items; `item_count` counts all of them."""

    size_bytes: int
    size_human: str
    item_count: int
    items: tuple[StoredItem, ...]


class Storage(Value):
    """The room that bots' files take, by folder. Counted at most some seconds ago, `age` says how many."""

    total_size_bytes: int
    total_size_human: str
    directories: dict[str, StoredFolder]
    age: float


class GetStorage(Message[Storage]):
    """The room that archives, instances and configurations of bots take."""

    handler_limit = 60.0
