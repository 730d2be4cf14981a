"""One owner of every message that was taken: whatever ends a life, and whenever, each is settled once."""

import asyncio
import gc
from typing import Any

import pytest
from aviary.actors.core import loop_life
from aviary.actors.core.envelope import Envelope, ThreadReply
from aviary.actors.core.exits import Hung, Killed
from aviary.actors.core.life import Stop
from aviary.actors.core.loop_life import TURN, LoopLife
from aviary.actors.core.mailbox import Mailbox, MailboxClosed
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, Conflict, DeadlineExceeded, Invalid, Unavailable
from aviary.supervisors.messages import StartChild, TerminateChild, WhichChildren
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import SECOND, Die, Note, Player, Stage, Work, life_of, one_child


class Boom(Message[None]):
    """Has a background task fail as soon as the loop comes to it."""


class Fuse(Player):
    """A child whose background task can fail between two of its turns."""

    async def receive(self, message: Message[Any]) -> object:
        if not isinstance(message, Boom):
            return await super().receive(message)

        async def fail() -> None:
            raise ValueError("beside the mailbox")

        self.spawn(fail(), "failing")
        return None


def runner_of(stage: Stage) -> LoopLife:
    runner = life_of(stage).runner
    assert isinstance(runner, LoopLife)
    return runner


# Ends between two turns


@pytest.mark.parametrize("before", [0, 1, TURN - 2, TURN - 1, TURN])
def test_nothing_is_lost_when_a_life_ends_between_two_of_its_turns(stage: Stage, before: int) -> None:
    one_child(stage, Fuse)
    total = 4 * TURN

    for n in range(total):
        if n == before:
            stage.tell("sup/a", Boom())
        stage.tell("sup/a", Note(n=n))
    stage.sim.settle()

    assert [n for n, _ in stage.world.notes("a")] == list(range(total))
    assert {life for _, life in stage.world.notes("a")} == {1, 2}
    assert stage.system.dead_letters() == ()


@pytest.mark.parametrize("place", [TURN - 1, TURN, TURN + 1])
def test_whoever_asks_at_the_turn_is_answered_without_waiting(stage: Stage, place: int) -> None:
    async def ask() -> object:
        stage.tell("sup/a", Boom())
        for n in range(1, place):
            stage.tell("sup/a", Note(n=n))
        return await stage.system.ask("sup/a", Note(n=place), timeout=500)

    one_child(stage, Fuse)

    assert stage.sim.run(ask()) in {1, 2}
    assert stage.sim.clock.monotonic() == 0
    assert stage.world.notes("a")[-1][0] == place


# Ends while an answer is about to be owed, or given


def test_an_end_the_moment_an_answer_is_deferred_is_told_to_its_asker(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_child(stage)
    life = life_of(stage)
    real = loop_life._task_of

    def end_and_make(work: Any) -> Any:
        life.end(Killed())
        return real(work)

    monkeypatch.setattr(loop_life, "_task_of", end_and_make)
    with pytest.raises(Unavailable, match="killed"):
        stage.ask("sup/a", Work(seconds=1.0))

    assert stage.sim.clock.monotonic() == 0
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Work"]
    stage.sim.settle()
    assert stage.lives("a") == [2]


def test_an_end_the_moment_a_deferred_answer_is_done_is_told_to_its_asker(stage: Stage) -> None:
    class Ending(dict[Any, Any]):
        def pop(self, *key: Any) -> Any:
            found = super().pop(*key)
            life.end(Killed())
            return found

    one_child(stage)
    life = life_of(stage)
    runner_of(stage)._deferred = Ending()

    with pytest.raises(Unavailable, match="killed"):
        stage.ask("sup/a", Work(seconds=1.0))

    assert stage.sim.clock.monotonic() == 1.0
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Work"]


def test_what_is_deferred_by_a_life_that_has_ended_does_not_run(stage: Stage) -> None:
    ran: list[int] = []

    class Late(Player):
        async def receive(self, message: Message[Any]) -> object:
            async def work() -> None:
                await asyncio.sleep(1.0)
                ran.append(self.incarnation)

            if isinstance(message, Note):
                life_of(stage).end(Killed())
            return self.defer(work())

    one_child(stage, Late)
    with pytest.raises(Unavailable):
        stage.ask("sup/a", Note())
    stage.sim.advance(60.0)

    assert ran == []


def test_a_deferred_answer_that_somebody_cancels_is_a_crash(stage: Stage) -> None:
    one_child(stage)
    owed = stage.begin("sup/a", Work(seconds=100.0))
    (task,) = runner_of(stage)._deferred

    task.cancel()

    with pytest.raises(ActorCrashed):
        stage.finish(owed)
    assert "cancelled from outside" in stage.events("crash")[0].reason


def test_a_supervisor_that_gives_up_has_handled_the_exit_of_its_child(stage: Stage) -> None:
    inner = stage.nested("inner", SupervisorSpec(intensity=0, children=stage.children("x")))
    stage.up(SupervisorSpec(intensity=None, children=(inner,)))

    for _ in range(3):
        stage.do("sup/inner/x", Die())

    assert {letter.message_kind for letter in stage.system.dead_letters()} == {"Die"}
    assert len(stage.events("escalation")) == 3


# What a fenced life says


def test_nothing_that_a_fenced_life_says_of_a_message_counts(stage: Stage) -> None:
    one_child(stage, poison_after=2)
    stage.do("sup/a", Die())
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.kills == {Die: 1}
    life = life_of(stage)
    for say in (
        lambda life, envelope: life.answered(envelope, "late"),
        lambda life, envelope: life.refused(envelope, Conflict("late")),
        lambda life, envelope: life.denied(envelope, Unavailable("late")),
        lambda life, envelope: life._drops(envelope, "late", Unavailable("late")),
    ):
        reply = ThreadReply()
        envelope = Envelope(Die(how="hang"), reply)
        life = life_of(stage)
        stage.system.send("sup/a", envelope)
        stage.sim.settle()
        life.end(Killed())
        letters = len(stage.system.dead_letters())

        say(life, envelope)

        with pytest.raises(Unavailable, match="killed"):
            reply.future.result(0)
        tell = Envelope(Die())
        life.refused(tell, Conflict("late"))
        life.denied(tell, Conflict("late"))
        assert len(stage.system.dead_letters()) == letters
        stage.sim.settle()
    assert cell.kills == {Die: 1}


def test_a_message_that_goes_back_is_its_next_readers_alone() -> None:
    mailbox = Mailbox(5)
    first, second = object(), object()
    envelope = Envelope(Note())
    mailbox.attach(first)
    mailbox.put(envelope)
    assert mailbox.take(first, 0.0) is envelope
    mailbox.detach(first)
    mailbox.attach(second)
    assert mailbox.take(second, 0.0) is envelope

    assert not mailbox.settle(first, envelope)
    assert not mailbox.begin(first, envelope)
    assert mailbox.begin(second, envelope)
    assert mailbox.settle(second, envelope)


def test_a_reader_that_was_fenced_off_does_not_come_to_listen() -> None:
    mailbox = Mailbox(5)
    first, second = object(), object()
    woken: list[str] = []
    mailbox.attach(first)
    mailbox.detach(first)
    mailbox.attach(second)
    mailbox.listen(second, lambda: woken.append("second"))

    mailbox.listen(first, lambda: woken.append("first"))
    mailbox.put(Envelope(Note()))

    assert woken == ["second", "second"]


def test_what_a_life_owes_is_told_in_the_order_in_which_it_was_taken(stage: Stage) -> None:
    one_child(stage)
    for n in range(5):
        stage.do("sup/a", [Work(seconds=100.0 + n), Note(n=n)][n % 2])
    stage.tell("sup/a", Die(how="hang"))
    stage.sim.settle()

    life_of(stage).end(Killed())

    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Work", "Work", "Work", "Die"]


def test_a_hang_that_is_noticed_as_its_message_is_answered_ends_nobody(stage: Stage) -> None:
    one_child(stage)
    owed = stage.begin("sup/a", Work(seconds=1.0))
    life = life_of(stage)
    cell = stage.system.cell("sup/a")
    assert cell is not None
    (envelope,) = cell.mailbox.taken()
    assert stage.finish(owed) == "done"

    stage.system.endings.hang(life, envelope, 99.0)
    assert not life.end(Hung("id", "Work", 99.0), envelope)

    assert stage.lives("a") == [1]
    assert stage.events("hung") == []
    assert stage.ask("sup/a", Note()) == 1


def test_an_end_comes_once(stage: Stage) -> None:
    one_child(stage)
    life = life_of(stage)

    assert life.end(Killed())
    assert not life.end(Killed())
    life.finish()
    life.finish()
    stage.sim.settle()

    assert stage.lives("a") == [2]
    assert len(stage.events("stop", address="sup/a")) == 1


# Asks that nobody waits for any more


def test_asks_that_were_given_up_do_not_pile_up_and_are_dead_letters(stage: Stage) -> None:
    async def give_up(n: int) -> None:
        with pytest.raises(DeadlineExceeded):
            await stage.system.ask("sup/a", Note(n=n), timeout=1.0)

    one_child(stage, handler_limit=None)
    stage.do("sup/a", Die(how="hang"))
    cell = stage.system.cell("sup/a")
    assert cell is not None

    for n in range(200):
        stage.sim.run(give_up(n))
        assert len(cell.mailbox) <= 2

    assert stage.world.notes("a") == []
    letters = [letter.reason for letter in stage.system.dead_letters()]
    assert letters == ["the asker has given up waiting"] * 200


def test_asks_that_were_given_up_make_room_in_a_full_mailbox(stage: Stage) -> None:
    async def waits() -> None:
        asks = [asyncio.ensure_future(stage.system.ask("sup/a", Note(n=n), timeout=1.0)) for n in range(3)]
        for n in range(3, 10):
            stage.tell("sup/a", Note(n=n))
        await asyncio.wait(asks)
        assert {type(ask.exception()) for ask in asks} == {DeadlineExceeded}

    one_child(stage, handler_limit=None, mailbox=10)
    stage.do("sup/a", Die(how="hang"))
    stage.sim.run(waits())
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert len(cell.mailbox) == 10

    for n in range(10, 13):
        stage.tell("sup/a", Note(n=n))

    assert len(cell.mailbox) == 10
    letters = [letter.reason for letter in stage.system.dead_letters()]
    assert letters == ["the asker has given up waiting"] * 3
    stage.tell("sup/a", Note(n=13))
    assert stage.system.dead_letters()[-1].reason == "sup/a has too many messages waiting"


def test_an_ask_at_its_deadline_is_over_though_its_asker_has_not_heard_yet(stage: Stage) -> None:
    one_child(stage)
    reply = ThreadReply()
    stage.system.send("sup/a", Envelope(Note(n=1), reply, stage.sim.clock.monotonic()))
    stage.system.send("sup/a", Envelope(Note(n=2), ThreadReply(), stage.sim.clock.monotonic() + 1.0))
    stage.sim.settle()

    assert [n for n, _ in stage.world.notes("a")] == [2]
    assert not reply.future.done()
    assert len(stage.system.dead_letters()) == 1


# Where nobody reads


def test_nobody_asks_an_address_at_rest_whatever_the_message(stage: Stage) -> None:
    one_child(stage)
    stage.ask("sup", TerminateChild(name="a"))

    for message in (Note(), WhichChildren(), Stop()):
        with pytest.raises(Unavailable, match="is stopped"):
            stage.ask("sup/a", message)
    stage.tell("sup/a", Stop())
    mailbox = Mailbox(5)
    mailbox.close()
    with pytest.raises(MailboxClosed):
        mailbox.put(Envelope(Stop(), ThreadReply()))

    assert stage.sim.clock.monotonic() == 0


def test_a_message_that_could_not_be_sent_is_settled(stage: Stage) -> None:
    one_child(stage)
    stage.ask("sup", TerminateChild(name="a"))
    for address in ("sup/nobody", "sup/a"):
        envelope = Envelope(Note())
        stage.system.deliver(address, envelope)
        assert envelope.place == "settled"
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Note", "Note"]


class Price(Message[None]):
    value: int

    def conflation_key(self) -> str:
        return "same"


class Size(Price):
    """Another kind with an equal key."""


class Odd(Message[int]):
    """Has a key that can't be one."""

    def conflation_key(self) -> Any:
        return ["unhashable"]


class Column(Player):
    """Keeps prices and sizes."""

    async def receive(self, message: Message[Any]) -> object:
        if isinstance(message, Price):
            self.world.log.append((type(message).__name__, self.name, message.value))
            return None
        return await super().receive(message) if not isinstance(message, Odd) else 7


def seen(stage: Stage) -> list[tuple[Any, ...]]:
    return [(kind, value) for kind, _, value in stage.world.log if kind in {"Price", "Size"}]


def test_a_message_is_not_replaced_by_one_of_another_kind_with_an_equal_key(stage: Stage) -> None:
    one_child(stage, Column)

    stage.tell("sup/a", Price(value=1))
    stage.tell("sup/a", Size(value=2))
    stage.tell("sup/a", Price(value=3))
    stage.sim.settle()

    assert seen(stage) == [("Price", 3), ("Size", 2)]


def test_a_key_that_can_not_be_one_is_told_to_the_asker_and_felt_by_nobody(stage: Stage) -> None:
    one_child(stage, Column)
    stage.tell("sup/a", Odd())

    assert stage.ask("sup/a", Odd()) == 7
    with pytest.raises(Invalid, match="no usable conflation key"):
        stage.system.send("sup/a", Envelope(Odd()))
    assert [letter.reason for letter in stage.system.dead_letters()] == ["Odd has no usable conflation key"]
    assert stage.lives("a") == [1]


def test_what_is_told_after_a_close_does_not_join_what_was_taken_out_by_it() -> None:
    mailbox = Mailbox(5)
    reader = object()
    mailbox.attach(reader)
    mailbox.put(Envelope(Price(value=1)))

    assert [envelope.message for envelope in mailbox.close()] == [Price(value=1)]
    mailbox.open()
    mailbox.put(Envelope(Price(value=2)))

    found = mailbox.take(reader, 0.0)
    assert found is not None
    assert found.message == Price(value=2)


def test_a_value_that_comes_while_its_forerunner_is_handled_waits_for_its_own_turn() -> None:
    mailbox = Mailbox(5)
    reader = object()
    mailbox.attach(reader)
    mailbox.put(Envelope(Price(value=1)))
    first = mailbox.take(reader, 0.0)
    mailbox.put(Envelope(Price(value=2)))
    second = mailbox.take(reader, 0.0)

    assert first is not None
    assert second is not None
    assert [first.message, second.message] == [Price(value=1), Price(value=2)]


# Children that do not want to run


class Shy(Player):
    """Takes two seconds to find that it has nothing to do."""

    async def prepare(self) -> object:
        await asyncio.sleep(2.0)
        return await super().prepare()


@pytest.mark.parametrize("through", ["an order", "the start of its supervisor"])
def test_a_child_that_ignores_comes_to_rest_with_what_waited_for_it(stage: Stage, through: str) -> None:
    if through == "an order":
        stage.up(SupervisorSpec())
        stage.world.starts["a"].append("ignore")
        address, starting = "sup/a", stage.begin("sup", StartChild(spec=stage.child("a", make=Shy)))
    else:
        children = (stage.child("a", make=Shy), stage.child("b"))
        inner = stage.nested("inner", SupervisorSpec(intensity=0, children=children))
        stage.up(SupervisorSpec(children=(inner,)))
        stage.world.starts["a"].append("ignore")
        address, starting = "sup/inner/a", None
        stage.do("sup/inner/b", Die())
    stage.tell(address, Note(n=1))
    before = stage.sim.clock.monotonic()
    asked = stage.begin(address, Note(n=2))

    with pytest.raises(Unavailable, match="is stopped"):
        stage.finish(asked)

    assert stage.sim.clock.monotonic() - before == pytest.approx(2.0)
    if starting is not None:
        assert stage.finish(starting).state == "absent"
    assert stage.which(address.rsplit("/", 1)[0])["a"] == "absent"
    assert len(stage.system.dead_letters()) >= 2
    cell = stage.system.cell(address)
    assert cell is not None
    assert len(cell.mailbox) == 0
    with pytest.raises(Unavailable, match="is stopped"):
        stage.ask(address, WhichChildren())


def test_what_a_child_that_backs_off_is_sent_waits_for_it(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a", backoff=SECOND)))
    stage.do("sup/a", Die())
    stage.tell("sup/a", Note(n=1))

    stage.sim.advance(1.1)

    assert stage.world.notes("a") == [(1, 2)]


def test_work_that_can_not_be_deferred_any_more_is_refused_and_closed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_life, "MAX_DEFERRED", 3)
    one_child(stage, poison_after=2)
    stage.do("sup/a", Work(seconds=0.0, end="error"))
    owed = [stage.begin("sup/a", Work(seconds=5.0)) for _ in range(3)]

    with pytest.raises(Unavailable, match="owes too many answers"):
        stage.ask("sup/a", Work(seconds=5.0))
    stage.do("sup/a", Work(seconds=5.0))
    gc.collect()

    # What the kernel refuses says nothing about the kind: it was not handled.
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.kills == {Work: 1}
    assert stage.system.dead_letters()[-1].reason == "refused: sup/a owes too many answers"
    assert [stage.finish(task) for task in owed] == ["done"] * 3
    assert cell.kills == {}
    assert stage.ask("sup/a", Work(seconds=5.0)) == "done"
