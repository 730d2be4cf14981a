"""Promises 3 and 4: backoff, intensity, escalation and parking."""

import asyncio
from random import Random

import pytest
from aviary.actors.core.alarms import parked_alarm
from aviary.actors.core.cell import CellSettings, CellView
from aviary.actors.core.exits import Killed
from aviary.actors.core.refusal import NotFound, Unavailable
from aviary.supervisors.backoff import IMMEDIATE, Backoff
from aviary.supervisors.boot import Tree
from aviary.supervisors.decisions import is_too_often, recent
from aviary.supervisors.messages import DeleteChild, RestartChild, StartChild, TerminateChild, WhichChildren
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import StartFailed, Supervisor
from hypothesis import given
from hypothesis import strategies as st
from kernel_stage import SECOND, Die, Note, Stage, life_of

curves = st.builds(
    lambda first, factor, more, jitter, reset: Backoff(first, factor, first + more, jitter, reset),
    st.floats(0.001, 100.0),
    st.floats(1.0, 1e6),
    st.floats(0.0, 1e6),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1e6),
)


@given(curves, st.integers(1, 10_000_000), st.integers())
def test_every_delay_lies_between_the_curve_and_its_jitter(curve: Backoff, attempt: int, seed: int) -> None:
    delay = curve.delay(attempt, Random(seed))

    try:
        bare = min(curve.first * curve.factor ** (attempt - 1), curve.cap)
    except OverflowError:
        bare = curve.cap
    assert bare <= delay <= bare * (1 + curve.jitter)
    assert delay <= curve.cap * (1 + curve.jitter)


@given(curves, st.integers(1, 100))
def test_a_curve_without_jitter_never_falls(curve: Backoff, attempt: int) -> None:
    steady = Backoff(curve.first, curve.factor, curve.cap, 0.0, curve.reset)

    assert steady.delay(attempt, Random(0)) <= steady.delay(attempt + 1, Random(0))


@given(curves, st.integers(0, 100), st.floats(0.0, 1e7))
def test_only_a_healthy_life_starts_the_count_anew(curve: Backoff, previous: int, lived: float) -> None:
    assert curve.attempt_after(previous, lived) == (1 if lived >= curve.reset else previous + 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"first": -1.0},
        {"factor": 0.9},
        {"first": 2.0, "cap": 1.0},
        {"reset": -1.0},
        {"jitter": 1.1},
        {"jitter": float("nan")},
        {"first": float("nan")},
        {"cap": float("inf")},
    ],
)
def test_what_is_no_curve_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"curve|jitter"):
        Backoff(**fields)


@given(st.lists(st.floats(0, 100), max_size=20), st.floats(0, 100), st.floats(0.1, 50), st.integers(0, 10))
def test_too_often_is_more_than_intensity_within_the_period(
    times: list[float], now: float, period: float, intensity: int
) -> None:
    history = tuple(sorted(at for at in times if at <= now))
    counted = recent(history, now, period)

    spec = SupervisorSpec(intensity=intensity, period=period)
    assert is_too_often(spec, counted) == (sum(now - at <= period for at in history) > intensity)
    assert not is_too_often(SupervisorSpec(intensity=None), counted)


def test_a_restart_of_exactly_a_period_ago_still_counts(stage: Stage) -> None:
    stage.up(SupervisorSpec(intensity=1, period=5.0, children=stage.children("a")))
    stage.do("sup/a", Die())
    stage.sim.advance(5.0)

    stage.do("sup/a", Die())

    assert not stage.exists("sup")


def view(stage: Stage, address: str) -> CellView:
    return next(cell for cell in stage.system.tree() if cell.address == address)


def up(stage: Stage, **more: object) -> None:
    more.setdefault("intensity", None)
    stage.up(SupervisorSpec(children=stage.children("a b", backoff=SECOND), **more))  # type: ignore[arg-type]


def tries(stage: Stage, since: float) -> list[float]:
    return [event.at - since for event in stage.events("restart", address="sup/a")]


def test_a_child_that_keeps_failing_waits_longer_and_longer_up_to_the_cap(stage: Stage) -> None:
    up(stage)
    begin = stage.sim.clock.now()
    stage.world.always["a"] = ValueError("gone")
    stage.do("sup/a", Die())

    stage.sim.advance(40.0)

    failures = [event.at - begin for event in stage.events("crash", address="sup/a")]
    assert failures == pytest.approx([0, 1, 3, 7, 15, 23, 31, 39])
    assert stage.lives("b") == [1]


def test_whoever_backs_off_shows_attempt_last_failure_and_next_try(stage: Stage) -> None:
    up(stage)
    stage.world.always["a"] = ValueError("gone")
    stage.do("sup/a", Die())
    stage.sim.advance(1.5)

    seen = view(stage, "sup/a")

    assert (seen.state, seen.attempt) == ("backing_off", 2)
    assert seen.last_failure is not None
    assert "ValueError: gone" in seen.last_failure
    assert seen.next_try_at == pytest.approx(stage.sim.clock.now() + 1.5)


def test_the_delay_starts_anew_after_a_healthy_life(stage: Stage) -> None:
    up(stage)
    for expected in (1, 2, 3):
        stage.do("sup/a", Die())
        assert view(stage, "sup/a").attempt == expected
        stage.sim.advance(10.0)

    stage.sim.advance(60.0)
    stage.do("sup/a", Die())

    assert view(stage, "sup/a").attempt == 1


def test_a_stop_is_served_between_two_tries(stage: Stage) -> None:
    up(stage)
    stage.world.always["a"] = ValueError("gone")
    stage.do("sup/a", Die())
    stage.sim.advance(4.0)

    before = stage.sim.clock.monotonic()
    stage.ask("sup", TerminateChild(name="a"))

    assert stage.sim.clock.monotonic() == before
    tried = stage.world.did("try").count("a")
    stage.sim.advance(100.0)
    assert stage.world.did("try").count("a") == tried
    assert stage.ask("sup/b", Note()) == 1


def test_the_jitter_comes_from_the_seed(stage: Stage) -> None:
    jittery = Backoff(first=1.0, jitter=1.0)
    stage.up(SupervisorSpec(intensity=None, children=stage.children("a b", backoff=jittery)))
    stage.do("sup/a", Die())
    stage.do("sup/b", Die())

    first, second = (view(stage, f"sup/{name}").next_try_at for name in "ab")

    assert first is not None
    assert second is not None
    assert first != second
    assert all(1.0 <= at - stage.sim.clock.now() <= 2.0 for at in (first, second))


def test_a_supervisor_that_gives_up_fails_itself_and_its_own_supervisor_decides(stage: Stage) -> None:
    inner = stage.nested("inner", SupervisorSpec(intensity=0, children=stage.children("x y")))
    stage.up(SupervisorSpec(children=(inner, *stage.children("other"))))

    stage.do("sup/inner/x", Die())

    assert [event.address for event in stage.events("escalation")] == ["sup/inner"]
    assert stage.lives("inner", "inner/x", "inner/y", "other") == [2, 2, 2, 1]


def test_mailboxes_survive_the_restart_of_the_supervisor_above(stage: Stage) -> None:
    inner = stage.nested("inner", SupervisorSpec(intensity=0, children=stage.children("x y")), backoff=SECOND)
    stage.up(SupervisorSpec(children=(inner,)))
    stage.do("sup/inner/x", Die())

    stage.tell("sup/inner/y", Note(n=1))
    waiting = stage.begin("sup/inner/y", Note(n=2))

    assert stage.finish(waiting) == 2
    assert stage.world.notes("y") == [(1, 2), (2, 2)]


def test_the_next_life_of_a_supervisor_may_give_an_address_other_limits(stage: Stage) -> None:
    specs = [SupervisorSpec(children=stage.children("a", settings=CellSettings(mailbox=n))) for n in (1, 2)]
    stage.up(SupervisorSpec(intensity=None))
    child = ChildSpec("nested", lambda: Supervisor(specs.pop(0)), kind="supervisor", backoff=IMMEDIATE)
    stage.ask("sup", StartChild(spec=child))
    cell = stage.system.cell("sup/nested/a")
    assert cell is not None
    assert cell.statistics().capacity == 1

    life_of(stage, "sup/nested").end(Killed())
    stage.sim.settle()

    assert stage.system.cell("sup/nested/a") is cell
    assert cell.statistics().capacity == 2
    assert cell.settings.mailbox == 2


def test_at_the_root_escalation_parks_the_branch_until_somebody_restarts_it(stage: Stage) -> None:
    branch = stage.nested("branch", SupervisorSpec(intensity=0, children=stage.children("x")), backoff=SECOND)
    stage.up(SupervisorSpec(park=True, intensity=1, period=1_000.0, children=(branch, *stage.children("other"))))
    stage.do("sup/branch/x", Die())
    stage.sim.advance(1.1)
    stage.tell("sup/branch/x", Die())
    waiting = stage.begin("sup/branch/x", Note())
    with pytest.raises(Unavailable, match="sup/branch is parked"):
        stage.finish(waiting)

    assert view(stage, "sup/branch").state == "parked"
    assert stage.which() == {"branch": "parked", "other": "running"}
    assert [alarm.name for alarm in stage.system.alarms.standing()] == [parked_alarm("sup/branch")]
    assert len(stage.events("parked")) == 1
    for address in ("sup/branch/x", "sup/branch"):
        cell = stage.system.cell(address)
        assert cell is not None
        assert cell.life is None
    with pytest.raises(Unavailable, match="is stopped"):
        stage.ask("sup/branch/x", Note())
    with pytest.raises(Unavailable, match="is parked"):
        stage.ask("sup/branch", WhichChildren())
    assert stage.sim.clock.monotonic() < 5.0
    stage.sim.advance(1_000.0)
    assert stage.which()["branch"] == "parked"

    assert stage.ask("sup", RestartChild(name="branch")).state == "running"
    assert stage.system.alarms.standing() == ()
    assert stage.ask("sup/branch/x", Note()) > 0


def test_a_root_that_gives_up_leaves_nobody_waiting(stage: Stage) -> None:
    tree = Tree(stage.system, SupervisorSpec(intensity=0, children=stage.children("a b")))
    stage.sim.run(tree.start())
    stage.do("a", Die())

    for address in "ab":
        with pytest.raises(Unavailable, match="is stopped"):
            stage.ask(address, Note(), timeout=100.0)
    assert stage.sim.clock.monotonic() == 0
    stage.sim.run(tree.stop())
    assert stage.system.tree() == ()


def test_an_operators_restart_is_no_attempt_and_those_before_it_are_forgotten(stage: Stage) -> None:
    child = stage.children("a", backoff=SECOND)
    stage.up(SupervisorSpec(park=True, intensity=1, period=1_000.0, children=child))
    stage.do("sup/a", Die())
    stage.sim.advance(1.1)
    stage.do("sup/a", Die())
    assert (view(stage, "sup/a").state, view(stage, "sup/a").attempt) == ("parked", 1)

    stage.ask("sup", RestartChild(name="a"))

    assert (view(stage, "sup/a").state, view(stage, "sup/a").attempt) == ("running", 0)
    stage.do("sup/a", Die())
    assert (view(stage, "sup/a").state, view(stage, "sup/a").attempt) == ("backing_off", 1)


def test_a_tree_that_does_not_start_leaves_nothing_running(stage: Stage) -> None:
    stage.world.starts["a"].append(ValueError("gone"))
    tree = Tree(stage.system, SupervisorSpec(children=stage.children("a")))

    with pytest.raises(StartFailed, match="a did not start: ValueError: gone"):
        stage.sim.run(tree.start())
    stage.sim.settle()

    assert asyncio.all_tasks(stage.sim.loop) == set()


def test_a_tree_that_has_stopped_leaves_nothing_running(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a")))

    stage.down()
    stage.sim.settle()

    assert asyncio.all_tasks(stage.sim.loop) == set()


def test_a_parked_child_can_be_stopped_or_deleted_and_its_alarm_goes_with_it(stage: Stage) -> None:
    for message in (TerminateChild(name="a"), DeleteChild(name="a")):
        stage.up(SupervisorSpec(park=True, intensity=0, children=stage.children("a b")))
        stage.do("sup/a", Die())
        assert stage.which()["a"] == "parked"
        with pytest.raises(Unavailable, match="is parked: ValueError"):
            stage.ask("sup/a", Note())

        stage.ask("sup", message)

        assert stage.system.alarms.standing() == ()
        stage.ask("aviary", TerminateChild(name="sup"))


def test_a_parked_child_whose_restart_fails_stays_parked(stage: Stage) -> None:
    stage.up(SupervisorSpec(park=True, intensity=0, children=stage.children("a b")))
    stage.do("sup/a", Die())
    stage.world.starts["a"].append(ValueError("still"))

    with pytest.raises(Unavailable, match="still"):
        stage.ask("sup", RestartChild(name="a"))

    assert stage.which()["a"] == "parked"
    assert len(stage.system.alarms.standing()) == 1


def test_a_parking_supervisor_starts_without_a_child_that_fails(stage: Stage) -> None:
    stage.world.starts["a"].extend([ValueError("1"), ValueError("2")])

    stage.up(SupervisorSpec(park=True, children=stage.children("a b", backoff=SECOND)))

    assert stage.which() == {"a": "restarting", "b": "running"}
    stage.sim.advance(5.0)
    assert stage.which() == {"a": "running", "b": "running"}


def test_what_waits_at_a_parked_or_removed_address_is_refused_and_a_dead_letter(stage: Stage) -> None:
    stage.up(SupervisorSpec(park=True, intensity=0, children=stage.children("a")))
    stage.tell("sup/a", Die())
    stage.tell("sup/a", Note(n=1))
    asked = stage.begin("sup/a", Note(n=2))
    with pytest.raises(Unavailable, match="parked"):
        stage.finish(asked)
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Die", "Note", "Note"]

    stage.ask("sup", DeleteChild(name="a"))
    stage.tell("sup/a", Note(n=3))

    with pytest.raises(NotFound):
        stage.ask("sup/a", Note())
    assert stage.system.dead_letters()[-1].reason == "sup/a does not exist"


def test_a_start_that_takes_too_long_is_a_failed_one(stage: Stage) -> None:
    stage.up(SupervisorSpec())
    stage.world.starts["a"].append("hang")

    with pytest.raises(Unavailable, match="did not start within 2 s"):
        stage.ask("sup", StartChild(spec=stage.child("a", start_timeout=2.0)))

    assert stage.sim.clock.monotonic() == pytest.approx(2.0)
    assert not stage.exists("sup/a")
