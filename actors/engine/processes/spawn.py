"""Starting a Python process that shares nothing with this one but the descriptors it is given."""

import fcntl
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aviary.actors.core.ports.process import ChildProcess
from aviary.config.environment import environment_of_children

JOB_FD = 0
"""Descriptor on which a cold engine process reads its job."""

PORT_FD = 3
"""Descriptor of a cold engine process's port."""


def start_python(arguments: list[str], descriptors: Mapping[int, int], log: Path) -> ChildProcess:
    """Start a Python process in a session of its own; `descriptors` maps its numbers to ours.

    Of our environment it gets what `environment_of_children` names.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions: list[Any] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # Sources are moved out of the way, so that no target overwrites a source that is still needed.
    sources = {theirs: fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 64) for theirs, ours in descriptors.items()}
    actions += [(os.POSIX_SPAWN_DUP2, source, theirs) for theirs, source in sources.items()]
    # One numeric thread a process: fleets have more processes than cores, and forking wants no threads.
    environment = {
        **environment_of_children(os.environ),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    try:
        command = [sys.executable, "-P", *arguments]
        pid = os.posix_spawn(sys.executable, command, environment, file_actions=actions, setsid=True)
    finally:
        for source in sources.values():
            os.close(source)
    return ChildProcess.of(pid)
