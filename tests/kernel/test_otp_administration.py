"""OTP's supervisor_SUITE, group "administration": the cases keep their names."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.refusal import Conflict, Invalid, NotFound, Unavailable
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.messages import (
    CountChildren,
    DeleteChild,
    GetChildSpec,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from aviary.supervisors.spec import ChildSpec, InvalidSpec, SupervisorSpec
from kernel_stage import SECOND, Die, Note, Player, Stage


def test_child_adm(stage: Stage) -> None:
    stage.up(SupervisorSpec())
    a = stage.child("a")

    assert stage.ask("sup", StartChild(spec=a)).state == "running"
    with pytest.raises(Conflict, match="already running"):
        stage.ask("sup", StartChild(spec=a))
    with pytest.raises(Conflict, match="is running"):
        stage.ask("sup", RestartChild(name="a"))
    with pytest.raises(Conflict, match="is running"):
        stage.ask("sup", DeleteChild(name="a"))

    assert stage.ask("sup", TerminateChild(name="a")) is None
    assert stage.ask("sup", TerminateChild(name="a")) is None
    assert stage.which() == {"a": "absent"}
    with pytest.raises(Conflict, match="already present"):
        stage.ask("sup", StartChild(spec=a))

    assert stage.ask("sup", RestartChild(name="a")).incarnation == 2
    stage.ask("sup", TerminateChild(name="a"))
    assert stage.ask("sup", DeleteChild(name="a")) is None
    for message in (
        TerminateChild(name="a"),
        RestartChild(name="a"),
        DeleteChild(name="a"),
        GetChildSpec(name="a"),
    ):
        with pytest.raises(NotFound, match="no child 'a'"):
            stage.ask("sup", message)
    assert stage.ask("sup", StartChild(spec=a)).incarnation == 1


def test_child_adm_of_a_child_that_backs_off(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a", backoff=SECOND)))
    stage.do("sup/a", Die())

    with pytest.raises(Conflict, match="already present, restarting"):
        stage.ask("sup", StartChild(spec=stage.child("a")))
    with pytest.raises(Conflict, match="is restarting"):
        stage.ask("sup", RestartChild(name="a"))
    with pytest.raises(Conflict, match="is restarting"):
        stage.ask("sup", DeleteChild(name="a"))
    stage.ask("sup", TerminateChild(name="a"))

    assert stage.which() == {"a": "absent"}
    stage.sim.advance(5.0)
    assert stage.lives("a") == [0]


def test_child_adm_simple(stage: Stage) -> None:
    stage.up(SupervisorSpec(dynamic=True))
    other = stage.nested("other", SupervisorSpec(dynamic=True, children=stage.children("theirs")))
    stage.ask("aviary", StartChild(spec=other))
    stage.ask("sup", StartChild(spec=stage.child("a")))

    with pytest.raises(NotFound):
        stage.ask("sup", TerminateChild(name="theirs"))
    assert stage.ask("other/theirs", Note()) == 1
    with pytest.raises(Conflict):
        stage.ask("sup", RestartChild(name="a"))
    with pytest.raises(Conflict):
        stage.ask("sup", DeleteChild(name="a"))
    stage.ask("sup", TerminateChild(name="a"))

    assert stage.which() == {}
    with pytest.raises(NotFound):
        stage.ask("sup", TerminateChild(name="a"))
    with pytest.raises(NotFound):
        stage.ask("sup/a", Note())


def test_extra_return(stage: Stage) -> None:
    stage.world.starts["a"].extend([{"port": 1}, {"port": 2}, {"port": 3}])
    stage.up(SupervisorSpec())

    assert stage.ask("sup", StartChild(spec=stage.child("a"))).extra == {"port": 1}
    stage.ask("sup", TerminateChild(name="a"))
    assert stage.ask("sup", RestartChild(name="a")).extra == {"port": 2}
    stage.do("sup/a", Die())
    assert stage.ask("sup", WhichChildren())[0].extra == {"port": 3}


def test_child_specs_every_product_of_valid_values_is_accepted_and_startable(stage: Stage) -> None:
    stage.up(SupervisorSpec(auto_shutdown="all_significant"))
    product = itertools.product(
        ["permanent", "transient", "temporary"],
        [0, 0.5, 5, None],
        [0, 30.0, None],
        [False, True],
        [Backoff(), Backoff(first=0, cap=0)],
        [CellSettings(), CellSettings(mailbox=1, handler_limit=None, poison_after=1)],
    )
    started = 0
    for i, (restart, shutdown, start, significant, backoff, limits) in enumerate(product):
        if significant and restart == "permanent":
            continue
        spec = ChildSpec(
            f"c{i}",
            lambda: Player(stage.world),
            restart=restart,  # type: ignore[arg-type]
            shutdown=shutdown,
            start_timeout=start or 1.0,
            significant=significant,
            backoff=backoff,
            settings=limits,
        )
        stage.ask("sup", StartChild(spec=spec))
        known = stage.ask("sup", GetChildSpec(name=f"c{i}"))
        # What a temporary child is made of is not kept: it is made once.
        assert (known.factory is spec.factory) is (restart != "temporary")
        assert replace(known, factory=spec.factory) == spec
        started += 1

    assert stage.ask("sup", CountChildren()).active == started


def test_child_specs_duplicates_and_bad_combinations_are_refused(stage: Stage) -> None:
    with pytest.raises(InvalidSpec, match="two children are called 'a'"):
        SupervisorSpec(children=stage.children("a b a"))
    with pytest.raises(InvalidSpec, match="permanent child can't be significant"):
        stage.child("a", significant=True)
    with pytest.raises(InvalidSpec, match="auto_shutdown is never"):
        SupervisorSpec(children=stage.children("a", significant=True, restart="transient"))
    with pytest.raises(InvalidSpec, match="not a child spec"):
        SupervisorSpec(children=("a",))  # type: ignore[arg-type]
    stage.up(SupervisorSpec())
    with pytest.raises(Invalid) as refused:
        stage.ask("sup", StartChild(spec=stage.child("a", significant=True, restart="transient")))
    assert refused.value.field == "significant"
    assert stage.which() == {}


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("strategy", "none_for_all"),
        ("strategy", None),
        ("intensity", -1),
        ("intensity", 1.5),
        ("intensity", True),
        ("period", 0),
        ("period", -1.0),
        ("period", "5"),
        ("period", float("nan")),
        ("period", float("inf")),
        ("auto_shutdown", "some_significant"),
    ],
)
def test_sup_flags(flag: str, value: object) -> None:
    flags: dict[str, Any] = {flag: value}

    with pytest.raises(InvalidSpec) as refused:
        SupervisorSpec(**flags)

    assert refused.value.field == flag


def test_sup_flags_that_are_unknown_are_refused() -> None:
    flags: dict[str, Any] = {"patience": 3}

    with pytest.raises(TypeError, match="patience"):
        SupervisorSpec(**flags)


@pytest.mark.parametrize("flags", [{"dynamic": True}, {"park": True}])
def test_sup_flags_of_group_strategies_exclude_dynamic_and_park(flags: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match="one_for_one"):
        SupervisorSpec(strategy="one_for_all", **flags)


@pytest.mark.parametrize("dynamic", [False, True])
def test_which_children_and_its_simple_one_for_one_form(stage: Stage, *, dynamic: bool) -> None:
    stage.up(SupervisorSpec(dynamic=dynamic))
    for name, backoff in (("zeta", SECOND), ("alpha", SECOND), ("mike", SECOND)):
        stage.ask("sup", StartChild(spec=stage.child(name, backoff=backoff)))
    stage.do("sup/alpha", Die())

    listed = stage.ask("sup", WhichChildren())

    assert [(info.name, info.state) for info in listed] == [
        ("zeta", "running"),
        ("alpha", "restarting"),
        ("mike", "running"),
    ]
    assert [info.address for info in listed] == ["sup/zeta", "sup/alpha", "sup/mike"]
    stage.sim.advance(1.1)
    assert stage.which()["alpha"] == "running"


def test_count_children(stage: Stage) -> None:
    stage.up(SupervisorSpec(dynamic=True))
    for i in range(500):
        stage.ask("sup", StartChild(spec=stage.child(f"c{i}", restart="temporary")))
    counts = stage.ask("sup", CountChildren())
    assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (500, 500, 0, 500)

    for i in range(500):
        stage.tell(f"sup/c{i}", Die())
    stage.sim.settle(2_000)

    counts = stage.ask("sup", CountChildren())
    assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (0, 0, 0, 0)


def test_count_children_supervisor(stage: Stage) -> None:
    inner = stage.nested("inner", SupervisorSpec(children=stage.children("x")))
    stage.up(SupervisorSpec(children=(*stage.children("a b"), inner)))
    stage.ask("sup", TerminateChild(name="inner"))

    counts = stage.ask("sup", CountChildren())

    assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (3, 2, 1, 2)


def test_count_restarting_children(stage: Stage) -> None:
    stage.up(SupervisorSpec(intensity=None, children=stage.children("a b", backoff=SECOND)))
    stage.world.always["a"] = ValueError("gone")
    stage.do("sup/a", Die())

    for _ in range(3):
        counts = stage.ask("sup", CountChildren())
        assert (counts.specs, counts.active) == (2, 1)
        stage.sim.advance(2.0)


def test_already_started_outside_supervisor(stage: Stage) -> None:
    stage.up(SupervisorSpec())
    actor = Player(stage.world)
    stage.ask("sup", StartChild(spec=ChildSpec("a", lambda: actor)))

    with pytest.raises(Unavailable, match="lives already, at sup/a"):
        stage.ask("sup", StartChild(spec=ChildSpec("b", lambda: actor)))

    assert stage.which() == {"a": "running"}
    assert stage.ask("sup/a", Note()) == 1


def test_an_address_that_grows_too_long_is_refused(stage: Stage) -> None:
    spec = SupervisorSpec()
    stage.up(spec)
    parent = "sup"
    for _ in range(3):
        stage.ask(parent, StartChild(spec=stage.nested("x" * 100, spec)))
        parent = f"{parent}/{'x' * 100}"

    with pytest.raises(Invalid, match="at most 400"):
        stage.ask(parent, StartChild(spec=stage.child("y" * 100)))
    assert stage.which() == {"x" * 100: "running"}


def test_a_message_that_no_supervisor_knows_costs_no_child_its_life(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a")))

    with pytest.raises(Invalid, match="does not handle Note"):
        stage.ask("sup", Note())
    stage.do("sup", Note())

    assert stage.lives("a") == [1]
    assert stage.system.dead_letters()[-1].message_kind == "Note"
