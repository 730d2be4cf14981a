"""OTP's supervisor_SUITE, group "start": the cases keep their names."""

import asyncio
from typing import Any

import pytest
from aviary.actors.core.life import Ignore
from aviary.actors.core.refusal import Conflict, Unavailable
from aviary.supervisors.backoff import IMMEDIATE, Backoff
from aviary.supervisors.messages import (
    CountChildren,
    GetChildSpec,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from aviary.supervisors.spec import ChildSpec, InvalidSpec, SupervisorSpec
from aviary.supervisors.supervisor import Supervisor
from kernel_stage import Note, Player, Stage, returning

DYNAMIC = SupervisorSpec(dynamic=True)


class Unwilling(Supervisor):
    """A supervisor that does not want to run."""

    async def prepare(self) -> None:
        raise Ignore


class Failing(Supervisor):
    """A supervisor that can't be made ready."""

    async def prepare(self) -> None:
        raise ValueError("no such file")


def test_sup_start_normal(stage: Stage) -> None:
    info = stage.up(SupervisorSpec())

    assert info.state == "running"
    assert stage.which() == {}
    stage.ask("aviary", TerminateChild(name="sup"))
    assert not stage.exists()
    assert stage.end_of() == "shut down"


def test_sup_start_ignore_init(stage: Stage) -> None:
    stage.up(SupervisorSpec())

    spec = ChildSpec("shy", lambda: Unwilling(SupervisorSpec()), kind="supervisor")
    info = stage.ask("aviary", StartChild(spec=spec))

    assert info.state == "absent"
    cell = stage.system.cell("shy")
    assert cell is not None
    assert cell.life is None
    assert stage.events("start", "crash", "stop", address="shy") == []


def test_sup_start_ignore_child(stage: Stage) -> None:
    stage.world.starts["b"].append("ignore")
    stage.up(SupervisorSpec(children=stage.children("a b c")))

    assert stage.which() == {"a": "running", "b": "absent", "c": "running"}
    counts = stage.ask("sup", CountChildren())
    assert (counts.specs, counts.active) == (3, 2)
    assert stage.ask("sup", GetChildSpec(name="b")).name == "b"


def test_sup_start_ignore_temporary_child(stage: Stage) -> None:
    stage.world.starts["b"].append("ignore")
    stage.up(SupervisorSpec(children=stage.children("a b", restart="temporary")))

    assert stage.which() == {"a": "running"}
    assert not stage.exists("sup/b")


def test_sup_start_ignore_temporary_child_start_child(stage: Stage) -> None:
    stage.up(SupervisorSpec())
    stage.world.starts["b"].append("ignore")

    info = stage.ask("sup", StartChild(spec=stage.child("b", restart="temporary")))

    assert info.state == "absent"
    assert stage.which() == {}


def test_sup_start_ignore_temporary_child_start_child_simple(stage: Stage) -> None:
    stage.up(DYNAMIC)
    stage.world.starts["b"].append("ignore")

    info = stage.ask("sup", StartChild(spec=stage.child("b", restart="temporary")))

    assert info.state == "absent"
    assert stage.which() == {}


def test_sup_start_ignore_permanent_child_start_child_simple(stage: Stage) -> None:
    stage.up(DYNAMIC)
    stage.world.starts["b"].append("ignore")

    info = stage.ask("sup", StartChild(spec=stage.child("b")))

    assert info.state == "absent"
    assert stage.which() == {}
    stage.ask("aviary", TerminateChild(name="sup"))
    assert stage.end_of() == "shut down"


@pytest.mark.parametrize("nonsense", [None, 17, "actor", Player])
def test_sup_start_error_return(stage: Stage, nonsense: object) -> None:
    stage.up(SupervisorSpec())

    spec = ChildSpec("sup2", returning(nonsense), kind="supervisor")
    with pytest.raises(Unavailable, match="made no actor"):
        stage.ask("aviary", StartChild(spec=spec))

    assert not stage.exists("sup2")
    assert stage.exists("sup")


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(1), KeyboardInterrupt()])
def test_sup_start_fail(stage: Stage, error: BaseException) -> None:
    stage.up(SupervisorSpec())
    stage.world.starts["a"].append(error)

    inner = stage.nested("sup2", SupervisorSpec(children=stage.children("b a c")))
    with pytest.raises(Unavailable, match=type(error).__name__):
        stage.ask("aviary", StartChild(spec=inner))

    assert not stage.exists("sup2")
    assert not stage.exists("sup2/b")
    assert stage.world.did("start", "stop") == ["b", "a", "b"]


def test_sup_start_fail_of_the_supervisor_itself(stage: Stage) -> None:
    stage.up(SupervisorSpec())

    spec = ChildSpec("bad", lambda: Failing(SupervisorSpec()), kind="supervisor")
    with pytest.raises(Unavailable, match="no such file"):
        stage.ask("aviary", StartChild(spec=spec))

    assert not stage.exists("bad")


def raising(error: BaseException) -> Any:
    def make() -> Any:
        raise error

    return make


@pytest.mark.parametrize("spec", [SupervisorSpec(), DYNAMIC], ids=["static", "dynamic"])
@pytest.mark.parametrize(
    "factory",
    [raising(ValueError("no")), raising(SystemExit(2)), returning(None), returning("pid")],
    ids=["raises", "exits", "nothing", "text"],
)
def test_sup_start_child_returns_error_and_its_simple_form(
    stage: Stage, spec: SupervisorSpec, factory: Any
) -> None:
    stage.up(spec)

    with pytest.raises(Unavailable, match="did not start"):
        stage.ask("sup", StartChild(spec=ChildSpec("a", factory)))

    assert stage.which() == {}
    assert not stage.exists("sup/a")
    assert stage.lives() == []


def test_sup_start_restart_child_returns_error(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a")))
    stage.ask("sup", TerminateChild(name="a"))
    stage.world.starts["a"].append(ValueError("still no"))

    with pytest.raises(Unavailable, match="still no"):
        stage.ask("sup", RestartChild(name="a"))

    assert stage.which() == {"a": "absent"}
    with pytest.raises(Unavailable, match="is stopped"):
        stage.ask("sup/a", Note())
    assert stage.ask("sup", RestartChild(name="a")).state == "running"


def test_sup_start_map(stage: Stage) -> None:
    spec = SupervisorSpec()

    assert (spec.strategy, spec.intensity, spec.period, spec.auto_shutdown) == ("one_for_one", 3, 5.0, "never")
    stage.up(SupervisorSpec(children=(ChildSpec("a", lambda: Player(stage.world)),)))
    child = stage.ask("sup", GetChildSpec(name="a"))
    assert (child.restart, child.kind, child.shutdown, child.start_timeout) == ("permanent", "worker", 5.0, 30.0)
    assert (child.significant, child.backoff) == (False, Backoff())
    supervisor = stage.nested("s", SupervisorSpec())
    assert (supervisor.shutdown, supervisor.start_timeout) == (None, None)


def test_sup_start_map_simple(stage: Stage) -> None:
    stage.up(DYNAMIC)

    stage.ask("sup", StartChild(spec=ChildSpec("a", lambda: Player(stage.world), backoff=IMMEDIATE)))

    assert stage.ask("sup", GetChildSpec(name="a")).shutdown == 5.0
    assert [info.kind for info in stage.ask("sup", WhichChildren())] == ["worker"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", None),
        ("name", "a/b"),
        ("name", ".."),
        ("name", "x" * 201),
        ("factory", None),
        ("restart", "sometimes"),
        ("kind", "thing"),
        ("shutdown", -1),
        ("shutdown", "soon"),
        ("shutdown", float("nan")),
        ("shutdown", True),
        ("start_timeout", -0.1),
        ("start_timeout", float("inf")),
        ("significant", 1),
        ("backoff", 3.0),
        ("settings", None),
    ],
)
def test_sup_start_map_faulty_specs(field: str, value: object) -> None:
    fields: dict[str, Any] = {"name": "a", "factory": lambda: None, field: value}

    with pytest.raises(InvalidSpec) as refused:
        ChildSpec(**fields)

    assert refused.value.field == field


def test_a_child_whose_name_is_taken_elsewhere_is_refused(stage: Stage) -> None:
    stage.up(SupervisorSpec())

    with pytest.raises(Conflict, match="already running"):
        stage.ask("aviary", StartChild(spec=stage.child("sup")))
    with pytest.raises(Exception, match="somebody else's"):
        stage.ask("aviary", StartChild(spec=stage.child("aviary")))
    assert stage.which() == {}


def test_what_waited_for_a_child_that_does_not_want_to_run_again_is_refused_at_once(stage: Stage) -> None:
    class Slow(Player):
        async def prepare(self) -> object:
            if self.incarnation > 1:
                await asyncio.sleep(1.0)
                raise Ignore
            return await super().prepare()

    stage.up(SupervisorSpec(children=(stage.child("a", Slow),)))
    stage.ask("sup", TerminateChild(name="a"))
    restarting = stage.begin("sup", RestartChild(name="a"))
    waiting = stage.begin("sup/a", Note())

    assert stage.finish(restarting).state == "absent"
    stage.sim.settle()

    assert waiting.done()
    assert isinstance(waiting.exception(), Unavailable)
