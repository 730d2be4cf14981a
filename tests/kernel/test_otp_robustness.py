"""OTP's supervisor_SUITE, group "robustness": the cases keep their names.

Scale is counted here as work done, not as time; the times are in `benchmarks/kernel.py`.
"""

import asyncio
import gc
import logging
import sys
import weakref
from collections.abc import Callable
from types import FrameType

import pytest
from aviary.actors.core.life import Stop
from aviary.actors.core.simulation import Simulation
from aviary.supervisors.messages import CountChildren, StartChild, TerminateChild
from aviary.supervisors.spec import ChildSpec, Strategy, SupervisorSpec
from kernel_stage import SECOND, Die, Note, Player, Stage


def test_child_unlink(stage: Stage) -> None:
    """A child can't leave its supervisor, but it can stop listening: one whose main task is somewhere else."""
    stage.up(SupervisorSpec(children=stage.children("a", shutdown=2.0)))
    stage.tell("sup/a", Die(how="hang"))

    before = stage.sim.clock.monotonic()
    stage.ask("aviary", TerminateChild(name="sup"))

    assert stage.sim.clock.monotonic() - before == pytest.approx(2.0)
    assert not stage.exists()


def test_tree(stage: Stage) -> None:
    inner = SupervisorSpec(intensity=1, children=stage.children("static1 static2"))
    stage.up(SupervisorSpec(children=(stage.child("worker"), stage.nested("inner", inner))))
    stage.ask("sup/inner", StartChild(spec=stage.child("added")))

    stage.do("sup/inner/static1", Die())
    assert set(stage.which("sup/inner").values()) == {"running"}
    stage.do("sup/inner/static2", Die())

    assert stage.which("sup/inner") == {"static1": "running", "static2": "running"}
    assert not stage.exists("sup/inner/added")
    assert stage.lives("inner", "worker") == [2, 1]
    stage.ask("aviary", TerminateChild(name="sup"))
    assert [cell.address for cell in stage.system.tree()] == ["aviary"]


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("immediate", [True, False])
def test_hanging_restart_loop_and_its_rest_for_one_form(
    stage: Stage, strategy: Strategy, *, immediate: bool
) -> None:
    more = {} if immediate else {"backoff": SECOND}
    children = stage.children("before loops after", **more)
    stage.up(SupervisorSpec(strategy=strategy, intensity=1_000_000, period=1e9, children=children))
    stage.world.always["loops"] = ValueError("never")
    stage.tell("sup/loops", Die())
    stage.sim.settle(400)

    assert stage.which()["loops"] == "restarting"
    stage.ask("sup", TerminateChild(name="loops"))

    assert stage.which()["loops"] == "absent"
    tries = stage.world.did("try").count("loops")
    stage.sim.advance(20.0)
    assert stage.world.did("try").count("loops") == tries
    assert {"before", "after"} <= {name for name, state in stage.which().items() if state == "running"}


@pytest.mark.parametrize("dynamic", [False, True])
def test_hanging_restart_loop_simple_and_shutdown_in_the_loop(stage: Stage, *, dynamic: bool) -> None:
    stage.up(SupervisorSpec(dynamic=dynamic, intensity=1_000_000, period=1e9, children=stage.children("loops")))
    stage.world.always["loops"] = ValueError("never")
    stage.tell("sup/loops", Die())
    stage.sim.settle(400)

    stage.ask("aviary", TerminateChild(name="sup"))

    assert not stage.exists()


@pytest.mark.parametrize("dynamic", [False, True])
def test_do_not_save_start_parameters_and_specs_for_temporary_children(stage: Stage, *, dynamic: bool) -> None:
    class Argument:
        pass

    def child(name: str, argument: Argument) -> ChildSpec:
        def make() -> Player:
            assert argument
            return Player(stage.world)

        return ChildSpec(name, make, restart="temporary")

    stage.up(SupervisorSpec(dynamic=dynamic))
    kept = []
    for i in range(20):
        argument = Argument()
        kept.append(weakref.ref(argument))
        stage.ask("sup", StartChild(spec=child(f"c{i}", argument)))
        del argument
        stage.do(f"sup/c{i}", Die())

    gc.collect()

    assert stage.which() == {}
    assert [ref for ref in kept if ref() is not None] == []


def lines(work: Callable[[], object]) -> int:
    """How many lines of the kernel's and the supervisors' code a piece of work takes."""
    count = 0

    def local(_frame: FrameType, event: str, _arg: object) -> object:
        nonlocal count
        count += event == "line"
        return local

    def trace(frame: FrameType, _event: str, _arg: object) -> object:
        name = frame.f_code.co_filename
        return local if "/actors/core/" in name or "/supervisors/" in name else None

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def start_and_kill(count: int) -> int:
    with Simulation() as sim:
        stage = Stage(sim)
        stage.up(SupervisorSpec(dynamic=True))

        async def play() -> None:
            for i in range(count):
                spec = stage.child(f"c{i}", restart="temporary")
                await stage.system.ask("sup", StartChild(spec=spec), timeout=10)
            for i in range(count):
                stage.tell(f"sup/c{i}", Die(how="normal"))
            while (await stage.system.ask("sup", CountChildren(), timeout=10)).specs:
                await asyncio.sleep(0.01)

        return lines(lambda: sim.run(play()))


def start_and_stop(count: int) -> int:
    with Simulation() as sim:
        stage = Stage(sim)
        children = stage.children(" ".join(f"c{i}" for i in range(count)))

        def play() -> None:
            stage.up(SupervisorSpec(children=children))
            stage.ask("aviary", TerminateChild(name="sup"))

        return lines(play)


@pytest.mark.parametrize("work", [start_and_kill, start_and_stop])
def test_simple_one_for_one_scale_many_temporary_children_and_scale_start_stop_many_children(
    work: Callable[[int], int],
) -> None:
    logging.getLogger("aviary.kernel").setLevel(logging.CRITICAL)

    assert work(200) < 5 * work(50)


def test_order_of_children(stage: Stage) -> None:
    names = "zeta alpha mike bravo yankee"
    stage.up(SupervisorSpec(strategy="rest_for_one", children=stage.children(names)))
    assert stage.world.did("start") == names.split()

    stage.world.log.clear()
    stage.do("sup/mike", Die())
    assert stage.world.did("stop") == ["mike", "yankee", "bravo"]
    assert stage.world.did("start") == ["mike", "bravo", "yankee"]

    stage.world.log.clear()
    stage.ask("aviary", TerminateChild(name="sup"))
    assert stage.world.did("stop") == names.split()[::-1]


def test_simple_global_supervisor(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a")), restart="permanent")

    stage.do("sup/a", Die())
    assert stage.ask("sup/a", Note()) == 2
    stage.do("sup", Stop())

    assert stage.ask("sup/a", Note()) == 3
    cell = stage.system.cell("sup")
    assert cell is not None
    assert cell.incarnation == 2


def test_format_log_1_and_2(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.up(SupervisorSpec())
    stage.world.starts["a"].append(ValueError("first line, " + "x" * 1_000 + "\nsecond line"))

    with caplog.at_level(logging.ERROR, logger="aviary.kernel"), pytest.raises(Exception, match="did not start"):
        stage.ask("sup", StartChild(spec=stage.child("a")))

    event = stage.events("crash")[0]
    assert event.reason.startswith("ValueError: first line, xxx")
    assert len(event.reason) == 300
    assert "second line" in event.detail
    assert [record.getMessage().count("\n") for record in caplog.records] == [0]
