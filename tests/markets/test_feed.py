"""A feed: what it publishes and answers, how it tells old data from new, and how it comes back."""

import pytest
from aviary.actors.core.events import TOPIC as TOPIC_OF_ALL
from aviary.actors.core.events import topic_of
from aviary.actors.core.refusal import Invalid, Stale, Unavailable
from aviary.actors.markets.feed import DataArrived, HostEnded
from aviary.actors.messages.feeds import GetFeed, GetFeedHistory
from feed_world import BOOK, CANDLES, HOST, TICKER, TRADES, World

TOPIC = f"feed/{BOOK.path}"
ALARM = f"stale/{BOOK.name}"


def test_what_the_host_sends_is_published_as_the_same_bytes_in_order_and_numbered(world: World) -> None:
    world.open(BOOK)

    sent = [world.say_book(bids=[[float(price), 1.0]]) for price in (97, 98, 99)]

    assert [event.payload for event in world.events] == sent
    assert [event.sequence for event in world.events] == [1, 2, 3]
    assert {event.what for event in world.events} == {"update"}


def test_nothing_is_published_while_nothing_changes(world: World) -> None:
    world.open(BOOK)
    world.say_book()

    world.say_status(BOOK, "live", 0.0)

    assert world.heard(BOOK) == ["update"]


def test_an_answer_carries_the_age_of_its_data(world: World) -> None:
    address = world.open(BOOK)
    world.say(BOOK, ago=2.0, bids=[[99.0, 1.0]], asks=[])
    world.sim.advance(3.0)

    state = world.ask(address, GetFeed())

    assert state.age == pytest.approx(5.0, abs=0.01)
    assert state.data["bids"] == [[99.0, 1.0]]
    assert not state.stale


def test_a_word_of_the_exchange_that_changes_nothing_makes_the_data_young_again(world: World) -> None:
    address = world.open(BOOK)
    world.say_book()
    world.sim.advance(8.0)

    world.say_status(BOOK, "live", 0.5)

    assert world.ask(address, GetFeed()).age == pytest.approx(0.5, abs=0.01)


def test_a_question_waits_for_the_first_data(world: World) -> None:
    address = world.open(BOOK)
    asked = world.sim.loop.create_task(world.asking(address, GetFeed(wait=10.0)))
    world.sim.advance(4.0)
    world.say_book()

    assert world.sim.run(asked).data["asks"] == [[101.0, 2.0]]


def test_a_question_is_refused_when_no_data_come_in_time(world: World) -> None:
    address = world.open(BOOK)

    with pytest.raises(Unavailable, match="no data"):
        world.ask(address, GetFeed(wait=5.0))


def test_data_of_an_exchange_that_went_quiet_are_stale_until_it_speaks_again(world: World) -> None:
    address = world.open(BOOK)
    world.say_book()

    world.keep(BOOK, 12)

    assert world.heard(BOOK) == ["update", "stale"]
    assert world.alarms() == [ALARM]
    assert world.state(address) == "degraded"
    state = world.ask(address, GetFeed())
    assert state.stale
    assert state.age == pytest.approx(12.0, abs=0.01)
    with pytest.raises(Stale):
        world.ask(address, GetFeed(fresh=True))

    world.say_book()

    assert world.heard(BOOK) == ["update", "stale", "fresh", "update"]
    assert world.alarms() == []
    assert world.state(address) == "running"
    assert not world.ask(address, GetFeed(fresh=True)).stale


def test_who_is_told_that_data_are_fresh_gets_them_although_nothing_changed(world: World) -> None:
    world.open(BOOK)
    sent = world.say_book()
    world.keep(BOOK, 12)

    world.say_status(BOOK, "live", 0.2)

    assert world.heard(BOOK) == ["update", "stale", "fresh", "update"]
    assert world.events[-1].payload == sent
    assert world.events[-1].age == pytest.approx(0.2, abs=0.01)


def test_what_was_never_there_does_not_become_fresh(world: World) -> None:
    world.open(BOOK)
    world.keep(BOOK, 12)

    world.say_status(BOOK, "live", 0.0)
    assert world.heard(BOOK) == ["stale"]

    world.say_book()
    assert world.heard(BOOK) == ["stale", "fresh", "update"]


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_ages_are_right_although_the_machine_s_clock_was_set(world: World, step: float) -> None:
    address = world.open(BOOK)
    world.say_book()
    world.sim.advance(4.0)

    world.sim.clock.step(step)
    world.say_status(BOOK, "live", 4.0)

    assert world.ask(address, GetFeed()).age == pytest.approx(4.0, abs=0.01)
    world.keep(BOOK, 8)
    assert world.heard(BOOK) == ["update", "stale"]


def test_a_feed_whose_exchange_stays_silent_starts_anew_and_subscribes_once(world: World) -> None:
    address = world.open(BOOK)
    world.say_book()

    world.keep(BOOK, 122)

    cell = world.system.cell(address)
    assert cell is not None
    assert cell.incarnation == 2
    assert cell.last_failure is not None
    assert "said nothing" in cell.last_failure
    assert world.exchange.opened[TOPIC] == 2
    assert world.exchange.open[TOPIC] == 1
    assert world.alarms() == [ALARM], "the alarm stands until the exchange speaks"

    world.say_book()

    assert world.alarms() == []
    assert world.heard(BOOK)[-3:] == ["fresh", "gap", "update"]


def test_a_feed_tells_of_the_gap_and_shows_the_present_after_a_restart(world: World) -> None:
    world.open(BOOK)
    world.say_book()
    world.say_status(BOOK, "failed")
    world.keep(BOOK, 2)
    assert world.heard(BOOK) == ["update"]

    sent = world.say_book(bids=[[100.0, 1.0]])

    assert world.heard(BOOK) == ["update", "gap", "update"]
    assert world.events[-1].payload == sent
    assert world.exchange.open[TOPIC] == 1


def test_what_an_earlier_life_was_sent_is_not_taken_for_news(world: World) -> None:
    address = world.open(BOOK)
    world.say_status(BOOK, "failed")
    world.keep(BOOK, 2)

    world.system.tell(address, DataArrived(life=1, payload=b'{"bids":[],"asks":[]}', whole=True))
    world.system.tell(address, HostEnded(life=1, reason="an old story"))
    world.keep(BOOK, 2)

    assert world.events == []
    assert world.exchange.opened[TOPIC] == 2


def test_a_feed_that_ended_listens_to_nothing_any_more(world: World) -> None:
    world.open(BOOK)
    world.sim.advance(70.0)

    for topic in (f"market/host/feed/{BOOK.path}", f"market/host/feed_status/{BOOK.path}", "kernel"):
        assert not world.system.bus.has_subscribers(topic)


def test_a_feed_does_not_wait_for_a_dead_host_to_close_it(world: World) -> None:
    address = world.open(BOOK)
    world.break_host()

    world.sim.advance(0.9)

    cell = world.system.cell(address)
    assert cell is not None
    assert cell.incarnation == 2


@pytest.mark.parametrize("times", [1, 6])
def test_a_feed_moves_to_the_host_that_replaces_its_own(world: World, times: int) -> None:
    world.open(BOOK)
    world.open(TICKER)
    world.say_book()

    for _ in range(times):
        world.break_host()
        world.keep(BOOK, 10)

    assert world.exchange.open == {TOPIC: 1, f"feed/{TICKER.path}": 1}
    world.say_book()
    assert world.heard(BOOK)[-2:] == ["gap", "update"]
    assert world.heard(BOOK).count("update") == 2


def test_what_happens_elsewhere_in_the_kernel_is_not_told_to_any_feed(world: World) -> None:
    world.open(BOOK)
    world.open(TICKER)

    assert not world.system.bus.has_subscribers(TOPIC_OF_ALL)
    assert world.system.bus.has_subscribers(topic_of(HOST))


def test_candles_tell_of_a_gap_when_the_candles_in_it_are_there(world: World) -> None:
    world.open(CANDLES)
    world.say(CANDLES, candles=[{"timestamp": 60.0}], complete=True)
    world.say_status(CANDLES, "failed")
    world.keep(CANDLES, 1)

    world.say(CANDLES, candles=[{"timestamp": 180.0}], complete=False)
    assert world.heard(CANDLES) == ["update"]
    world.say(CANDLES, candles=[{"timestamp": 180.0}], complete=True)

    assert world.heard(CANDLES) == ["update", "gap", "update"]


def test_candles_of_a_pair_with_little_history_are_not_waited_for_longer_than_a_moment(world: World) -> None:
    world.open(CANDLES)
    world.say_status(CANDLES, "failed")
    world.keep(CANDLES, 8)

    world.say(CANDLES, candles=[{"timestamp": 180.0}], complete=False)

    assert world.heard(CANDLES) == ["gap", "update"]


def test_trades_tell_of_a_gap_though_nobody_trades(world: World) -> None:
    world.open(TRADES)
    world.say_status(TRADES, "failed")

    world.keep(TRADES, 2)

    assert world.heard(TRADES) == ["gap"]


def test_no_trade_is_lost_in_a_burst(world: World) -> None:
    world.open(TRADES)
    for number in range(50):
        payload = b'{"trades":[{"trade_id":"%d"}],"timestamp":%d}' % (number, world.sim.clock.now())
        world.system.bus.publish(f"market/host/feed/{TRADES.path}", payload)
    world.sim.settle()

    assert [event.data["trades"][0]["trade_id"] for event in world.events] == [str(n) for n in range(50)]


def test_what_the_host_remembers_is_given_with_its_age(world: World) -> None:
    address = world.open(TRADES)
    world.exchange.memory[f"feed/{TRADES.path}"] = {"trades": [{"price": 1.0}], "timestamp": 5.0}
    world.say_status(TRADES, "live", 3.0)

    history = world.ask(address, GetFeedHistory())

    assert history["trades"] == [{"price": 1.0}]
    assert history["age"] == pytest.approx(3.0, abs=0.01)
    assert history["stale"] is False


def test_a_question_that_comes_while_the_feed_is_down_is_answered_by_its_next_life(world: World) -> None:
    address = world.open(BOOK)
    world.say_book()
    world.say_status(BOOK, "failed")
    asked = world.sim.loop.create_task(world.asking(address, GetFeed()))
    world.keep(BOOK, 2)
    world.say_book(bids=[[42.0, 1.0]])

    assert world.sim.run(asked).data["bids"] == [[42.0, 1.0]]


def test_candles_are_given_when_they_are_all_there_or_after_a_moment(world: World) -> None:
    address = world.open(CANDLES)
    world.exchange.memory[f"feed/{CANDLES.path}"] = {"candles": [1], "complete": False}
    world.say(CANDLES, candles=[1], complete=False)
    began = world.sim.clock.now()
    asked = world.sim.loop.create_task(world.asking(address, GetFeedHistory()))
    world.sim.advance(1.0)
    world.exchange.memory[f"feed/{CANDLES.path}"] = {"candles": [1, 2], "complete": True}
    world.say(CANDLES, candles=[1, 2], complete=True)
    assert world.sim.run(asked)["candles"] == [1, 2]
    assert world.sim.clock.now() - began == pytest.approx(1.0, abs=0.1)


def test_candles_that_never_get_complete_are_given_as_they_are(world: World) -> None:
    address = world.open(CANDLES)
    world.exchange.memory[f"feed/{CANDLES.path}"] = {"candles": [1], "complete": False}
    world.say(CANDLES, candles=[1], complete=False)
    began = world.sim.clock.now()

    assert world.ask(address, GetFeedHistory())["candles"] == [1]

    assert world.sim.clock.now() - began < 6


def test_a_feed_whose_pair_is_not_traded_any_more_ends_without_a_fuss(world: World) -> None:
    world.open(BOOK)
    world.say_book()
    world.exchange.refusal = Invalid("BTC-USDT is not traded on binance", "trading_pair")
    world.say_status(BOOK, "failed")

    world.sim.advance(10.0)

    assert world.state(BOOK.address) is None
    assert world.exchange.opened[TOPIC] == 1
    assert world.alarms() == []


def test_a_feed_that_fails_at_once_every_time_is_tried_again_ever_more_patiently(world: World) -> None:
    world.open(BOOK)
    for _ in range(60):
        world.say_status(BOOK, "failed")
        world.keep(BOOK, 1)

    lives = world.system.cell(BOOK.address)
    assert lives is not None
    assert 8 < lives.incarnation < 25
    assert lives.poison == {}
    world.keep(BOOK, 10)
    world.say_book()
    assert world.heard(BOOK) == ["gap", "update"]
