"""The kinds of executors that a later life can go on with, by what hummingbot calls them."""

from aviary.actors.engine.executors.dca import LastingDCAExecutor
from aviary.actors.engine.executors.grid import LastingGridExecutor
from aviary.actors.engine.executors.lp import LastingLPExecutor
from aviary.actors.engine.executors.order import LastingOrderExecutor, LastingTWAPExecutor
from aviary.actors.engine.executors.position import LastingPositionExecutor
from aviary.actors.engine.executors.resuming import Resumable
from aviary.actors.engine.executors.two_legged import LastingArbitrageExecutor, LastingXEMMExecutor

LASTING: dict[str, type[Resumable]] = {
    "position_executor": LastingPositionExecutor,
    "grid_executor": LastingGridExecutor,
    "dca_executor": LastingDCAExecutor,
    "twap_executor": LastingTWAPExecutor,
    "order_executor": LastingOrderExecutor,
    "xemm_executor": LastingXEMMExecutor,
    "arbitrage_executor": LastingArbitrageExecutor,
    "lp_executor": LastingLPExecutor,
}

UNFIT = (ValueError, LookupError, ArithmeticError, TypeError, AttributeError)
"""What hummingbot's classes raise when they are made of, or are given, what does not fit them (any more)."""
