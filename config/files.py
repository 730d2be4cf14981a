"""Files for their owner alone, and files that are replaced as a whole."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

OTHERS = 0o077
"""The rights of everybody but the owner."""


def keep_private(folder: Path) -> None:
    """Let nobody else see this folder, nor what this process and its children make from here on.

    The folder is made if it is not there. Raises `OSError` if it can't be.
    """
    os.umask(OTHERS)
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):  # Whoever lent us the folder says who sees it.
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~OTHERS)


def replace_file(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Give a file this content; only its owner can read it. Its folder is made if it is not there.

    Whoever reads it, and whoever crashes, sees the old content or the new one, never a part.

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
