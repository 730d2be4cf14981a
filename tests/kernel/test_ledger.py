"""The record: bounded, and true whatever floods beside it."""

import threading
from random import Random
from typing import Any

import pytest
from aviary.actors.core import ledger as ledgers
from aviary.actors.core.alarms import HISTORY, Alarm, Alarms
from aviary.actors.core.bus import Bus
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.envelope import Envelope
from aviary.actors.core.events import MAX_DETAIL, TOPIC, KernelEvent, shortened, topic_of
from aviary.actors.core.exits import one_line
from aviary.actors.core.ledger import REMEMBERED, SINGLES, SUM_UP_PERIOD, SUMS, Ledger
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Unavailable
from aviary.config.clock import FakeClock
from aviary.supervisors.messages import StartChild
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from kernel_stage import Die, Note, Player, Stage


class Silent(Message[None]):
    """What the journal itself is sent."""

    unjournalled = True


class Book:
    """A ledger by itself, and what it told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bus = Bus()
        self.ledger = Ledger(self.clock, Random(0), self.bus)
        self.told: list[KernelEvent] = []
        self.bus.subscribe(TOPIC, lambda _topic, event: self.told.append(event))  # type: ignore[arg-type]

    def drop(self, address: str = "a", message: Message[Any] | None = None, why: str = "full") -> None:
        self.ledger.dead_letter(address, Envelope(message or Note()), why)

    def drops(self) -> list[tuple[str, str | None, int]]:
        return [(e.address, e.message_kind, e.count) for e in self.told if e.kind == "dead_letter"]


@pytest.fixture
def book() -> Book:
    return Book()


# Floods


def test_the_first_drops_are_told_at_once_and_the_others_are_summed_up(book: Book) -> None:
    for _ in range(SINGLES + 90):
        book.drop()
    assert book.drops() == [("a", "Note", 1)] * SINGLES
    book.ledger.sum_up()
    book.clock.advance(SUM_UP_PERIOD - 0.1)
    book.ledger.sum_up()
    assert len(book.drops()) == SINGLES

    book.drop(why="the last one")
    book.clock.advance(0.2)
    book.ledger.sum_up()
    book.ledger.sum_up()
    book.clock.advance(100.0)
    book.ledger.sum_up()

    assert book.drops()[SINGLES:] == [("a", "Note", 91)]
    assert book.told[-1].reason == "91 more in 10 s, the last one: the last one"
    assert sum(count for *_, count in book.drops()) == book.ledger.dead == SINGLES + 91


def test_a_new_period_begins_with_single_entries_again(book: Book) -> None:
    for _ in range(SINGLES + 1):
        book.drop()
    book.clock.advance(SUM_UP_PERIOD)
    book.ledger.sum_up()

    book.drop()

    assert [count for *_, count in book.drops()] == [1] * (SINGLES + 2)
    book.clock.advance(SUM_UP_PERIOD)
    book.ledger.sum_up()
    assert len(book.drops()) == SINGLES + 2


def test_drops_are_told_apart_by_address_and_kind(book: Book) -> None:
    for _ in range(SINGLES + 5):
        book.drop("a")
        book.drop("b")
        book.drop("a", Die())
    book.clock.advance(SUM_UP_PERIOD)
    book.ledger.sum_up()

    assert sorted(book.drops()[3 * SINGLES :]) == [("a", "Die", 5), ("a", "Note", 5), ("b", "Note", 5)]


def test_what_is_told_apart_is_bounded_and_the_rest_is_summed_up_together(book: Book) -> None:
    more = 500
    for n in range(SUMS + more):
        book.drop(f"a{n}")

    assert len(book.ledger._drops) <= SUMS + 1
    assert len(book.drops()) == SUMS + SINGLES
    book.clock.advance(SUM_UP_PERIOD)
    book.ledger.sum_up()

    assert book.drops()[-1] == ("*", "*", more - SINGLES)
    assert book.ledger._drops == {}
    assert sum(count for *_, count in book.drops()) == book.ledger.dead


def test_the_memory_of_events_and_drops_is_bounded_and_drops_push_nothing_else_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledgers, "REMEMBERED", 50)
    book = Book()
    book.ledger.record("crash", "a", reason="the one that matters")
    for n in range(200):
        book.drop(f"b{n}")

    assert [event.reason for event in book.ledger.events() if event.kind == "crash"] == ["the one that matters"]
    assert len(book.ledger.events()) == 51
    assert len(book.ledger.dead_letters()) == 50
    assert book.ledger.dead == 200
    for n in range(200):
        book.ledger.record("crash", "a", reason=str(n))
    assert len(book.ledger.events()) == 100
    assert book.ledger.events()[-1].reason == "199"
    assert REMEMBERED >= 1_000


def test_the_record_tells_what_came_first(book: Book) -> None:
    for n in range(5):
        book.ledger.record("crash", "a", reason=f"{n}")
        book.drop(why=f"{n}")

    assert [(event.kind, event.reason) for event in book.ledger.events()] == [
        (kind, str(n)) for n in range(5) for kind in ("crash", "dead_letter")
    ]
    assert book.ledger.events() == tuple(book.told)


def test_what_the_journal_itself_is_sent_is_counted_and_not_told_to_it(book: Book) -> None:
    for _ in range(SINGLES + 5):
        book.drop(message=Silent())
    book.clock.advance(SUM_UP_PERIOD)
    book.ledger.sum_up()

    assert book.told == []
    assert book.ledger.dead == len(book.ledger.dead_letters()) == SINGLES + 5


def test_drops_of_many_threads_are_counted_each(book: Book) -> None:
    threads = [threading.Thread(target=lambda: [book.drop() for _ in range(2_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book.clock.advance(SUM_UP_PERIOD)
    book.ledger.sum_up()

    assert book.ledger.dead == 8_000
    assert sum(count for *_, count in book.drops()) == 8_000
    assert len(book.drops()) == SINGLES + 1


def test_under_a_flood_every_crash_start_and_alarm_is_told_once_and_drops_are_summed_up(stage: Stage) -> None:
    told: list[KernelEvent] = []
    stage.system.bus.subscribe(TOPIC, lambda _topic, event: told.append(event))  # type: ignore[arg-type]
    limits = CellSettings(mailbox=1, handler_limit=None)
    children = (stage.child("full", settings=limits), stage.child("a"))
    stage.up(SupervisorSpec(intensity=None, children=children))
    stage.do("sup/full", Die(how="hang"))

    sent = 6_000
    for n in range(sent):
        stage.tell("sup/full", Note(n=n))
        if n % 200 == 0:
            stage.do("sup/a", Die())
            stage.system.alarms.raise_(f"alarm {n}", "still")
    stage.sim.advance(SUM_UP_PERIOD + 1.0)

    for kind, address in (("crash", "sup/a"), ("restart", "sup/a")):
        assert len([e for e in told if (e.kind, e.address) == (kind, address)]) == sent // 200
        assert [e for e in told if (e.kind, e.address) == (kind, address)] == stage.events(kind, address=address)
    assert len([e for e in told if e.kind == "alarm"]) == sent // 200
    drops = [e for e in told if e.kind == "dead_letter" and e.address == "sup/full"]
    assert len(drops) == SINGLES + 1
    assert sum(e.count for e in drops) == sent - 1
    assert sum(e.count for e in told if e.kind == "dead_letter") == stage.system.statistics().dead_letters


def test_whoever_listens_to_one_address_hears_of_that_only(stage: Stage) -> None:
    told: list[KernelEvent] = []
    stage.system.bus.subscribe(topic_of("sup/a"), lambda _topic, event: told.append(event))  # type: ignore[arg-type]
    stage.up(SupervisorSpec(intensity=None, children=stage.children("a b")))
    stage.do("sup/a", Die())
    stage.do("sup/b", Die())

    assert [event.kind for event in told] == ["start", "crash", "dead_letter", "start", "restart"]
    assert {event.address for event in told} == {"sup/a"}


# Texts


def test_a_text_that_is_too_long_keeps_its_beginning_and_its_end() -> None:
    text = "begin " + "x" * 1_000_000 + " end"

    short = shortened(text)

    assert len(short) <= MAX_DETAIL
    assert short.startswith("begin ")
    assert short.endswith(" end")
    assert "characters left out" in short
    assert shortened("y" * MAX_DETAIL) == "y" * MAX_DETAIL


def test_the_text_of_a_crash_is_bounded_wherever_it_happens(stage: Stage) -> None:
    huge = ValueError("HTTP 502: " + "x" * 1_000_000)

    class Reader(Player):
        async def receive(self, message: Message[Any]) -> object:
            if isinstance(message, Note):
                raise huge
            return await super().receive(message)

    def broken() -> Player:
        raise huge

    stage.up(SupervisorSpec(intensity=None, children=(stage.child("a", make=Reader),)))
    stage.do("sup/a", Note())
    stage.world.starts["a"].append(huge)
    stage.do("sup/a", Die())
    with pytest.raises(Unavailable) as refused:
        stage.ask("sup", StartChild(spec=ChildSpec("b", broken)))

    crashes = stage.events("crash")
    assert len(crashes) == 4
    for event in crashes:
        assert 0 < len(event.detail) <= MAX_DETAIL
        assert len(event.reason) <= 300
    assert "HTTP 502" in stage.events("crash", address="sup/b")[0].detail
    assert len(refused.value.detail) < 500
    assert len(one_line(huge)) == 300


# Alarms


class Bell:
    """Alarms by themselves, and what they told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.told: list[Alarm] = []
        self.alarms = Alarms(self.clock, self.told.append)


def test_a_standing_alarm_is_told_once_however_often_it_is_renewed() -> None:
    bell = Bell()
    for n in range(5):
        bell.alarms.raise_("disk", f"{n} left")
        bell.clock.advance(1.0)

    (standing,) = bell.alarms.standing()
    assert (standing.message, standing.count, standing.since) == ("4 left", 5, bell.clock.EPOCH)
    assert [(alarm.message, alarm.cleared_at) for alarm in bell.told] == [("0 left", None)]

    bell.alarms.clear("disk")
    bell.alarms.clear("disk")

    assert bell.alarms.standing() == ()
    assert [alarm.cleared_at for alarm in bell.told] == [None, bell.clock.EPOCH + 5.0]
    assert bell.alarms.history() == (bell.told[-1],)
    bell.alarms.raise_("disk", "again")
    assert [alarm.message for alarm in bell.told] == ["0 left", "4 left", "again"]


def test_the_history_of_alarms_is_bounded() -> None:
    bell = Bell()
    for n in range(HISTORY + 100):
        bell.alarms.raise_(str(n), "")
        bell.alarms.clear(str(n))

    assert len(bell.alarms.history()) == HISTORY
    assert bell.alarms.history()[-1].name == str(HISTORY + 99)


def test_the_journal_hears_of_an_alarm_that_begins_and_ends(stage: Stage) -> None:
    for _ in range(3):
        stage.system.alarms.raise_("disk", "full")
    stage.system.alarms.clear("disk")

    assert [event.reason for event in stage.events("alarm")] == ["raised: full", "cleared: full"]
