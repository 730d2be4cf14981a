"""Processes that tests leave, and must not leave."""

from pathlib import Path

import psutil


def processes_in(folder: Path) -> list[psutil.Process]:
    """Processes that work in a folder or below it."""
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        place = str(process.info["cwd"] or "")
        if process.info["status"] != psutil.STATUS_ZOMBIE and (
            place == str(folder) or place.startswith(f"{folder}/")
        ):
            found.append(process)
    return found
