"""A child that is started anew on somebody's order: never lost by it, whatever it was doing."""

import pytest
from aviary.actors.core.refusal import Conflict, NotFound, Unavailable
from aviary.supervisors.messages import RenewChild, StartChild, TerminateChild
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import SECOND, Die, Note, Stage


def state_of(stage: Stage) -> tuple[str, int]:
    cell = stage.system.cell("sup/a")
    assert cell is not None
    return cell.state, cell.incarnation


@pytest.mark.parametrize("dynamic", [False, True])
def test_one_that_runs_is_started_anew(stage: Stage, *, dynamic: bool) -> None:
    stage.up(SupervisorSpec(dynamic=dynamic))
    stage.ask("sup", StartChild(spec=stage.child("a")))

    renewed = stage.ask("sup", RenewChild(name="a"))

    assert (renewed.state, renewed.incarnation) == ("running", 2)
    assert stage.ask("sup/a", Note()) == 2
    assert stage.which() == {"a": "running"}


def test_what_waits_for_one_that_is_renewed_is_handled_by_the_next(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a")))
    stage.do("sup/a", Die(how="hang"))
    owed = stage.begin("sup/a", Note(n=7))

    stage.ask("sup", RenewChild(name="a"))
    stage.sim.settle()

    assert owed.result() == 2


@pytest.mark.parametrize("before", ["absent", "parked", "restarting"])
def test_one_that_does_not_run_is_started(stage: Stage, before: str) -> None:
    park = before == "parked"
    intensity = 0 if park else 3
    stage.up(SupervisorSpec(park=park, intensity=intensity, children=stage.children("a", backoff=SECOND)))
    if before == "absent":
        stage.ask("sup", TerminateChild(name="a"))
    else:
        stage.do("sup/a", Die())
    assert stage.which() == {"a": before}

    assert stage.ask("sup", RenewChild(name="a")).state == "running"

    stage.sim.advance(10.0)
    assert state_of(stage) == ("running", 2)


@pytest.mark.parametrize("dynamic", [False, True])
def test_one_whose_start_fails_is_tried_again_like_any_other(stage: Stage, *, dynamic: bool) -> None:
    stage.up(SupervisorSpec(dynamic=dynamic, intensity=None))
    stage.ask("sup", StartChild(spec=stage.child("a", backoff=SECOND)))
    stage.world.starts["a"].append(ValueError("no luck"))

    with pytest.raises(Unavailable, match="sup/a did not start"):
        stage.ask("sup", RenewChild(name="a"))

    assert stage.which() == {"a": "restarting"}
    stage.sim.advance(5.0)
    assert state_of(stage)[0] == "running"


def test_one_that_does_not_want_to_run_rests(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a")))
    stage.world.starts["a"].append("ignore")

    assert stage.ask("sup", RenewChild(name="a")).state == "absent"

    with pytest.raises(Unavailable, match="stopped"):
        stage.ask("sup/a", Note())


def test_one_that_is_made_once_is_left_alone(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a", restart="temporary")))

    with pytest.raises(Conflict, match="made once"):
        stage.ask("sup", RenewChild(name="a"))

    assert stage.ask("sup/a", Note()) == 1


def test_nobody_knows_how_to_renew_a_stranger(stage: Stage) -> None:
    stage.up(SupervisorSpec())

    with pytest.raises(NotFound, match="no child 'a'"):
        stage.ask("sup", RenewChild(name="a"))
