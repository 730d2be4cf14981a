"""OTP's supervisor_SUITE, group "stop": the cases keep their names."""

import asyncio
import itertools
from typing import Any

import pytest
from aviary.actors.core.life import Stop
from aviary.actors.core.message import Message
from aviary.supervisors.messages import TerminateChild
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import SECOND, Die, Note, Player, Stage, Stubborn


def stop(stage: Stage) -> float:
    """Stop the supervisor; the virtual seconds that it took."""
    before = stage.sim.clock.monotonic()
    stage.ask("aviary", TerminateChild(name="sup"))
    return stage.sim.clock.monotonic() - before


def busy(stage: Stage, name: str) -> None:
    stage.do(f"sup/{name}", Die(how="busy"))


def test_sup_stop_infinity(stage: Stage) -> None:
    stage.world.stops["a"] = 4.0
    stage.up(SupervisorSpec(children=stage.children("a b", shutdown=None)))

    assert stop(stage) == pytest.approx(4.0)
    assert stage.world.did("stop") == ["b", "a"]


def test_sup_stop_timeout(stage: Stage) -> None:
    polite = stage.child("polite", shutdown=1.0)
    stubborn = stage.child("stubborn", make=Stubborn, shutdown=2.0)
    stage.up(SupervisorSpec(children=(polite, stubborn)))
    busy(stage, "stubborn")

    assert stop(stage) == pytest.approx(2.0, abs=0.1)
    assert stage.end_of("sup/stubborn") == "killed"
    assert stage.end_of("sup/polite") == "shut down"


def test_sup_stop_timeout_dynamic(stage: Stage) -> None:
    children = [stage.child(f"c{i}", make=Stubborn, shutdown=2.0) for i in range(5)]
    stage.up(SupervisorSpec(dynamic=True, children=tuple(children)))
    for i in range(5):
        busy(stage, f"c{i}")

    assert stop(stage) == pytest.approx(2.0, abs=0.1)
    assert [stage.end_of(f"sup/c{i}") for i in range(5)] == ["killed"] * 5


@pytest.mark.parametrize("dynamic", [False, True])
def test_sup_stop_brutal_kill_and_its_dynamic_form(stage: Stage, *, dynamic: bool) -> None:
    stage.up(SupervisorSpec(dynamic=dynamic, children=stage.children("a b", shutdown=0)))

    assert stop(stage) == 0
    assert [stage.end_of(f"sup/{name}") for name in "ab"] == ["killed", "killed"]


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("how", ["normal", "shutdown", "error", "exit"])
def test_sup_stop_race(stage: Stage, restart: str, how: str) -> None:
    stage.world.stops["c"] = 1.0
    stage.up(SupervisorSpec(children=stage.children("a b c", restart=restart)))
    stopping = stage.begin("aviary", TerminateChild(name="sup"))

    stage.do("sup/a", Die(how=how))
    stage.do("sup/b", Die(how=how))
    stage.finish(stopping)

    assert not stage.exists()
    expected = {"normal": "ended", "shutdown": "shut down", "error": "ValueError: error", "exit": "SystemExit: 3"}
    assert {stage.end_of(f"sup/{name}") for name in "ab"} == {expected[how]}
    assert stage.end_of("sup/c") == "shut down"
    assert stage.events("restart") == []


def test_sup_stop_non_shutdown_exit_dynamic(stage: Stage) -> None:
    stage.world.stops["b"] = 1.0
    stage.up(SupervisorSpec(dynamic=True, children=stage.children("a b c")))
    stage.tell("sup/b", Die(how="error"))

    stop(stage)

    assert stage.end_of("sup/b") == "ValueError: error"
    assert [stage.end_of(f"sup/{name}") for name in "ac"] == ["shut down"] * 2
    assert not stage.exists()


def test_a_failing_release_is_told_and_holds_nothing_up(stage: Stage) -> None:
    stage.world.stops["b"] = ValueError("stuck")
    stage.up(SupervisorSpec(children=stage.children("a b c")))

    assert stop(stage) == 0
    assert [event.reason for event in stage.events("release_failed")] == ["ValueError: stuck"]
    assert stage.end_of("sup/b") == "shut down"


def test_a_release_has_a_deadline(stage: Stage) -> None:
    stage.world.stops["a"] = 1_000.0
    stage.up(SupervisorSpec(children=(stage.child("a", make=Stubborn, shutdown=None),)))

    assert stop(stage) == pytest.approx(1.0)
    assert [event.reason for event in stage.events("release_failed")] == ["TimeoutError: "]


def test_a_stop_that_a_dying_child_did_not_live_to_take_is_not_meant_for_its_successor(stage: Stage) -> None:
    children = stage.children("a b")
    stage.up(SupervisorSpec(strategy="one_for_all", children=children))

    stage.tell("sup/b", Die(how="error"))
    stage.do("sup/a", Die(how="error"))

    assert stage.lives("a", "b") == [2, 2]
    assert all(event.reason != "shut down" for event in stage.events("stop") if event.incarnation == 2)


def test_a_handler_that_cancels_itself_and_crashes_before_it_feels_it_lets_go_all_the_same(stage: Stage) -> None:
    class Hasty(Player):
        async def receive(self, message: Message[Any]) -> object:
            self.spawn(asyncio.sleep(100), "beside")
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            raise ValueError

    stage.up(SupervisorSpec(intensity=None, children=(stage.child("a", make=Hasty),)))
    stage.world.stops["a"] = 0.5

    stage.tell("sup/a", Note())
    stage.sim.advance(1.0)

    assert stage.world.did("stop") == ["a"]
    assert stage.events("release_failed") == []
    assert stage.lives("a") == [2]


def test_an_end_that_is_told_late_does_not_interrupt_a_release_that_has_begun(stage: Stage) -> None:
    stage.world.stops["a"] = 1.0
    stage.up(SupervisorSpec(children=stage.children("a")))
    cell = stage.system.cell("sup/a")
    assert cell is not None
    life = cell.life
    assert life is not None
    stage.do("sup/a", Die(how="error"))

    # What another thread's call to `end` would leave behind on this loop.
    assert life.runner is not None
    life.runner.interrupt()
    stage.sim.advance(1.1)

    assert stage.world.did("stop") == ["a"]
    assert stage.events("release_failed") == []
    assert stage.lives("a") == [2]


def test_a_stop_that_reaches_nobody_is_not_kept_for_the_next_life(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a", backoff=SECOND)))
    stage.do("sup/a", Die(how="error"))

    stage.do("sup/a", Stop())
    stage.sim.advance(10.0)

    assert stage.lives("a") == [2]


def test_every_kind_of_child_is_gone_when_the_tree_has_stopped(stage: Stage) -> None:
    kinds = itertools.product(["permanent", "transient", "temporary"], [0, 1.0, None])
    children = tuple(stage.child(f"c{i}", restart=r, shutdown=s) for i, (r, s) in enumerate(kinds))
    stage.up(SupervisorSpec(children=children))

    stage.down()

    assert stage.system.tree() == ()
    assert len(stage.events("stop")) == len(children) + 2


def test_a_child_that_lets_go_is_seen_to_be_stopping(stage: Stage) -> None:
    stage.world.stops["a"] = 2.0
    stage.up(SupervisorSpec(children=stage.children("a")))
    stopping = stage.begin("sup", TerminateChild(name="a"))

    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.state == "stopping"
    stage.finish(stopping)
    assert cell.state == "stopped"
