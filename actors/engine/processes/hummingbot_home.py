"""Where hummingbot thinks it is installed, and so where it keeps its files.

The package derives every path from the folder it is installed in and reads that folder through a function
while its settings module is imported. Here that function is replaced, right after the bare import, by one
that says `.`: all paths are then relative, and each process settles in a folder of its own by changing into
it. Import this module before anything else of hummingbot.
"""

import contextlib
import os
import sys
from pathlib import Path

import hummingbot

PACKAGE = Path(hummingbot.__file__).parent

FOLDERS = ("conf/connectors", "conf/scripts", "conf/controllers", "data", "logs")
"""What hummingbot expects to find, and does not make itself."""


def _relative_root() -> Path:
    return Path()


hummingbot.root_path = _relative_root


def use_home(folder: Path) -> None:
    """Make `folder` (absolute) this process's working directory and hummingbot's root and data folder."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    link = folder / "hummingbot"
    if link.is_symlink() and link.resolve() != PACKAGE.resolve():
        # Left from another installation.
        link.unlink(missing_ok=True)
    if not link.exists():
        with contextlib.suppress(FileExistsError):
            link.symlink_to(PACKAGE)
    os.chdir(folder)
    hummingbot.set_prefix_path(str(folder))
    hummingbot.set_data_path(str(folder / "data"))
    sys.path.insert(0, str(folder))
