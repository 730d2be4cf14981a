from itertools import pairwise
from typing import get_args

from aviary.persistence.order_states import LIVE, TERMINAL, OrderState, may_follow, released_status
from hypothesis import given
from hypothesis import strategies as st

STATES: tuple[OrderState, ...] = get_args(OrderState.__value__)
states = st.sampled_from(STATES)


def test_every_state_is_either_live_or_terminal() -> None:
    assert set(STATES) == LIVE | TERMINAL
    assert not LIVE & TERMINAL


@given(st.sampled_from(sorted(TERMINAL)), states)
def test_nothing_follows_the_end(old: OrderState, new: OrderState) -> None:
    assert not may_follow(old, new)


@given(states)
def test_no_state_follows_itself(state: OrderState) -> None:
    assert not may_follow(state, state)


@given(st.lists(states, max_size=40))
def test_whatever_news_comes_an_order_ends_at_most_once(news: list[OrderState]) -> None:
    state: OrderState = "intent"
    path = [state]
    for new in news:
        if may_follow(state, new):
            state = new
            path.append(state)

    ends = [step for step in path if step in TERMINAL]
    assert len(ends) <= 1
    assert "intent" not in path[1:]
    assert all(not (a == "partially_filled" and b == "open") for a, b in pairwise(path))


@given(states)
def test_every_state_has_a_word_that_released_clients_know(state: OrderState) -> None:
    assert released_status(state) in {
        "SUBMITTED",
        "OPEN",
        "PARTIALLY_FILLED",
        "FILLED",
        "CANCELLED",
        "FAILED",
    }
