"""OTP's supervisor_SUITE, group "significant": the cases keep their names."""

import pytest
from aviary.actors.core.refusal import Invalid
from aviary.supervisors.messages import StartChild, TerminateChild
from aviary.supervisors.spec import AutoShutdown, InvalidSpec, SupervisorSpec
from kernel_stage import SECOND, Die, Stage


def end(stage: Stage, name: str, how: str = "normal") -> None:
    stage.do(f"sup/{name}", Die(how=how))


@pytest.mark.parametrize("auto", ["never", "any_significant", "all_significant"])
@pytest.mark.parametrize("restart", ["temporary", "transient"])
@pytest.mark.parametrize("how", ["normal", "shutdown", "error"])
def test_nonsignificant_temporary_and_transient(stage: Stage, auto: AutoShutdown, restart: str, how: str) -> None:
    stage.up(SupervisorSpec(auto_shutdown=auto, children=stage.children("a b", restart=restart)))

    end(stage, "a", how)
    end(stage, "b", how)

    assert stage.exists()


@pytest.mark.parametrize("how", ["normal", "shutdown", "error"])
def test_significant_temporary(stage: Stage, how: str) -> None:
    children = stage.children("a b", restart="temporary", significant=True)
    stage.up(SupervisorSpec(auto_shutdown="any_significant", children=children))
    end(stage, "a", how)
    assert not stage.exists()
    assert stage.end_of() == "ended"

    stage.up(SupervisorSpec(auto_shutdown="all_significant", children=children))
    end(stage, "a", how)
    assert stage.which() == {"b": "running"}
    end(stage, "b", how)
    assert not stage.exists()


@pytest.mark.parametrize("how", ["normal", "shutdown"])
def test_significant_transient(stage: Stage, how: str) -> None:
    children = stage.children("a b", restart="transient", significant=True)
    stage.up(SupervisorSpec(auto_shutdown="any_significant", children=children))
    end(stage, "a", "error")
    assert stage.lives("a") == [2]
    end(stage, "a", how)
    assert not stage.exists()

    stage.up(SupervisorSpec(auto_shutdown="all_significant", children=children))
    end(stage, "a", how)
    end(stage, "b", "error")
    assert stage.which() == {"a": "absent", "b": "running"}
    end(stage, "b", how)
    assert not stage.exists()


def test_significant_simple(stage: Stage) -> None:
    with pytest.raises(InvalidSpec):
        stage.child("a", significant=True)
    stage.up(SupervisorSpec(dynamic=True))
    with pytest.raises(Invalid):
        stage.ask("sup", StartChild(spec=stage.child("a", significant=True, restart="temporary")))
    stage.ask("aviary", TerminateChild(name="sup"))

    stage.up(SupervisorSpec(dynamic=True, auto_shutdown="all_significant"))
    for name in "abc":
        stage.ask("sup", StartChild(spec=stage.child(name, significant=True, restart="transient")))
    end(stage, "a")
    end(stage, "b")
    assert stage.which() == {"c": "running"}
    end(stage, "c", "error")
    assert stage.lives("c") == [2]
    end(stage, "c")

    assert not stage.exists()


def test_a_significant_child_that_backs_off_is_not_gone(stage: Stage) -> None:
    children = (
        stage.child("a", restart="transient", significant=True, backoff=SECOND),
        stage.child("b", restart="transient", significant=True),
    )
    stage.up(SupervisorSpec(auto_shutdown="all_significant", children=children))
    end(stage, "a", "error")

    end(stage, "b")

    assert stage.which() == {"a": "restarting", "b": "absent"}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@pytest.mark.parametrize("auto", ["any_significant", "all_significant"])
def test_significant_bystander(stage: Stage, strategy: str, auto: AutoShutdown) -> None:
    children = (
        stage.child("permanent"),
        stage.child("temporary", restart="temporary", significant=True),
        stage.child("transient", restart="transient", significant=True),
    )
    stage.up(SupervisorSpec(strategy=strategy, auto_shutdown=auto, children=children))  # type: ignore[arg-type]

    end(stage, "permanent", "error")

    assert stage.which() == {"permanent": "running", "transient": "running"}


def test_a_significant_child_that_is_stopped_on_request_ends_nothing(stage: Stage) -> None:
    children = stage.children("a", restart="transient", significant=True)
    stage.up(SupervisorSpec(auto_shutdown="any_significant", children=children))

    stage.ask("sup", TerminateChild(name="a"))

    assert stage.which() == {"a": "absent"}


@pytest.mark.parametrize(("restart", "again"), [("permanent", True), ("transient", False), ("temporary", False)])
def test_significant_escalation(stage: Stage, restart: str, *, again: bool) -> None:
    inner = SupervisorSpec(
        auto_shutdown="any_significant",
        children=(stage.child("other"), *stage.children("s", restart="temporary", significant=True)),
    )
    stage.up(SupervisorSpec(children=(stage.child("a"), stage.nested("inner", inner, restart=restart))))

    end(stage, "inner/s")

    assert stage.end_of("sup/inner") == "ended"
    assert stage.lives("a") == [1]
    assert stage.lives("inner") == [2 if again else 0]
    assert stage.events("escalation", "crash") == []
