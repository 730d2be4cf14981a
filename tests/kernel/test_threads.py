"""The kernel on real threads and the machine's clock. Every wait is for a condition, with a deadline."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pykka
import pytest
from aviary.actors.core import watchdog
from aviary.actors.core.dispatcher import LoopDispatcher
from aviary.actors.core.envelope import Envelope
from aviary.actors.core.life import Stop
from aviary.actors.core.mailbox import Fenced, Mailbox
from aviary.actors.core.refusal import ActorCrashed, Conflict, DeadlineExceeded, Unavailable
from aviary.actors.core.system import System
from aviary.supervisors.messages import RestartChild, TerminateChild
from kernel_live import DEADLINE, AskOther, Block, Blocking, Die, Live, Looping, Note, Other

BOTH = pytest.mark.parametrize("kind", [Blocking, Looping])


@BOTH
def test_an_actor_answers_crashes_and_lives_again(live: Live, kind: type[Blocking | Looping]) -> None:
    live.start("a", kind)

    assert live.ask("a", Note()) == 1
    with pytest.raises(ActorCrashed):
        live.ask("a", Die())
    assert live.ask("a", Note()) == 2
    assert len(pykka.ActorRegistry.get_by_class(kind)) == 1


def test_a_thread_survives_nothing_that_would_end_all_of_pykkas_actors(live: Live) -> None:
    live.start("a", Blocking)
    live.start("b", Blocking)

    for how in ("exit", "coroutine"):
        with pytest.raises(ActorCrashed):
            live.ask("a", Die(how=how))
    with pytest.raises(Conflict):
        live.ask("a", Die(how="refuse"))

    assert live.ask("a", Note()) == 3
    assert live.ask("b", Note()) == 1
    assert live.gate.released == 2


def test_a_thread_ends_by_its_own_will_by_request_and_by_its_reference(live: Live) -> None:
    live.start("a", Blocking)
    live.ask("a", Die(how="finish"))
    assert live.ask("a", Note()) == 2
    live.system.tell("a", Stop())
    assert live.ask("a", Note()) == 3
    ref = pykka.ActorRegistry.get_by_class(Blocking)[0]
    assert ref.ask(Note(), timeout=DEADLINE) == 3
    assert ref.stop(timeout=DEADLINE) is True
    assert live.ask("a", Note()) == 4


@pytest.mark.parametrize(("asking", "asked"), [(Looping, Other), (Looping, Blocking), (Blocking, Other)])
def test_actors_ask_one_another_across_threads_and_loops(
    live: Live, asking: type[Blocking | Looping], asked: type[Blocking | Looping]
) -> None:
    live.start("a", asking)
    live.start("b", asked)

    assert live.ask("a", AskOther(address="b")) == 1


def test_a_hung_thread_is_fenced_counted_and_replaced_and_its_late_answer_ignored(live: Live) -> None:
    hung = live.next_event("hung")
    live.start("a", Blocking, handler_limit=0.5)

    with pytest.raises(ActorCrashed):
        live.ask("a", Block())
    assert hung.wait(DEADLINE)
    assert live.ask("a", Note(n=1)) == 2
    assert live.system.statistics().abandoned_threads == 1

    live.gate.go.set()
    assert live.gate.left.wait(DEADLINE)
    assert [type(error) for error in live.gate.fenced] == [Fenced]
    assert live.ask("a", Note(n=2)) == 2
    assert live.gate.handled == [1, 2]


def test_a_thread_that_does_not_let_go_after_a_crash_is_abandoned(live: Live) -> None:
    class Clinging(Blocking):
        release_timeout = 0.1

        def release(self) -> None:
            if self.incarnation == 1:
                self.gate.block()

    live.start("a", Clinging)
    with pytest.raises(ActorCrashed):
        live.ask("a", Die())

    assert live.ask("a", Note()) == 2
    assert live.system.statistics().abandoned_threads == 1


def test_a_thread_that_fails_to_let_go_is_told_and_goes_all_the_same(live: Live) -> None:
    class Stuck(Blocking):
        def release(self) -> None:
            raise OSError("stuck")

    live.start("a", Stuck)
    live.ask("aviary", TerminateChild(name="a"))

    failed = [event.reason for event in live.system.events() if event.kind == "release_failed"]
    assert failed == ["OSError: stuck"]


def test_a_stuck_loop_is_replaced_and_only_the_blocking_message_is_to_blame(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "STUCK_AFTER", 2.0)
    live.start("stuck", Looping)
    live.start("bystander", Looping)
    live.start("elsewhere", Other)
    assert live.ask("bystander", Note()) == 1
    dispatcher = live.system.dispatcher("work")
    assert isinstance(dispatcher, LoopDispatcher)

    with pytest.raises(ActorCrashed):
        live.ask("stuck", Block())

    assert live.ask("stuck", Note()) == 2
    assert live.ask("bystander", Note()) == 2
    assert live.ask("elsewhere", Note()) == 1
    hung = {event.address: event.message_kind for event in live.system.events() if event.kind == "hung"}
    assert hung == {"stuck": "Block", "bystander": None}
    assert [letter.message_kind for letter in live.system.dead_letters()] == ["Block"]
    assert live.system.statistics().abandoned_threads == 1

    live.gate.go.set()
    dispatcher.thread.join(DEADLINE)
    assert live.system.statistics().abandoned_threads == 0
    assert live.gate.handled == [0] * 4


def test_a_loop_of_a_process_that_got_no_processor_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System.live()
    try:
        before = system.dispatcher("work")
        monkeypatch.setattr(before, "silence", lambda: watchdog.STUCK_AFTER + 1.0)

        watchdog.look(system, [(system.clock.monotonic(), 2.0)])
        assert system.dispatcher("work") is before

        watchdog.look(system)
        assert system.dispatcher("work") is not before
    finally:
        system.shutdown()


def test_a_blocking_ask_has_a_deadline_and_is_refused_on_a_loop(live: Live) -> None:
    live.start("a", Blocking)
    live.system.tell("a", Block())
    with pytest.raises(DeadlineExceeded):
        live.ask("a", Note(), timeout=0.05)

    async def on_a_loop() -> None:
        live.system.ask_blocking("a", Note(), timeout=1)

    with pytest.raises(RuntimeError, match="must not block"):
        asyncio.run(on_a_loop())


def test_an_asker_whose_loop_has_gone_is_felt_by_nobody(live: Live) -> None:
    live.start("a", Blocking)
    live.start("b", Looping)

    async def ask_and_leave(address: str) -> None:
        asking = asyncio.ensure_future(live.system.ask(address, Block(), timeout=DEADLINE))
        await asyncio.sleep(0)
        asking.cancel()

    asyncio.run(ask_and_leave("a"))
    asyncio.run(ask_and_leave("b"))
    live.gate.go.set()

    assert live.ask("a", Note()) == 1
    assert live.ask("b", Note()) == 1


@BOTH
def test_what_many_threads_send_is_handled_once_and_in_each_senders_order_despite_crashes(
    live: Live, kind: type[Blocking | Looping]
) -> None:
    live.start("a", kind)
    senders, each = 6, 300

    def send(sender: int) -> int:
        crashes = 0
        chance = Random(sender)
        for n in range(each):
            if chance.random() < 0.03:
                live.system.tell("a", Die())
                crashes += 1
            live.system.tell("a", Note(n=sender * each + n))
        return crashes

    with ThreadPoolExecutor(senders) as pool:
        crashes = sum(pool.map(send, range(senders)))
    last = live.ask("a", Note(n=-1))

    assert last == crashes + 1
    handled = live.gate.handled[:-1]
    assert sorted(handled) == list(range(senders * each))
    for sender in range(senders):
        own = [n for n in handled if n // each == sender]
        assert own == sorted(own)
    assert live.system.statistics().crashes == crashes
    assert len([letter for letter in live.system.dead_letters() if letter.message_kind == "Die"]) == crashes


def test_asks_from_many_threads_are_all_answered_while_the_actor_is_stopped_and_started(live: Live) -> None:
    live.start("a", Looping)
    stop = threading.Event()
    outcomes: list[str] = []

    def ask_on() -> None:
        while not stop.is_set():
            try:
                live.ask("a", Note(), timeout=DEADLINE)
                outcomes.append("answered")
            except (Unavailable, ActorCrashed) as refusal:
                assert not isinstance(refusal, DeadlineExceeded)
                outcomes.append("refused")
            except Exception as error:
                outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=ask_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        live.ask("aviary", TerminateChild(name="a"))
        live.on_kernel(restart(live.system))
    stop.set()
    for thread in threads:
        thread.join(DEADLINE)

    assert not [thread for thread in threads if thread.is_alive()]
    assert set(outcomes) <= {"answered", "refused"}
    assert "answered" in outcomes


async def restart(system: System) -> None:
    await system.ask("aviary", RestartChild(name="a"), timeout=DEADLINE)


def test_a_mailbox_between_many_threads_loses_nothing_while_its_readers_change() -> None:
    mailbox = Mailbox(1_000_000)
    producers, each = 4, 2_000
    taken: list[int] = []
    wakened = threading.Event()
    finished = threading.Event()

    def produce(producer: int) -> None:
        for n in range(each):
            mailbox.put(Envelope(Note(n=producer * each + n)))

    def consume() -> None:
        while not finished.is_set() or len(mailbox):
            reader = object()
            mailbox.attach(reader)
            mailbox.listen(reader, wakened.set)
            for _ in range(50):
                envelope = mailbox.take(reader, 0.0)
                if envelope is None:
                    wakened.wait(0.01)
                    wakened.clear()
                    continue
                assert isinstance(envelope.message, Note)
                assert mailbox.settle(reader, envelope)
                taken.append(envelope.message.n)
            assert mailbox.detach(reader) == []
            with pytest.raises(Fenced):
                mailbox.take(reader, 0.0)

    consumer = threading.Thread(target=consume)
    consumer.start()
    with ThreadPoolExecutor(producers) as pool:
        list(pool.map(produce, range(producers)))
    finished.set()
    consumer.join(DEADLINE)

    assert sorted(taken) == list(range(producers * each))
    for producer in range(producers):
        own = [n for n in taken if n // each == producer]
        assert own == sorted(own)
