"""OTP's supervisor_SUITE, group "strategies": the cases keep their names."""

import pytest
from aviary.actors.core.refusal import Unavailable
from aviary.supervisors.messages import GetChildSpec, StartChild, TerminateChild
from aviary.supervisors.spec import Strategy, SupervisorSpec
from kernel_stage import SECOND, Die, Note, Stage

NAMES = "zeta alpha mike"


def crash(stage: Stage, name: str) -> None:
    stage.do(f"sup/{name}", Die(how="error"))


def up(stage: Stage, strategy: Strategy, **more: object) -> None:
    stage.up(SupervisorSpec(strategy=strategy, intensity=2, children=stage.children(NAMES), **more))  # type: ignore[arg-type]
    stage.world.log.clear()


def test_one_for_one(stage: Stage) -> None:
    up(stage, "one_for_one")

    crash(stage, "alpha")
    assert stage.lives(*NAMES.split()) == [1, 2, 1]
    crash(stage, "alpha")
    crash(stage, "mike")

    assert not stage.exists()
    assert stage.end_of().startswith("gave up on sup/mike")


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_one_for_one_and_all_and_rest_for_one_escalation(stage: Stage, strategy: Strategy) -> None:
    stage.up(SupervisorSpec(strategy=strategy, intensity=1, children=stage.children(NAMES)))
    stage.world.starts["alpha"].extend([ValueError("gone"), ValueError("gone")])
    stage.world.log.clear()

    crash(stage, "alpha")

    assert not stage.exists()
    assert [event.address for event in stage.events("escalation")] == ["sup"]
    assert set(NAMES.split()) <= set(stage.world.did("stop"))
    assert stage.end_of().startswith("gave up on sup/alpha: ValueError: gone")


def test_one_for_all(stage: Stage) -> None:
    up(stage, "one_for_all")

    crash(stage, "alpha")

    assert stage.lives(*NAMES.split()) == [2, 2, 2]
    assert stage.world.did("start") == NAMES.split()
    assert stage.world.did("stop") == ["alpha", "mike", "zeta"]
    crash(stage, "zeta")
    crash(stage, "mike")
    assert not stage.exists()


def test_one_for_all_other_child_fails_restart(stage: Stage) -> None:
    up(stage, "one_for_all")
    stage.world.starts["alpha"].append(ValueError("not yet"))

    crash(stage, "mike")

    assert stage.world.did("try") == ["zeta", "alpha", "zeta", "alpha", "mike"]
    assert stage.world.did("stop") == ["mike", "alpha", "zeta", "alpha", "zeta"]
    assert stage.which() == dict.fromkeys(NAMES.split(), "running")


def test_rest_for_one(stage: Stage) -> None:
    up(stage, "rest_for_one")

    crash(stage, "alpha")

    assert stage.lives(*NAMES.split()) == [1, 2, 2]
    assert stage.world.did("start") == ["alpha", "mike"]
    assert stage.world.did("stop") == ["alpha", "mike"]


def test_rest_for_one_other_child_fails_restart(stage: Stage) -> None:
    up(stage, "rest_for_one")
    stage.world.starts["mike"].append(ValueError("not yet"))

    crash(stage, "alpha")

    assert stage.world.did("try") == ["alpha", "mike", "mike"]
    assert stage.lives(*NAMES.split()) == [1, 2, 3]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_a_group_waits_as_one_and_keeps_its_mailboxes(stage: Stage, strategy: Strategy) -> None:
    children = stage.children(NAMES, backoff=SECOND)
    stage.up(SupervisorSpec(strategy=strategy, children=children))

    crash(stage, "zeta")
    stage.tell("sup/mike", Note(n=1))
    assert set(stage.which().values()) == {"restarting"}
    stage.sim.advance(1.1)

    assert stage.lives(*NAMES.split()) == [2, 2, 2]
    assert stage.world.notes("mike") == [(1, 2)]


def test_simple_one_for_one(stage: Stage) -> None:
    stage.up(SupervisorSpec(dynamic=True, intensity=2))
    for name in NAMES.split():
        stage.ask("sup", StartChild(spec=stage.child(name)))

    crash(stage, "alpha")
    assert stage.lives(*NAMES.split()) == [1, 2, 1]
    crash(stage, "alpha")
    crash(stage, "zeta")

    assert not stage.exists()


def test_simple_one_for_one_extra(stage: Stage) -> None:
    stage.up(SupervisorSpec(dynamic=True))
    stage.world.starts["a"].extend(["first", "second"])

    assert stage.ask("sup", StartChild(spec=stage.child("a"))).extra == "first"
    crash(stage, "a")

    assert stage.which() == {"a": "running"}
    assert stage.lives("a") == [2]


def test_simple_one_for_one_escalation(stage: Stage) -> None:
    stage.up(SupervisorSpec(dynamic=True, intensity=1))
    for name in NAMES.split():
        stage.ask("sup", StartChild(spec=stage.child(name)))
    stage.world.always["mike"] = ValueError("gone")

    crash(stage, "mike")

    assert not stage.exists()
    assert sorted(stage.world.did("stop")) == ["alpha", *["mike"] * 2, "zeta"]


def test_simple_one_for_one_shutdown(stage: Stage) -> None:
    stage.up(SupervisorSpec(dynamic=True))
    for i in range(20):
        stage.world.stops[f"c{i}"] = 1.0
        stage.ask("sup", StartChild(spec=stage.child(f"c{i}")))

    before = stage.sim.clock.monotonic()
    stage.ask("aviary", TerminateChild(name="sup"))

    assert stage.sim.clock.monotonic() - before == pytest.approx(1.0)


@pytest.mark.parametrize("odd", ["ignore", ValueError("x"), SystemExit(1)])
def test_simple_one_for_one_corruption(stage: Stage, odd: object) -> None:
    stage.up(SupervisorSpec(dynamic=True))
    stage.ask("sup", StartChild(spec=stage.child("good")))
    stage.world.starts["odd"].append(odd)

    try:
        stage.ask("sup", StartChild(spec=stage.child("odd")))
    except Unavailable:
        assert odd != "ignore"

    assert stage.which() == {"good": "running"}
    assert stage.ask("sup", GetChildSpec(name="good")).name == "good"
    assert stage.ask("sup", StartChild(spec=stage.child("odd"))).state == "running"


def test_simple_one_for_one_restart_ignore(stage: Stage) -> None:
    stage.up(SupervisorSpec(dynamic=True))
    stage.ask("sup", StartChild(spec=stage.child("a")))
    stage.world.starts["a"].append("ignore")

    crash(stage, "a")

    assert stage.which() == {}
    assert not stage.exists("sup/a")


def test_a_static_child_that_ignores_its_restart_stays_as_absent(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a", backoff=SECOND)))
    stage.world.starts["a"].append("ignore")
    crash(stage, "a")
    stage.tell("sup/a", Note(n=1))

    stage.sim.advance(1.1)

    assert stage.which() == {"a": "absent"}
    assert stage.system.dead_letters()[-1].reason == "sup/a is stopped"


def test_a_stopped_child_comes_back_with_its_group(stage: Stage) -> None:
    up(stage, "one_for_all")
    stage.ask("sup", TerminateChild(name="alpha"))

    crash(stage, "zeta")

    assert stage.which() == dict.fromkeys(NAMES.split(), "running")
