"""The life of an order as a table: which state may follow which.

`unresolved` stands for "nobody knows": a time-out, a 5xx or a lost connection is never a "no".
"""

from typing import Literal

type OrderState = Literal[
    "intent",
    "unresolved",
    "open",
    "partially_filled",
    "pending_cancel",
    "filled",
    "cancelled",
    "rejected",
    "failed",
]

TERMINAL: frozenset[OrderState] = frozenset({"filled", "cancelled", "rejected", "failed"})
"""States without a successor."""

LIVE: frozenset[OrderState] = frozenset({"intent", "unresolved", "open", "partially_filled", "pending_cancel"})
"""States of orders that may rest on the exchange."""

_RANK: dict[str, int] = {
    "intent": 0,
    "unresolved": 1,
    "open": 2,
    "partially_filled": 3,
    "pending_cancel": 4,
    "filled": 5,
    "cancelled": 5,
    "rejected": 5,
    "failed": 5,
}

_BACK: frozenset[tuple[str, str]] = frozenset(
    {
        # A cancel that the exchange refused leaves the order where it was.
        ("pending_cancel", "open"),
        ("pending_cancel", "partially_filled"),
    }
)


def may_follow(old: OrderState, new: OrderState) -> bool:
    """Whether news of `new` changes an order that is `old`: late news never takes anything back."""
    if old == new or old in TERMINAL:
        return False
    if new == "rejected":
        # Only a placement is rejected. What the exchange has on its books already was asked for twice.
        return old in {"intent", "unresolved"}
    return _RANK[new] > _RANK[old] or (old, new) in _BACK


def released_status(state: OrderState) -> str:
    """The word that the released server's clients know for a state."""
    return {
        "intent": "SUBMITTED",
        "unresolved": "SUBMITTED",
        "open": "OPEN",
        "partially_filled": "PARTIALLY_FILLED",
        "pending_cancel": "OPEN",
        "filled": "FILLED",
        "cancelled": "CANCELLED",
        "rejected": "FAILED",
        "failed": "FAILED",
    }[state]
