"""The first moments of an engine process, forked or cold: it reads its job and becomes what it says.

Run as a module it is the cold path: the job comes on descriptor 0, the port, if any, is descriptor 3.
"""

import gc
import importlib
import logging
import os
import random
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import orjson
from aviary.actors.engine.processes.spawn import JOB_FD, PORT_FD

MAX_DESCRIPTOR = 65_536
NOTHING_TO_DO = 0


def run_job(job_fd: int, port_fd: int | None) -> NoReturn:
    """Read the job and carry it out; never returns.

    The process ends without any clean-up of what a template may have left in memory.
    """
    status = 1
    try:
        status = _work(job_fd, port_fd)
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001 - the end of this process, whatever ends it
        traceback.print_exc()
    finally:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status & 0xFF)


def _work(job_fd: int, port_fd: int | None) -> int:
    data = _read_all(job_fd)
    if not data:
        return NOTHING_TO_DO
    job = orjson.loads(data)
    os.environ.update(job["environment"])
    _redirect(job["log"])
    _close_all_but(port_fd)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    folder = Path(job["folder"])
    folder.mkdir(parents=True, exist_ok=True)

    from aviary.actors.engine.processes.hummingbot_home import use_home

    use_home(folder)
    _reseed()
    spec: dict[str, Any] = {"log": job["log"], **job["spec"]}
    if port_fd is not None:
        spec["port_fd"] = port_fd
    module, _, function = job["entry"].partition(":")
    gc.enable()
    status = getattr(importlib.import_module(module), function)(spec)
    return int(status or 0)


def _read_all(descriptor: int) -> bytes:
    chunks: list[bytes] = []
    while chunk := os.read(descriptor, 65_536):
        chunks.append(chunk)
    return b"".join(chunks)


def _redirect(log: str) -> None:
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _close_all_but(port_fd: int | None) -> None:
    if port_fd is None:
        os.closerange(3, MAX_DESCRIPTOR)
    else:
        os.closerange(3, port_fd)
        os.closerange(port_fd + 1, MAX_DESCRIPTOR)


def _reseed() -> None:
    # Every child of one template would otherwise draw the same numbers: hummingbot uses the global source.
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


if __name__ == "__main__":
    run_job(JOB_FD, PORT_FD if "--port" in sys.argv[1:] else None)
