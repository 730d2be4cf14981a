"""The mailbox by itself, against a list."""

from collections.abc import Hashable

import pytest
from aviary.actors.core.envelope import Envelope, ThreadReply
from aviary.actors.core.mailbox import CONTROL_CAPACITY, Fenced, Mailbox, MailboxClosed, MailboxFull
from aviary.actors.core.message import Message
from hypothesis import given
from hypothesis import strategies as st

CAPACITY = 5


class Plain(Message[None]):
    n: int


class Control(Plain):
    control = True


class Keyed(Plain):
    key: str

    def conflation_key(self) -> Hashable | None:
        return self.key


steps = st.lists(
    st.sampled_from(
        [
            "plain",
            "plain",
            "control",
            "a",
            "b",
            "ask a",
            *["take"] * 3,
            "begin",
            "settle",
            "change reader",
            "close",
            "open",
        ]
    ),
    max_size=60,
)


@given(steps)
def test_a_mailbox_does_what_two_lists_would(steps: list[str]) -> None:
    mailbox = Mailbox(CAPACITY)
    reader = object()
    wakes = 0

    def wake() -> None:
        nonlocal wakes
        wakes += 1

    mailbox.attach(reader)
    mailbox.listen(reader, wake)
    control: list[int] = []
    work: list[tuple[int, str | None]] = []
    taken: list[Envelope] = []
    closed = False

    for n, step in enumerate(steps):
        match step:
            case "take":
                envelope = mailbox.take(reader, 0.0)
                expected = control.pop(0) if control else work.pop(0)[0] if work else None
                assert expected == (None if envelope is None else envelope.message.n)  # type: ignore[attr-defined]
                if envelope is not None:
                    taken.append(envelope)
            case "begin":
                if taken and taken[-1].place == "taken":
                    assert mailbox.begin(reader, taken[-1])
            case "settle":
                if taken:
                    settled = taken.pop()
                    assert mailbox.settle(reader, settled)
                    assert not mailbox.settle(reader, settled)
            case "change reader":
                held = [envelope for envelope in taken if envelope.place == "begun" or closed]
                back = [envelope for envelope in taken if envelope not in held]
                assert mailbox.detach(reader) == held
                assert not any(mailbox.settle(reader, envelope) for envelope in taken)
                # They are out of reach of what would replace them: their turn had come.
                control[:0] = [e.message.n for e in back if isinstance(e.message, Control)]
                work[:0] = [(e.message.n, None) for e in back if not isinstance(e.message, Control)]  # type: ignore[attr-defined]
                taken, reader = [], object()
                mailbox.attach(reader)
                mailbox.listen(reader, wake)
            case "close":
                drained = [envelope.message.n for envelope in mailbox.close()]  # type: ignore[attr-defined]
                assert drained == [*control, *(n for n, _ in work)]
                control, work, closed = [], [], True
            case "open":
                mailbox.open()
                closed = False
            case "control":
                mailbox.put(Envelope(Control(n=n)))
                control.append(n)
            case _:
                asks = step == "ask a"
                key = None if step == "plain" else step[-1]
                message = Plain(n=n) if key is None else Keyed(n=n, key=key)
                envelope = Envelope(message, ThreadReply() if asks else None)
                same = [i for i, (_, known) in enumerate(work) if known == key and key is not None]
                if closed:
                    with pytest.raises(MailboxClosed):
                        mailbox.put(envelope)
                elif same and not asks:
                    mailbox.put(envelope)
                    work[same[0]] = (n, key)
                elif len(work) >= CAPACITY:
                    with pytest.raises(MailboxFull):
                        mailbox.put(envelope)
                else:
                    before = wakes
                    mailbox.put(envelope)
                    assert wakes == before + 1
                    work.append((n, None if asks else key))
        assert len(mailbox) == len(control) + len(work)
    statistics = mailbox.statistics()
    assert (statistics.waiting, statistics.control_waiting) == (len(work), len(control))


def test_only_the_attached_reader_may_take_and_is_woken_when_it_is_fenced_off() -> None:
    mailbox = Mailbox(CAPACITY)
    woken: list[str] = []
    first, second = object(), object()
    mailbox.attach(first)
    mailbox.listen(first, lambda: woken.append("first"))
    mailbox.put(Envelope(Plain(n=1)))
    mailbox.detach(second)
    mailbox.detach(first)

    with pytest.raises(Fenced):
        mailbox.take(first, 0.0)
    mailbox.attach(second)
    mailbox.listen(second, lambda: woken.append("second"))

    assert mailbox.take(second, 0.0) is not None
    assert woken == ["first", "first", "first", "second"]


def test_control_messages_are_bounded_too() -> None:
    mailbox = Mailbox(1)
    envelope = Envelope(Control(n=0))
    for _ in range(CONTROL_CAPACITY):
        mailbox.put(envelope)

    with pytest.raises(MailboxFull):
        mailbox.put(envelope)
