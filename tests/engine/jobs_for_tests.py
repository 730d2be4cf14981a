"""Entries of engine processes that tests start."""

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any


def report(spec: dict[str, Any]) -> int:
    """Write down what this process sees of itself, then end with the code asked for."""
    facts = {
        "folder": str(Path.cwd()),
        "session": os.getsid(0) == os.getpid(),
        "open": sorted(int(each.name) for each in Path("/proc/self/fd").iterdir()),
        "random": random.random(),
        "path": sys.path[0],
        "environment": os.environ.get("FOR_THE_CHILD"),
        "names": sorted(os.environ),
        "first": Path("/proc/self/environ").read_text(),
        "hummingbot_root": str(sys.modules["hummingbot"].root_path()),
        "hummingbot_data": sys.modules["hummingbot"].data_path(),
    }
    Path(spec["report"]).write_text(repr(facts))
    print("said on standard output")
    print("said on standard error", file=sys.stderr)
    return int(spec.get("code", 0))


def stay(spec: dict[str, Any]) -> int:
    """Say that it runs, and stay until signalled."""
    Path(spec["report"]).write_text("here")
    signal.pause()
    return 0


def hang(spec: dict[str, Any]) -> int:
    """Serve nothing and never come back, as foreign code can."""
    from aviary.actors.engine.host import _end_with_the_server

    _end_with_the_server(spec["port_fd"])
    Path(spec["report"]).write_text("hanging")
    while True:
        pass


def crash(spec: dict[str, Any]) -> int:
    """Crash."""
    raise RuntimeError(f"as asked: {spec['why']}")
