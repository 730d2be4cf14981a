"""What all executors of a bot have in common so that a later life can go on with them.

A resumed executor is the same class with the same configuration, whose orders of earlier lives are put back before it
starts. All of those have ended: what rested was cancelled before. What a cancelled order had traded counts, and so
does what is told of it afterwards; hummingbot's own executors drop both.
"""

# ruff: noqa: ARG002 - signatures are the same for all kinds

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar

from aviary.actors.engine.executors.record import ExecutorOrder, UnfinishedExecutor
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState, TradeUpdate
from hummingbot.core.data_type.trade_fee import TokenAmount
from hummingbot.strategy_v2.executors.executor_base import ExecutorBase
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executors import CloseType, TrackedOrder

LATE = 1.0
"""Seconds after an order's end within which the user stream may still tell fills of it."""

UNTOLD = 60.0
"""Seconds for which the trades of a filled order are waited for."""

CANCEL_AGAIN = 2.0
"""Seconds after which an order that still rests is cancelled once more."""

UNSEEN = 10.0
"""Seconds after which an order that no connector follows was refused by the connector itself: a price that is no
number, say."""

SHUTDOWN_PAUSE = 1.0
"""Seconds between two looks of an executor that closes."""


class NotResumable(Exception):
    """What the dead life wrote down of an executor is not enough to go on with it."""


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order of an earlier life, with all that it traded. It has ended."""

    order: ExecutorOrder
    trades: tuple[TradeUpdate, ...] = ()

    @property
    def amount(self) -> Decimal:
        """Base units that it traded."""
        return amount_of(self.trades)

    def filled(self) -> InFlightOrder:
        """It as a filled order of what it traded."""
        return filled_order((self,))


class Ended(TrackedOrder):  # type: ignore[misc]  # hummingbot is untyped
    """An order that ended with a part of it traded: that part is all there is."""

    def __init__(self, order: InFlightOrder) -> None:
        super().__init__(order.client_order_id)
        self.order = order

    is_filled: ClassVar[bool] = True
    is_done: ClassVar[bool] = True
    is_open: ClassVar[bool] = False


def tracked(order: InFlightOrder) -> TrackedOrder:
    """A past order in the form in which executors keep theirs."""
    kept = TrackedOrder(order.client_order_id)
    kept.order = order
    return kept


def amount_of(trades: Iterable[TradeUpdate]) -> Decimal:
    """Base units of some trades."""
    return sum((one.fill_base_amount for one in trades), Decimal(0))


def filled_order(past: Sequence[PastOrder]) -> InFlightOrder:
    """Orders of one side as one filled order of what they traded, at their average price.

    It has a name of its own: what a connector still says of the real orders must not touch it.
    """
    first = past[0].order
    trades = [trade for one in past for trade in one.trades]
    return _stand_in(f"past-{first.client_order_id}", first.trading_pair, first, first.created_at, trades)


def settled_order(order: InFlightOrder) -> InFlightOrder:
    """What an order that ended early had traded, as a filled order."""
    trades = list(order.order_fills.values())
    return _stand_in(f"past-{order.client_order_id}", order.trading_pair, order, order.creation_timestamp, trades)


def split(order: InFlightOrder, amount: Decimal) -> tuple[InFlightOrder, InFlightOrder]:
    """A filled order as two: one of `amount`, and the rest; fees are shared out."""
    share = amount / order.executed_amount_base
    parts = []
    for number, part in enumerate((share, 1 - share)):
        trades = [part_of(one, part, order.trading_pair) for one in order.order_fills.values()]
        name = f"{order.client_order_id}.{number}"
        parts.append(_stand_in(name, order.trading_pair, order, order.creation_timestamp, trades))
    return parts[0], parts[1]


def part_of(trade: TradeUpdate, share: Decimal, trading_pair: str) -> TradeUpdate:
    """A share of a trade."""
    fees = [TokenAmount(token=fee.token, amount=fee.amount * share) for fee in trade.fee.flat_fees]
    return trade._replace(
        trading_pair=trading_pair,
        fill_base_amount=trade.fill_base_amount * share,
        fill_quote_amount=trade.fill_quote_amount * share,
        fee=replace(trade.fee, flat_fees=fees),
    )


def _stand_in(name: str, pair: str, like: Any, created_at: float, trades: Sequence[TradeUpdate]) -> InFlightOrder:
    amount = amount_of(trades)
    quote = sum((one.fill_quote_amount for one in trades), Decimal(0))
    order = InFlightOrder(
        client_order_id=name,
        exchange_order_id=name,
        trading_pair=pair,
        order_type=like.order_type,
        trade_type=like.side if isinstance(like, ExecutorOrder) else like.trade_type,
        amount=amount,
        price=quote / amount if amount else like.price,
        position=like.position_action if isinstance(like, ExecutorOrder) else like.position,
        creation_timestamp=created_at,
        initial_state=OrderState.FILLED,
    )
    order.order_fills = {
        f"{one.client_order_id}/{one.trade_id}": one._replace(trading_pair=pair) for one in trades
    }
    order.executed_amount_base, order.executed_amount_quote = amount, quote
    # Controllers measure their cooldowns from the last trade.
    order.last_update_timestamp = max((one.fill_timestamp for one in trades), default=created_at)
    order.completely_filled_event.set()
    return order


def _never_sent(name: str, at: float) -> InFlightOrder:
    return InFlightOrder(
        name, "-", OrderType.LIMIT, TradeType.BUY, Decimal(1), at, initial_state=OrderState.FAILED
    )


class Resumable(ExecutorBase):  # type: ignore[misc]  # hummingbot is untyped
    """Mixed into each kind of executor, before hummingbot's own class."""

    config_class: ClassVar[Any]
    resumed = False
    role = ""
    """What the order that is being placed is for; written down with it."""

    def __init__(self, **given: Any) -> None:
        self.given_up: set[str] = set()
        """Orders of which it counts nothing that is told from now on."""
        self._cancelled_at: dict[str, float] = {}
        self._unseen: dict[str, float] = {}
        super().__init__(**given)

    @staticmethod
    def may_open() -> bool:
        """Whether its controller may hold more; the orchestrator puts its own answer in place of this one."""
        return True

    @staticmethod
    def write_down() -> None:
        """Write down how it is; the orchestrator puts its own way in place of this one."""

    @staticmethod
    def alarm(text: str) -> None:
        """Tell what somebody has to look at; the orchestrator puts its own way in place of this one."""

    # What each kind says

    def notes(self) -> dict[str, Any]:
        """What `__init__` made up and a later life could not: JSON."""
        return {}

    @abstractmethod
    def followed(self) -> Iterator[TrackedOrder]:
        """Every order whose trades it counts."""

    @abstractmethod
    def put_back(self, past: Sequence[PastOrder], notes: dict[str, Any]) -> None:
        """Take the orders of earlier lives over. Raises `NotResumable`."""

    def is_over(self) -> bool:
        """Whether nothing is left to be done with what was put back."""
        return False

    def end_of_the_past(self) -> CloseType:
        """Why one that was over before this life began ended, if that was not written down."""
        return CloseType.COMPLETED

    # What is written down while it lives

    def state(self) -> dict[str, str]:
        """What can't be told from configuration and orders."""
        state = {}
        if self._status == RunnableStatus.SHUTTING_DOWN:
            state["closing"] = (self.close_type or CloseType.COMPLETED).name
        trailing = getattr(self, "_trailing_stop_trigger_pct", None)
        if trailing is not None:
            state["trailing"] = str(trailing)
        return state

    # Resuming

    def resume(self, executor: UnfinishedExecutor, past: Sequence[PastOrder]) -> None:
        """Be what the dead life's executor was."""
        self.resumed = True
        state = executor.state
        if "trailing" in state:
            self._trailing_stop_trigger_pct = Decimal(state["trailing"])
        self.put_back(past, executor.notes)
        if "closing" in state:
            self.close_type = CloseType[state["closing"]]

    def go_on(self) -> None:
        """Start what was put back; one that was closing goes on closing."""
        if self.is_over():
            self.close_type = self.close_type or self.end_of_the_past()
            self.close_timestamp = self._strategy.current_timestamp
            self._status = RunnableStatus.TERMINATED
            self.terminated.set()
            return
        closing = self.close_type is not None
        self.start()
        if closing:
            # Only after the start: hummingbot begins nothing that is not as new.
            self._status = RunnableStatus.SHUTTING_DOWN

    async def on_start(self) -> None:
        """Check the balance of a new one; a resumed one's money is spent, and being over is the loop's matter."""
        if not self.resumed:
            await super().on_start()

    # Living

    @contextmanager
    def placing(self, role: str) -> Iterator[None]:
        """Say what the orders placed within are for."""
        self.role = role
        try:
            yield
        finally:
            self.role = ""

    async def control_task(self) -> None:
        """One step."""
        self.bind()
        self.tidy()
        if not self.is_closed:
            await super().control_task()

    def bind(self) -> None:
        """Find the orders that were just sent, answered or not: an order without an answer can be cancelled too."""
        for one in self.followed():
            if one.order is None:
                for connector in self.connectors.values():
                    order = connector._order_tracker.fetch_order(one.order_id)  # noqa: SLF001
                    if order is not None:
                        one.order = order
            if one.order is None:
                now = self._strategy.current_timestamp
                if now - self._unseen.setdefault(one.order_id, now) >= UNSEEN:
                    self.logger().error(f"Order {one.order_id} was never sent.")
                    one.order = _never_sent(one.order_id, now)

    def tidy(self) -> None:
        """Deal with orders that ended early, once their last trades are told."""

    def process_order_created_event(self, event_tag: int, market: Any, event: Any) -> None:
        """Find the order that something is told of."""
        self.bind()

    def process_order_canceled_event(self, event_tag: int, market: Any, event: Any) -> None:
        """The next steps deal with it."""
        self.bind()

    def process_order_failed_event(self, event_tag: int, market: Any, event: Any) -> None:
        """The next steps deal with it."""
        self.bind()

    def cancel_pending(self) -> None:
        """Cancel what rests, whether the exchange has answered it or not; again if that did not help."""
        self.bind()
        now = self._strategy.current_timestamp
        for one in self.followed():
            order = one.order
            if order is None or not self.pending(one) or not order.is_open or order.order_type == OrderType.MARKET:
                continue
            if now - self._cancelled_at.get(one.order_id, 0.0) >= CANCEL_AGAIN:
                self._cancelled_at[one.order_id] = now
                for connector in self.connectors.values():
                    # Not by way of the strategy, which sends no second cancellation within a minute.
                    connector.cancel(order.trading_pair, one.order_id)

    def force_stop_with_position_hold(self) -> None:
        """Leave at once; what its orders still trade is not its own any more."""
        super().force_stop_with_position_hold()
        self.given_up |= {one.order_id for one in self.followed() if self.pending(one)}

    def gone(self, one: TrackedOrder | None) -> bool:
        """Whether an order ended early, and long enough ago that its trades are told."""
        if one is None or one.order is None or one.is_filled:
            return False
        if one.order.current_state not in {OrderState.CANCELED, OrderState.FAILED}:
            return False
        return bool(self._strategy.current_timestamp - one.order.last_update_timestamp >= LATE)

    def pending(self, one: TrackedOrder | None) -> bool:
        """Whether an order may still trade, or has traded what is not told yet."""
        if one is None or isinstance(one, Ended):
            return False
        if not one.is_filled:
            return True
        untold = one.executed_amount_base < one.order.amount
        return untold and bool(self._strategy.current_timestamp - one.order.last_update_timestamp < UNTOLD)

    def evaluate_max_retries(self) -> None:
        """Give up after too many tries, and leave what it has traded to its controller."""
        if self._current_retries > self._max_retries:
            self.logger().error(f"Executor {self.config.id} gave up after {self._current_retries} tries.")
            self.force_stop_with_position_hold()

    def _collect_held_position_orders(self) -> list[dict[str, Any]]:
        held = {one.order_id: one.order.to_json() for one in self.followed() if one.executed_amount_base > 0}
        return list(held.values())

    def worth_trading(self, connector_name: str, trading_pair: str, amount: Decimal, price: Decimal) -> bool:
        """Whether an order of this size is taken by the exchange."""
        connector = self.connectors[connector_name]
        rules = connector.trading_rules[trading_pair]
        sent = connector.quantize_order_amount(trading_pair, max(amount, Decimal(0)))
        return bool(sent > 0 and sent >= rules.min_order_size and sent * price >= rules.min_notional_size)

    async def _sleep(self, delay: float) -> None:
        await super()._sleep(min(delay, SHUTDOWN_PAUSE))
