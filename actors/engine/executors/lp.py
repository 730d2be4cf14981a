"""The liquidity executor: its position on the chain is written down before it is asked for and when it is known.

What it does is no order and does not pass by where orders are written down. One that was cut off while it opened is
looked for among the wallet's positions before anything else is done, and closed: opening again could open twice.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from aviary.actors.engine.executors.record import UnfinishedExecutor
from aviary.actors.engine.executors.resuming import PastOrder, Resumable
from hummingbot.strategy_v2.executors.lp_executor.data_types import LPExecutorConfig, LPExecutorStates
from hummingbot.strategy_v2.executors.lp_executor.lp_executor import LPExecutor
from hummingbot.strategy_v2.models.executors import CloseType, TrackedOrder

LANDING = 120.0
"""Seconds within which a transaction that was sent may still land."""

HELD = ("IN_RANGE", "OUT_OF_RANGE")

TEXTS = ("position_address", "open_tx_hash", "close_tx_hash")
NUMBERS = (
    "lower_price",
    "upper_price",
    "initial_base_amount",
    "initial_quote_amount",
    "add_mid_price",
    "position_rent",
    "tx_fee",
)
"""Fields of its position that do not change with the market."""


class LastingLPExecutor(Resumable, LPExecutor):  # type: ignore[misc]  # hummingbot is untyped
    """Goes on with a position that is known, and never opens a second one."""

    config_class = LPExecutorConfig

    def __init__(self, **given: Any) -> None:
        self._looked_for_since: float | None = None
        super().__init__(**given)

    def followed(self) -> Iterator[TrackedOrder]:
        """It has no orders."""
        return iter(())

    def put_back(self, past: Sequence[PastOrder], notes: dict[str, Any]) -> None:
        """It has no orders."""

    def state(self) -> dict[str, str]:
        """Where its position is, and how far it is."""
        position = self.lp_position_state
        step = "HELD" if position.state.name in HELD else position.state.name
        known = {name: str(getattr(position, name)) for name in (*TEXTS, *NUMBERS) if getattr(position, name)}
        return {**super().state(), "step": step, **known}

    def resume(self, executor: UnfinishedExecutor, past: Sequence[PastOrder]) -> None:
        """Be what the dead life's executor was; what was under way is looked up on the chain first."""
        super().resume(executor, past)
        state, position = executor.state, self.lp_position_state
        for name in TEXTS:
            setattr(position, name, state.get(name))
        for name in NUMBERS:
            setattr(position, name, Decimal(state.get(name, "0")))
        self._position_seen_onchain = position.position_address is not None
        step = state.get("step", "NOT_ACTIVE")
        position.state = LPExecutorStates.IN_RANGE if step == "HELD" else LPExecutorStates[step]
        if position.state == LPExecutorStates.OPENING:
            self._looked_for_since = self._strategy.current_timestamp
        elif position.state == LPExecutorStates.SWAPPING:
            # Whether the swap was sent is not known; a second one would trade twice.
            self.alarm(f"A swap that ended a position in pool {self.config.pool_address} was cut off.")
            position.state = LPExecutorStates.COMPLETE
        elif self.close_type is not None and position.state == LPExecutorStates.IN_RANGE:
            position.state = LPExecutorStates.CLOSING

    async def _create_position(self) -> None:
        """Write down that it is being opened, then open; one that was being opened is looked for instead."""
        if self._looked_for_since is None:
            self.write_down()
            await super()._create_position()
            self.write_down()
            return
        connector = self.connectors[self.config.connector_name]
        mine = await connector.get_user_positions(
            dex_name=self.lp_dex_name, trading_type=self.lp_trading_type, pool_address=self.config.pool_address
        )
        if not mine:
            if self._strategy.current_timestamp - self._looked_for_since >= LANDING:
                self._looked_for_since = None
            return
        address = await self._recover_position_address(connector)
        self._looked_for_since = None
        if not address:
            self.alarm(f"Which position in pool {self.config.pool_address} an earlier life opened can't be told.")
            self.lp_position_state.state = LPExecutorStates.FAILED
            return
        self.alarm(f"Closing position {address}: an earlier life was cut off while it opened it.")
        self.lp_position_state.position_address = address
        self._position_seen_onchain = True
        self.close_type = self.close_type or (
            CloseType.POSITION_HOLD if self.config.keep_position else CloseType.EARLY_STOP
        )
        self.lp_position_state.state = LPExecutorStates.CLOSING
        self.write_down()

    async def _close_position(self) -> None:
        """Write down that it is being closed, then close."""
        self.write_down()
        await super()._close_position()
        self.write_down()

    async def on_start(self) -> None:
        """A resumed one finds out how to swap, as a new one does; its balance is spent."""
        await super(Resumable, self).on_start()

    async def validate_sufficient_balance(self) -> None:
        """Nothing to check for a resumed one."""
        if not self.resumed:
            await super().validate_sufficient_balance()

    def evaluate_max_retries(self) -> None:
        """As hummingbot does: a position that can't be closed stays visible."""
        super(Resumable, self).evaluate_max_retries()

    def _collect_held_position_orders(self) -> list[dict[str, Any]]:
        held: list[dict[str, Any]] = super(Resumable, self)._collect_held_position_orders()
        return held
