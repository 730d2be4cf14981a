"""Actors in which a request leaves nothing behind: what fails there is the request, and nobody else notices."""

import pytest
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import Die, Note, Player, Stage, Work


class PassOn(Message[object]):
    """Ask somebody else to die, and answer what comes of it."""

    later: bool


class Desk(Player):
    keeps_nothing = True

    async def receive(self, message: Message[object]) -> object:
        if isinstance(message, PassOn):
            question = self.ask("sup/b", Die(), timeout=10)
            return self.defer(question) if message.later else await question
        return await super().receive(message)


def up(stage: Stage, **limits: object) -> None:
    settings = CellSettings(poison_after=2, **limits)  # type: ignore[arg-type]
    desk = stage.child("a", make=Desk, settings=settings)
    stage.up(SupervisorSpec(intensity=None, children=(desk, stage.child("b"))))


@pytest.mark.parametrize("later", [True, False])
def test_the_crash_of_somebody_who_was_asked_is_told_to_the_asker_alone(stage: Stage, later: bool) -> None:
    up(stage)
    waiting = stage.begin("sup/a", Work(seconds=5))

    for _ in range(5):
        with pytest.raises(ActorCrashed) as crashed:
            stage.ask("sup/a", PassOn(later=later))
        assert crashed.value.address == "sup/b"
        assert crashed.value.crash_id in {event.crash_id for event in stage.events("crash", address="sup/b")}
        stage.sim.settle()

    assert stage.finish(waiting) == "done"
    assert stage.lives("a", "b") == [1, 6]
    assert stage.events("poison", "crash", address="sup/a") == []


def test_what_fails_in_its_own_code_is_told_to_the_asker_and_kept_in_the_journal(stage: Stage) -> None:
    up(stage)
    waiting = stage.begin("sup/a", Work(seconds=5))

    for message in (Die(), Work(seconds=0, end="error"), Die(), Work(seconds=0, end="error"), Die()):
        with pytest.raises(ActorCrashed) as failed:
            stage.ask("sup/a", message)
        entry = stage.events("failed_request", address="sup/a")[-1]
        assert (entry.crash_id, entry.message_kind) == (failed.value.crash_id, type(message).__name__)
        assert "ValueError" in entry.detail

    assert stage.finish(waiting) == "done"
    assert stage.lives("a") == [1]
    assert len(stage.system.dead_letters()) == 5
    assert stage.ask("sup/a", Note()) == 1


def test_an_answer_that_takes_too_long_is_given_up_alone(stage: Stage) -> None:
    up(stage, handler_limit=5.0)
    owed = stage.begin("sup/a", Work(seconds=-1))
    stage.sim.advance(3.0)
    waiting = stage.begin("sup/a", Work(seconds=4))

    with pytest.raises(ActorCrashed):
        stage.finish(owed)

    assert stage.finish(waiting) == "done"
    assert stage.lives("a") == [1]
    stage.sim.advance(60.0)
    assert len(stage.events("failed_request")) == 1
    assert stage.events("hung") == []


def test_a_life_that_wants_to_end_ends_once_the_last_owed_answer_is_given_up(stage: Stage) -> None:
    up(stage, handler_limit=5.0)
    owed = stage.begin("sup/a", Work(seconds=-1))
    stage.do("sup/a", Die(how="normal"))
    assert stage.lives("a") == [1]

    with pytest.raises(ActorCrashed):
        stage.finish(owed)

    stage.sim.settle()
    assert stage.end_of("sup/a") == "ended"
    assert stage.lives("a") == [2]


@pytest.mark.parametrize("how", ["exit", "interrupt", "cancel"])
def test_what_is_meant_for_a_process_ends_the_incarnation_as_ever(stage: Stage, how: str) -> None:
    up(stage)

    with pytest.raises(ActorCrashed):
        stage.ask("sup/a", Die(how=how))

    stage.sim.settle()
    assert stage.lives("a") == [2]


def test_what_nobody_asked_for_ends_the_incarnation_as_ever(stage: Stage) -> None:
    up(stage)

    stage.do("sup/a", Die())

    assert stage.lives("a") == [2]
