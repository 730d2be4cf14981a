"""How busy and how full the machine is, and how much room files take."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aviary.actors.core.message import Message
from aviary.actors.core.simulation import Simulation
from aviary.actors.keeping.resources import STORAGE_LIFE, ResourceKeeper, human
from aviary.actors.messages.resources import GetResources, GetStorage
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec


class World:
    def __init__(self, sim: Simulation, home: Path) -> None:
        self.sim = sim
        folders = {name: home / name for name in ("archived", "instances", "conf")}
        spec = SupervisorSpec(children=(ChildSpec("resources", lambda: ResourceKeeper(home, folders)),))
        self._tree = Tree(sim.system, spec)
        sim.run(self._tree.start())

    def ask(self, message: Message[Any]) -> Any:
        return self.sim.run(self.sim.system.ask("resources", message, timeout=60))

    def stop(self) -> None:
        self.sim.run(self._tree.stop())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Simulation() as sim:
        world = World(sim, tmp_path)
        yield world
        world.stop()


def test_the_machine_is_told_as_it_is(world: World) -> None:
    told = world.ask(GetResources())

    assert told.cpu.count_logical == psutil.cpu_count()
    assert 0 <= told.cpu.percent <= 100
    assert told.memory.total == psutil.virtual_memory().total
    assert 0 < told.memory.used < told.memory.total
    assert Path(told.disk.mountpoint).is_mount()
    assert 0 < told.disk.free < told.disk.total
    assert told.server.pid == psutil.Process().pid


def test_room_is_counted_by_folder_the_largest_item_first(world: World, tmp_path: Path) -> None:
    (tmp_path / "conf" / "controllers" / "deep").mkdir(parents=True)
    (tmp_path / "conf" / "controllers" / "a.yml").write_bytes(b"x" * 900)
    (tmp_path / "conf" / "controllers" / "deep" / "b.yml").write_bytes(b"x" * 200)
    (tmp_path / "conf" / "scripts").mkdir()
    (tmp_path / "conf" / "c.txt").write_bytes(b"x" * 2000)
    (tmp_path / "conf" / "link").symlink_to(tmp_path)

    told = world.ask(GetStorage())

    link = (tmp_path / "conf" / "link").lstat().st_size
    items = [(item.name, item.size_bytes, item.size_human) for item in told.directories["conf"].items]
    assert items[:2] == [("c.txt", 2000, "1.95 KB"), ("controllers", 1100, "1.07 KB")]
    assert ("scripts", 0, "0.00 B") in items
    assert told.directories["conf"].item_count == 4
    assert told.total_size_bytes == told.directories["conf"].size_bytes == 3100 + link
    for empty in ("archived", "instances"):
        assert (told.directories[empty].size_bytes, told.directories[empty].items) == (0, ())


def test_files_are_counted_again_once_the_count_is_old(world: World, tmp_path: Path) -> None:
    assert world.ask(GetStorage()).total_size_bytes == 0
    (tmp_path / "archived").mkdir()
    (tmp_path / "archived" / "bot.tar").write_bytes(b"x" * 10)
    world.sim.advance(STORAGE_LIFE - 1)
    told = world.ask(GetStorage())
    assert (told.total_size_bytes, told.age) == (0, pytest.approx(STORAGE_LIFE - 1))

    world.sim.advance(2)
    told = world.ask(GetStorage())
    assert (told.total_size_bytes, told.age) == (10, 0.0)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0.00 B"), (954, "954.00 B"), (1024, "1.00 KB"), (5 * 1024**3, "5.00 GB"), (3 * 1024**5, "3072.00 TB")],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert human(size) == words
