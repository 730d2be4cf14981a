"""OTP's supervisor_SUITE, group "restart types": the cases keep their names."""

import logging

import pytest
from aviary.actors.core.exits import Crash, Escalated, Exit, Hung, Killed, Normal, Shutdown
from aviary.actors.core.refusal import Unavailable
from aviary.supervisors.decisions import is_restarted
from aviary.supervisors.messages import RestartChild, StartChild
from aviary.supervisors.spec import ChildSpec, Restart, SupervisorSpec
from kernel_stage import Die, Stage

REASONS = {"normal": "ended", "shutdown": "shut down", "error": "ValueError: error"}


def end(stage: Stage, restart: Restart, how: str) -> None:
    stage.up(SupervisorSpec(children=stage.children("a b", restart=restart)))
    stage.do("sup/a", Die(how=how))
    ends = [e.reason for e in stage.events("stop", "crash", address="sup/a")]
    assert ends == [REASONS[how]]
    assert stage.lives("b") == [1]


@pytest.mark.parametrize("how", REASONS)
def test_permanent_normal_shutdown_abnormal(stage: Stage, how: str) -> None:
    end(stage, "permanent", how)

    assert stage.lives("a") == [2]


@pytest.mark.parametrize("how", ["normal", "shutdown"])
def test_transient_normal_shutdown(stage: Stage, how: str) -> None:
    end(stage, "transient", how)

    assert stage.which() == {"a": "absent", "b": "running"}
    assert stage.ask("sup", RestartChild(name="a")).incarnation == 2


def test_transient_abnormal(stage: Stage) -> None:
    end(stage, "transient", "error")

    assert stage.lives("a") == [2]


@pytest.mark.parametrize("how", REASONS)
def test_temporary_normal_shutdown_abnormal(stage: Stage, how: str) -> None:
    end(stage, "temporary", how)

    assert stage.which() == {"b": "running"}
    assert not stage.exists("sup/a")


@pytest.mark.parametrize(
    ("reason", "transient"),
    [
        (Normal(), False),
        (Shutdown(), False),
        (Crash("c", "e"), True),
        (Hung("h", "m", 1.0), True),
        (Killed(), True),
        (Escalated("a", "b"), True),
    ],
)
def test_the_whole_matrix_of_types_and_reasons(reason: Exit, *, transient: bool) -> None:
    def restarted(restart: Restart) -> bool:
        return is_restarted(ChildSpec("a", lambda: None, restart=restart), reason)  # type: ignore[arg-type, return-value]

    assert restarted("permanent") is True
    assert restarted("transient") is transient
    assert restarted("temporary") is False


def test_external_start_no_progress_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="aviary.kernel"):
        stage.up(SupervisorSpec(children=stage.children("a")))
        stage.do("sup/a", Die(how="error"))

    levels = [(record.levelname, record.getMessage().split()[0]) for record in caplog.records]
    assert levels == [("ERROR", "crash")]


def test_faulty_application_shutdown(stage: Stage) -> None:
    stage.up(SupervisorSpec())
    stage.world.starts["c"].append(ValueError("port in use"))
    inner = stage.nested("inner", SupervisorSpec(children=stage.children("b c")))
    outer = stage.nested("outer", SupervisorSpec(children=(inner,)))

    with pytest.raises(Unavailable) as refused:
        stage.ask("aviary", StartChild(spec=outer))

    assert "outer/inner/c did not start: ValueError: port in use" in refused.value.detail
    crash = stage.events("crash", address="outer/inner/c")[0]
    assert "in prepare" in crash.detail
    assert "Traceback" in crash.detail


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_temporary_bystander(stage: Stage, strategy: str) -> None:
    children = (stage.child("permanent"), stage.child("bystander", restart="temporary"))
    stage.up(SupervisorSpec(strategy=strategy, children=children))  # type: ignore[arg-type]

    stage.do("sup/permanent", Die(how="error"))

    assert stage.which() == {"permanent": "running"}
    assert stage.lives("permanent") == [2]
    assert stage.world.did("start") == ["permanent", "bystander", "permanent"]
    assert stage.world.did("stop").count("bystander") == 1
    assert not stage.exists("sup/bystander")


def test_multiple_restarts(stage: Stage) -> None:
    stage.up(SupervisorSpec(intensity=1, period=1.0, children=stage.children("a")))

    for expected in (2, 3, 4, 5):
        stage.do("sup/a", Die(how="error"))
        assert stage.lives("a") == [expected]
        stage.sim.advance(1.01)
    stage.do("sup/a", Die(how="error"))
    stage.do("sup/a", Die(how="error"))

    assert not stage.exists()
