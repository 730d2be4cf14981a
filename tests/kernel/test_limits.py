"""Promises 5 to 8: hung is dead, bounds, deadlines, and the memory of events."""

import asyncio
from collections.abc import Hashable

import pytest
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.events import TOPIC, KernelEvent
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, DeadlineExceeded, NotFound, Unavailable
from aviary.supervisors.messages import TerminateChild
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import SECOND, Die, Note, Player, Stage, Work


class Price(Message[None]):
    pair: str
    value: int

    def conflation_key(self) -> Hashable | None:
        return self.pair


class Urgent(Message[None]):
    control = True


class Slow(Message[None]):
    """May take longer than other messages."""

    handler_limit = 10.0


class Collector(Player):
    """Keeps what it is sent, once it has been let go."""

    async def prepare(self) -> object:
        self.gate = asyncio.Event()
        return await super().prepare()

    async def receive(self, message: Message[object]) -> object:
        match message:
            case Price(pair=pair, value=value):
                self.world.log.append(("price", pair, value))
            case Urgent():
                self.world.log.append(("urgent", self.name))
            case Slow():
                await asyncio.sleep(8.0)
                self.world.log.append(("slow", self.name))
            case _:
                return await super().receive(message)
        return None


class Ghost(Player):
    """Goes on after its end: what it then sends and answers must not count."""

    async def receive(self, message: Message[object]) -> object:
        if not isinstance(message, Slow):
            return await super().receive(message)
        address, system = self.address, self.system
        try:
            await asyncio.sleep(1_000)
        except asyncio.CancelledError:
            for act in (
                lambda: self.tell(address, Note(n=13)),
                lambda: self.publish("t", 1),
                lambda: self.schedule(0, Note(n=14)),
                lambda: self.degrade("ghost"),
                lambda: self.system,
            ):
                try:
                    act()
                except BaseException as error:
                    self.world.log.append(("fenced", type(error).__name__))
        self.world.log.append(("answered", system.clock.monotonic()))
        return "late"


def up(stage: Stage, make: type[Player] = Collector, **limits: object) -> None:
    limits.setdefault("poison_after", 100)
    child = stage.child("a", make=make, settings=CellSettings(**limits))  # type: ignore[arg-type]
    stage.up(SupervisorSpec(intensity=None, children=(child,)))


# Hung is dead


def test_a_handler_over_its_limit_is_fenced_and_its_successor_takes_over_the_mailbox(stage: Stage) -> None:
    up(stage, handler_limit=5.0)
    hanging = stage.begin("sup/a", Die(how="hang"))
    waiting = stage.begin("sup/a", Note(n=1))

    with pytest.raises(ActorCrashed) as hung:
        stage.finish(hanging)

    assert stage.sim.clock.monotonic() == pytest.approx(5.0, abs=0.51)
    assert stage.finish(waiting) == 2
    event = stage.events("hung")[0]
    assert (event.message_kind, event.crash_id, event.incarnation) == ("Die", hung.value.crash_id, 1)
    assert stage.system.statistics().hung == 1


def test_a_deferred_answer_over_its_limit_is_hung_too(stage: Stage) -> None:
    up(stage, handler_limit=5.0)
    owed = stage.begin("sup/a", Work(seconds=-1))
    stage.sim.advance(3.0)
    assert stage.ask("sup/a", Note()) == 1

    with pytest.raises(ActorCrashed):
        stage.finish(owed)

    assert stage.ask("sup/a", Note()) == 2


def test_a_message_may_have_a_limit_of_its_own_and_a_child_none(stage: Stage) -> None:
    up(stage, handler_limit=5.0)
    stage.tell("sup/a", Slow())
    stage.sim.advance(9.0)
    assert stage.world.did("slow") == ["a"]

    stage.ask("aviary", TerminateChild(name="sup"))
    up(stage, handler_limit=None)
    stage.tell("sup/a", Die(how="hang"))
    stage.sim.advance(10_000.0)
    assert stage.lives("a") == [1]


def test_nobody_is_hung_because_the_whole_process_stood_still(stage: Stage) -> None:
    up(stage, handler_limit=5.0)
    stage.tell("sup/a", Die(how="hang"))
    stage.sim.advance(2.0)

    stage.sim.clock.advance(60.0)
    stage.sim.advance(2.0)
    assert stage.lives("a") == [1]

    stage.sim.advance(2.0)
    assert stage.events("hung")[0].reason.startswith("hung in Die for 5.")


def test_what_a_fenced_life_sends_or_answers_does_not_count(stage: Stage) -> None:
    published: list[object] = []
    stage.system.bus.subscribe("t", lambda _topic, event: published.append(event))
    up(stage, Ghost, handler_limit=5.0)

    with pytest.raises(ActorCrashed):
        stage.ask("sup/a", Slow())
    stage.sim.advance(20.0)

    assert stage.world.did("fenced") == ["Fenced"] * 5
    assert len(stage.world.did("answered")) == 1
    assert stage.world.notes("a") == []
    assert published == []
    assert [cell.degraded for cell in stage.system.tree()] == [None] * 3


def test_a_fenced_life_that_gets_done_after_all_does_not_pardon_its_message(stage: Stage) -> None:
    up(stage, Ghost, handler_limit=5.0, poison_after=2)

    for _ in range(2):
        stage.tell("sup/a", Slow())
        stage.sim.advance(20.0)

    assert len(stage.world.did("answered")) == 2
    with pytest.raises(Unavailable, match="set aside"):
        stage.ask("sup/a", Slow())


def test_a_life_that_ignores_its_end_is_abandoned_and_replaced(stage: Stage) -> None:
    class Deaf(Collector):
        release_timeout = 1.0

        async def receive(self, message: Message[object]) -> object:
            if isinstance(message, Slow):
                while True:
                    try:
                        await asyncio.sleep(1_000)
                    except asyncio.CancelledError:
                        self.world.log.append(("deaf", self.name))
                        if len(self.world.did("deaf")) > 1:
                            raise
            return await super().receive(message)

    up(stage, Deaf, handler_limit=5.0)
    stage.tell("sup/a", Slow())

    assert stage.ask("sup/a", Note(), timeout=15.0) == 1 or stage.lives("a") == [2]
    stage.sim.advance(10.0)
    assert stage.ask("sup/a", Note()) == 2


# Bounds


def test_a_full_mailbox_refuses_asks_with_a_hint_and_drops_tells_as_dead_letters(stage: Stage) -> None:
    async def flood() -> None:
        for n in range(5):
            stage.tell("sup/a", Note(n=n))
        await stage.system.ask("sup/a", Note(n=9), timeout=1.0)

    up(stage, mailbox=3)
    with pytest.raises(Unavailable, match="too many messages") as refused:
        stage.sim.run(flood())
    stage.sim.settle()

    assert refused.value.retry_after > 0
    assert [n for n, _ in stage.world.notes("a")] == [0, 1, 2]
    assert [letter.reason for letter in stage.system.dead_letters()] == ["sup/a has too many messages waiting"] * 2
    assert stage.system.statistics().dead_letters == 2
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert (cell.statistics().received, cell.statistics().refused, cell.statistics().peak) == (6, 3, 3)


def test_control_overtakes_work_and_is_taken_by_a_full_mailbox(stage: Stage) -> None:
    up(stage, mailbox=2)
    for n in range(3):
        stage.tell("sup/a", Note(n=n))
    stage.tell("sup/a", Urgent())
    stage.sim.settle()

    assert stage.world.did("urgent", "note") == ["a", "a", "a"]
    assert stage.world.log[-3][0] == "urgent"


def test_a_stop_overtakes_work(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=(stage.child("a", make=Collector, shutdown=None),)))
    stage.do("sup/a", Slow())
    for n in range(100):
        stage.tell("sup/a", Note(n=n))

    stage.ask("sup", TerminateChild(name="a"))

    assert stage.world.did("slow", "note") == ["a"]
    assert stage.end_of("sup/a") == "shut down"
    assert stage.system.statistics().dead_letters == 100


def test_streams_conflate_to_the_newest_value_of_each_key_in_the_oldest_place(stage: Stage) -> None:
    up(stage, mailbox=4)
    for value in range(10):
        stage.tell("sup/a", Price(pair="BTC", value=value))
        stage.tell("sup/a", Price(pair="ETH", value=-value))
    stage.tell("sup/a", Note(n=1))
    stage.sim.settle()

    assert [entry for entry in stage.world.log if entry[0] == "price"] == [
        ("price", "BTC", 9),
        ("price", "ETH", -9),
    ]
    assert stage.system.statistics().dead_letters == 0
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.statistics().conflated == 18
    stage.tell("sup/a", Price(pair="BTC", value=10))
    stage.sim.settle()
    assert stage.world.log[-1] == ("price", "BTC", 10)


def test_an_ask_is_never_conflated(stage: Stage) -> None:
    up(stage)
    asked = [
        stage.sim.loop.create_task(stage.system.ask("sup/a", Price(pair="B", value=n), timeout=1)) for n in (1, 2)
    ]
    stage.sim.settle()

    assert [stage.finish(task) for task in asked] == [None, None]
    assert len([entry for entry in stage.world.log if entry[0] == "price"]) == 2


def test_what_waits_while_nobody_runs_is_bounded_too(stage: Stage) -> None:
    child = stage.child("a", backoff=SECOND, settings=CellSettings(mailbox=2))
    stage.up(SupervisorSpec(children=(child,)))
    stage.do("sup/a", Die())

    for n in range(4):
        stage.tell("sup/a", Note(n=n))
    stage.sim.advance(1.1)

    assert stage.world.notes("a") == [(0, 2), (1, 2)]


# Deadlines


def test_an_ask_without_an_answer_ends_at_its_deadline(stage: Stage) -> None:
    up(stage, handler_limit=None)

    with pytest.raises(DeadlineExceeded, match="sup/a did not answer Die within 3 s"):
        stage.ask("sup/a", Die(how="hang"), timeout=3.0)

    assert stage.sim.clock.monotonic() == pytest.approx(3.0)


def test_what_nobody_waits_for_any_more_is_not_begun(stage: Stage) -> None:
    up(stage)
    stage.tell("sup/a", Slow())
    for n, timeout in enumerate((1.0, 2.0, 20.0)):
        stage.sim.loop.create_task(stage.system.ask("sup/a", Note(n=n), timeout=timeout)).add_done_callback(
            lambda task: task.exception()
        )
    stage.sim.advance(9.0)

    assert [n for n, _ in stage.world.notes("a")] == [2]
    assert [letter.reason for letter in stage.system.dead_letters()] == ["the asker has given up waiting"] * 2


def test_an_ask_that_is_cancelled_is_not_begun_either(stage: Stage) -> None:
    up(stage)
    stage.tell("sup/a", Slow())
    asked = stage.begin("sup/a", Note(n=1))
    asked.cancel()
    stage.sim.advance(9.0)

    assert stage.world.notes("a") == []


def test_an_ask_to_nobody_is_refused_at_once(stage: Stage) -> None:
    up(stage)

    with pytest.raises(NotFound):
        stage.ask("sup/nobody", Note())


# The memory of events


def test_every_transition_is_told_exactly_once_in_order_to_memory_and_to_subscribers(stage: Stage) -> None:
    told: list[KernelEvent] = []
    stage.system.bus.subscribe(TOPIC, lambda _topic, event: told.append(event))  # type: ignore[arg-type]
    child = stage.child("a", backoff=SECOND, settings=CellSettings(poison_after=2, handler_limit=5.0))
    stage.up(SupervisorSpec(intensity=None, children=(child,)))
    stage.do("sup/a", Die())
    stage.sim.advance(1.1)
    stage.tell("sup/a", Note())
    stage.do("sup/a", Die())
    stage.sim.advance(3.0)
    stage.ask("sup", TerminateChild(name="a"))

    assert [(event.kind, event.incarnation) for event in told if event.address.startswith("sup/a")] == [
        ("start", 1),
        ("crash", 1),
        ("dead_letter", 0),
        ("backoff", 1),
        ("start", 2),
        ("restart", 2),
        ("crash", 2),
        ("dead_letter", 0),
        ("poison", 2),
        ("backoff", 2),
        ("start", 3),
        ("restart", 3),
        ("stop", 3),
    ]
    assert tuple(told) == stage.system.events()
    crash = next(event for event in told if event.kind == "crash")
    assert crash.message_kind == "Die"
    assert "ValueError: error" in crash.detail
    assert "in die" in crash.detail


def test_the_messages_that_waited_at_a_crash_are_counted_in_its_entry(stage: Stage) -> None:
    up(stage)
    stage.tell("sup/a", Die())
    for n in range(4):
        stage.tell("sup/a", Note(n=n))
    stage.sim.settle()

    assert stage.events("crash")[0].mailbox == 4


def test_no_entry_and_no_dead_letter_shows_what_a_message_held(stage: Stage) -> None:
    class Login(Message[None]):
        password: str

    up(stage)
    stage.do("sup/a", Login(password="s3cret"))
    stage.do("sup/nobody", Login(password="s3cret"))

    assert stage.events("crash")
    assert "s3cret" not in repr((stage.system.events(), stage.system.dead_letters()))


def test_the_tree_tells_degraded_from_running(stage: Stage) -> None:
    up(stage)
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.life is not None
    cell.life.actor.degrade("feed is stale")
    stage.sim.advance(2.0)

    seen = stage.system.tree()[-1]

    assert (seen.state, seen.degraded, seen.uptime) == ("degraded", "feed is stale", pytest.approx(2.0))
    stage.do("sup/a", Die())
    assert stage.system.tree()[-1].state == "running"
