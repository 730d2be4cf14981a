"""OTP's supervisor_SUITE, group "code upgrade", as live reconfiguration: the cases keep their names."""

import dataclasses

import pytest
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.refusal import Invalid, Unavailable
from aviary.supervisors.messages import GetChildSpec, Reconfigure, RestartChild, TerminateChild
from aviary.supervisors.spec import AutoShutdown, InvalidSpec, SupervisorSpec
from kernel_stage import SECOND, Die, Note, Stage


def test_code_change_and_its_map_form(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("kept removed")))
    new = SupervisorSpec(
        strategy="one_for_all",
        intensity=7,
        children=(*stage.children("added"), stage.child("kept", restart="transient")),
    )

    stage.ask("sup", Reconfigure(spec=new))

    assert stage.which() == {"added": "absent", "kept": "running", "removed": "running"}
    assert stage.lives("kept", "removed") == [1, 1]
    assert stage.ask("sup", GetChildSpec(name="kept")).restart == "transient"
    stage.do("sup/kept", Die(how="normal"))
    assert stage.which()["kept"] == "absent"
    assert stage.ask("sup", RestartChild(name="added")).state == "running"


def test_code_change_of_what_is_invalid_keeps_the_old_specs(stage: Stage) -> None:
    spec = SupervisorSpec(children=stage.children("a"))
    stage.up(spec)

    with pytest.raises(InvalidSpec):
        stage.ask("sup", Reconfigure(spec=dataclasses.replace(spec, children=stage.children("b b"))))
    with pytest.raises(Invalid, match="at most 400"):
        deep = "sup"
        for _ in range(3):
            stage.ask(
                deep, Reconfigure(spec=SupervisorSpec(children=(stage.nested("x" * 100, SupervisorSpec()),)))
            )
            stage.ask(deep, RestartChild(name="x" * 100))
            deep += "/" + "x" * 100
        stage.ask(deep, Reconfigure(spec=SupervisorSpec(intensity=9, children=stage.children("y" * 100))))

    assert stage.which(deep) == {}
    assert stage.lives("a") == [1]


@pytest.mark.parametrize("dynamic", [False, True])
def test_code_change_simple_and_its_map_form(stage: Stage, *, dynamic: bool) -> None:
    stage.up(SupervisorSpec(dynamic=True, intensity=0, children=stage.children("a")))

    stage.ask("sup", Reconfigure(spec=SupervisorSpec(dynamic=dynamic, intensity=5)))
    stage.do("sup/a", Die())

    assert stage.lives("a") == [2]


def test_code_change_takes_over_the_limits_of_an_address(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a", backoff=SECOND)))
    new = stage.children("a", backoff=SECOND, settings=CellSettings(mailbox=2))

    stage.ask("sup", Reconfigure(spec=SupervisorSpec(children=new)))
    stage.do("sup/a", Die())
    for n in range(3):
        stage.tell("sup/a", Note(n=n))
    with pytest.raises(Unavailable, match="too many"):
        stage.ask("sup/a", Note())
    stage.sim.advance(1.1)

    assert stage.world.notes("a") == [(0, 2), (1, 2)]


def test_code_change_of_the_strategy_while_a_group_waits_leaves_nobody_behind(stage: Stage) -> None:
    children = stage.children("a b c", backoff=SECOND)
    stage.up(SupervisorSpec(strategy="one_for_all", children=children))
    stage.do("sup/a", Die())
    stage.world.starts["b"].append(ValueError("not yet"))

    stage.ask("sup", Reconfigure(spec=SupervisorSpec(children=children)))
    stage.sim.advance(5.0)

    assert stage.which() == dict.fromkeys("abc", "running")


CHANGES: list[tuple[AutoShutdown, AutoShutdown, bool, bool]] = [
    # from, to, ended after the first of two, ended after the second
    ("never", "any_significant", True, True),
    ("any_significant", "never", False, False),
    ("never", "all_significant", False, True),
    ("all_significant", "never", False, False),
    ("any_significant", "all_significant", False, True),
    ("all_significant", "any_significant", True, True),
]


@pytest.mark.parametrize(("old", "new", "first", "second"), CHANGES)
def test_significant_upgrade_never_any_all(
    stage: Stage, old: AutoShutdown, new: AutoShutdown, *, first: bool, second: bool
) -> None:
    def spec(auto: AutoShutdown) -> SupervisorSpec:
        significant = auto != "never"
        return SupervisorSpec(
            auto_shutdown=auto, children=stage.children("a b", restart="transient", significant=significant)
        )

    stage.up(spec(old))
    stage.ask("sup", Reconfigure(spec=spec(new)))

    stage.do("sup/a", Die(how="normal"))
    assert stage.exists() is not first
    if not first:
        stage.do("sup/b", Die(how="normal"))
    assert stage.exists() is not second


@pytest.mark.parametrize("significant", [False, True])
def test_significant_upgrade_child(stage: Stage, *, significant: bool) -> None:
    def spec(flag: bool) -> SupervisorSpec:
        children = stage.children("a", restart="transient", significant=flag)
        return SupervisorSpec(auto_shutdown="any_significant", children=children)

    stage.up(spec(not significant))
    stage.ask("sup", Reconfigure(spec=spec(significant)))

    stage.do("sup/a", Die(how="normal"))

    assert stage.exists() is not significant


def test_a_removed_child_can_be_terminated_and_deleted(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a")))
    stage.ask("sup", Reconfigure(spec=SupervisorSpec()))

    stage.ask("sup", TerminateChild(name="a"))

    assert stage.which() == {"a": "absent"}
