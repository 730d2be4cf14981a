"""The warm template: a process that has imported hummingbot and from then on only forks.

It has no event loop, no open connection, no second thread and no account's keys, so that a fork of it is a
clean beginning. It takes requests on descriptor 3 and ends when its server does; its children go on.
"""

import gc
import os
import select
import socket
import sys
from pathlib import Path

import orjson
from aviary.actors.engine.processes.child_main import run_job
from aviary.actors.engine.processes.template_client import CONTROL_FD, MESSAGE_SIZE
from aviary.config.clock import SystemClock


def main(folder: Path) -> int:
    """Warm up in `folder`, then fork on request until the server hangs up."""
    began = SystemClock().monotonic()
    control = socket.socket(fileno=CONTROL_FD)

    from aviary.actors.engine.processes.hummingbot_home import use_home

    use_home(folder)

    from aviary.actors.engine.processes.preload import preload

    preload()
    gc.collect()
    gc.disable()
    gc.freeze()
    control.send(orjson.dumps({"ready": SystemClock().monotonic() - began}))
    _serve(control)
    return 0


def _serve(control: socket.socket) -> None:
    children: dict[int, int] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != control.fileno():
                poll.unregister(descriptor)
                _report_exit(control, children.pop(descriptor), descriptor)
                continue
            data, descriptors, _, _ = socket.recv_fds(control, MESSAGE_SIZE, 4)
            if not data:
                return
            pid = _fork(descriptors)
            pidfd = os.pidfd_open(pid)
            socket.send_fds(control, [orjson.dumps({"forked": orjson.loads(data)["fork"], "pid": pid})], [pidfd])
            for received in descriptors:
                os.close(received)
            children[pidfd] = pid
            poll.register(pidfd, select.POLLIN)


def _fork(descriptors: list[int]) -> int:
    pid = os.fork()
    if pid == 0:
        # All other descriptors are closed by number once the job is known; no object may close them again.
        os.setsid()
        run_job(descriptors[0], descriptors[1] if len(descriptors) > 1 else None)
    return pid


def _report_exit(control: socket.socket, pid: int, pidfd: int) -> None:
    _, status = os.waitpid(pid, 0)
    os.close(pidfd)
    control.send(orjson.dumps({"exited": pid, "status": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except (BrokenPipeError, ConnectionResetError):
        # The server died in the middle of a message; there is nobody left to fork for.
        sys.exit(0)
