"""Files that are replaced as a whole: whoever reads one, and whoever crashes, sees the old one or the new one."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Give a file this content; only its owner can read it. Its folder is made if it is not there.

    What is `durable` has reached the disk when this returns, name and all, and survives a power failure; that
    costs some milliseconds. Raises `OSError`, and leaves the old file then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    if durable:
        _reach_the_disk(path.parent)


def _reach_the_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
