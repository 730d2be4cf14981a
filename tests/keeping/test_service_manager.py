"""What the service manager is told, over a real socket, and when a restart of the process is asked for."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aviary.actors.core.simulation import Simulation
from aviary.actors.keeping.service_manager import ALARM, LOOK_PERIOD, MAX_ABANDONED, ServiceManager
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec


class Watch:
    """A service manager's side: a socket, and a server that tells it things."""

    def __init__(self, name: str, address: str, **environment: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.ended = 0
        self.sim = Simulation(1)
        child = ChildSpec(
            "service-manager", lambda: ServiceManager({"NOTIFY_SOCKET": name, **environment}, self._end)
        )
        self.tree = Tree(self.sim.system, SupervisorSpec(park=True, children=(child,)))
        self.sim.run(self.tree.start())

    def _end(self) -> None:
        self.ended += 1

    def heard(self) -> list[str]:
        """Everything that was said since the last look."""
        said = []
        while True:
            try:
                said.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return said

    def close(self) -> None:
        self.socket.close()
        with self.sim:
            pass


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    path = str(tmp_path / "notify")
    watch = Watch(path, path, WATCHDOG_USEC="4000000")
    yield watch
    watch.close()


def test_a_start_signs_of_life_and_a_stop_are_told(watch: Watch) -> None:
    assert watch.heard() == ["READY=1", "WATCHDOG=1"]

    watch.sim.advance(6.5)
    assert watch.heard() == ["WATCHDOG=1"] * 3

    watch.sim.run(watch.tree.stop())
    assert watch.heard() == ["STOPPING=1"]


def test_an_abstract_socket_is_told_too() -> None:
    watch = Watch("@aviary-notify-test", "\0aviary-notify-test")

    assert watch.heard() == ["READY=1", "WATCHDOG=1"]
    watch.sim.advance(LOOK_PERIOD + 0.1)
    assert watch.heard() == ["WATCHDOG=1"]
    watch.close()


def test_too_many_hung_threads_are_told_and_a_restart_is_asked_for_once(watch: Watch) -> None:
    go = threading.Event()
    said: list[str] = []
    for number in range(MAX_ABANDONED + 1):
        assert watch.ended == 0
        hung = threading.Thread(target=go.wait, name=f"hung-{number}", daemon=True)
        hung.start()
        watch.sim.system.endings.leave_behind(hung)
        watch.sim.advance(2.1)
        said += watch.heard()

    watch.sim.advance(60.0)

    assert watch.ended == 1
    assert [alarm.name for alarm in watch.sim.system.alarms.standing()] == [ALARM]
    assert any(one.startswith("STATUS=9 threads hang") for one in said)
    go.set()


def test_a_socket_that_is_gone_degrades_and_ends_nothing(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "notify").unlink()
    watch.sim.advance(2.1)

    cell = watch.sim.system.cell("service-manager")
    assert cell is not None
    assert "can't be told" in (cell.degraded or "")
    assert (cell.state, cell.restarts) == ("running", 0)


def test_without_a_service_manager_only_the_threads_are_looked_at() -> None:
    sim = Simulation(1)
    tree = Tree(
        sim.system,
        SupervisorSpec(park=True, children=(ChildSpec("service-manager", lambda: ServiceManager({})),)),
    )
    with sim:
        sim.run(tree.start())
        sim.advance(60.0)

        cell = sim.system.cell("service-manager")
        assert cell is not None
        assert (cell.state, cell.restarts) == ("running", 0)
