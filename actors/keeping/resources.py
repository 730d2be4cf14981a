"""Tells how busy and how full the machine is, and how much room the bots' files take."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psutil
from aviary.actors.core.actor import ThreadActor
from aviary.actors.messages.resources import (
    DiskSpace,
    GetResources,
    GetStorage,
    Memory,
    Processor,
    Resources,
    ServerProcess,
    Storage,
    StoredFolder,
    StoredItem,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STORAGE_LIFE = 10.0
"""Seconds for which a count of files is good enough: thousands of bots have some hundred thousand."""

MOST_ITEMS = 1_000
"""Items of a folder that are listed, the largest first."""

STEP = 1024.0


class ResourceKeeper(ThreadActor):
    """Has a thread of its own: a disk may take its time to answer. `folders` are those whose room is counted."""

    keeps_nothing = True

    def __init__(self, home: Path, folders: Mapping[str, Path]) -> None:
        super().__init__()
        self._home = home
        self._folders = dict(folders)

    def prepare(self) -> None:
        """Begin to watch the processors: their use is that since the last look."""
        psutil.cpu_percent()
        self._process = psutil.Process()
        self._counted: tuple[float, Storage] | None = None

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetResources():
                return self._resources()
            case GetStorage():
                return self._storage()
            case _:
                return super().receive(message)

    def _resources(self) -> Resources:
        load = psutil.getloadavg()
        memory = psutil.virtual_memory()
        disk = psutil.disk_usage(str(self._home))
        return Resources(
            cpu=Processor(
                percent=psutil.cpu_percent(),
                count_logical=psutil.cpu_count() or 1,
                count_physical=psutil.cpu_count(logical=False),
                load_avg_1m=load[0],
                load_avg_5m=load[1],
                load_avg_15m=load[2],
            ),
            memory=Memory(
                total=memory.total, available=memory.available, used=memory.used, percent=memory.percent
            ),
            disk=DiskSpace(
                mountpoint=_mountpoint(self._home),
                total=disk.total,
                used=disk.used,
                free=disk.free,
                percent=disk.percent,
            ),
            server=ServerProcess(
                pid=self._process.pid,
                memory=self._process.memory_info().rss,
                threads=self._process.num_threads(),
                uptime=max(0.0, self.clock.now() - self._process.create_time()),
            ),
        )

    def _storage(self) -> Storage:
        now = self.clock.monotonic()
        if self._counted is None or now - self._counted[0] > STORAGE_LIFE:
            found = {name: _folder(path) for name, path in self._folders.items()}
            total = sum(folder.size_bytes for folder in found.values())
            storage = Storage(
                total_size_bytes=total, total_size_human=human(total), directories=found, age=0.0
            )
            self._counted = (self.clock.monotonic(), storage)
        counted, storage = self._counted
        return storage.model_copy(update={"age": max(0.0, now - counted)})


def _mountpoint(path: Path) -> str:
    place = path.resolve()
    while not place.is_mount():
        place = place.parent
    return str(place)


def _folder(path: Path) -> StoredFolder:
    items = sorted(_items(path), key=lambda item: (-item.size_bytes, item.name))
    total = sum(item.size_bytes for item in items)
    return StoredFolder(
        size_bytes=total, size_human=human(total), item_count=len(items), items=tuple(items[:MOST_ITEMS])
    )


def _items(path: Path) -> list[StoredItem]:
    try:
        entries = list(os.scandir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for entry in entries:
        size = _size(entry)
        found.append(StoredItem(name=entry.name, size_bytes=size, size_human=human(size)))
    return found


def _size(entry: os.DirEntry[str]) -> int:
    """The bytes in a file, or in all files below a folder; links are not followed, what is gone meanwhile has none."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            return entry.stat(follow_symlinks=False).st_size
        with os.scandir(entry.path) as inside:
            return sum(_size(one) for one in inside)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return 0


def human(size: int) -> str:
    """A number of bytes in the released server's words, such as `954.00 B`."""
    amount = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < STEP:
            return f"{amount:.2f} {unit}"
        amount /= STEP
    return f"{amount:.2f} TB"
