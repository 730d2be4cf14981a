"""Dead executors of every kind: how they were, and what the next life does with them.

An order is what it was for, its side, what it traded, and whatever else matters; `of` is its whole amount.
"""

from typing import Any

HERE = {"connector_name": "exchange", "trading_pair": "BTC-USDT"}
BUY, SELL = 1, 2
LIMIT = 2

POSITION = {**HERE, "side": BUY, "amount": "1", "entry_price": "100"}
PROFIT = {"take_profit": "0.1", "take_profit_order_type": LIMIT, "open_order_type": LIMIT}
OVER = {**PROFIT, "time_limit": 50}
GRID = {
    **HERE,
    "side": BUY,
    "start_price": "99",
    "end_price": "102",
    "limit_price": "90",
    "total_amount_quote": "400",
    "min_spread_between_orders": "0.01",
    "min_order_amount_quote": "50",
    "max_open_orders": 2,
    "triple_barrier_config": {**PROFIT, "take_profit": "0.05"},
}
LEVELS = {"levels": [[f"L{n}", str(99 + n), "100", "0.05"] for n in range(3)]}
DCA = {**HERE, "side": BUY, "prices": ["100", "98", "96"], "amounts_quote": ["100", "196", "288"]}
TWAP = {**HERE, "side": BUY, "total_amount_quote": "500", "total_duration": 40, "order_interval": 10}
ORDER = {**HERE, "side": BUY, "amount": "1", "price": "100", "execution_strategy": "LIMIT"}
MARKETS = {
    "buying_market": HERE,
    "selling_market": {**HERE, "connector_name": "perpetual"},
    "order_amount": "1",
}
XEMM = {
    **MARKETS,
    "maker_side": BUY,
    "min_profitability": "0.001",
    "target_profitability": "0.002",
    "max_profitability": "0.01",
}
ARBITRAGE = {**MARKETS, "min_profitability": "0.01"}
LP = {
    **HERE,
    "lp_provider": "meteora/clmm",
    "pool_address": "pool",
    "lower_price": "90",
    "upper_price": "110",
    "base_amount": "1",
    "quote_amount": "100",
    "side": BUY,
}
THERE = {"connector_name": "perpetual"}


def case(kind: str, config: dict[str, Any], *orders: list[Any], **more: Any) -> dict[str, Any]:
    return {"type": f"{kind}_executor", "config": config, "orders": list(orders), **more}


def position(barriers: dict[str, Any], *orders: list[Any], **more: Any) -> dict[str, Any]:
    return case("position", {**POSITION, "triple_barrier_config": barriers}, *orders, **more)


RESUMED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # Position
    "an entry that did not trade is placed again": (
        position(PROFIT, ["", "BUY", "0", {"of": "1"}]),
        {"placed": [["BUY", "LIMIT", "1", ""]], "active": True},
    ),
    "an entry that did not trade, and whose time is up, is not": (
        position(OVER, ["", "BUY", "0", {"of": "1"}]),
        {"placed": [], "status": "TERMINATED"},
    ),
    "an entry gets its exit": (
        position(PROFIT, ["", "BUY", "1"]),
        {"placed": [["SELL", "LIMIT", "1", ""]], "active": True},
    ),
    "an entry that was partly exited gets an exit for the rest": (
        position(PROFIT, ["", "BUY", "1"], ["", "SELL", "0.4", {"of": "1", "price": "110"}]),
        {"placed": [["SELL", "LIMIT", "0.6", ""]], "active": True, "pnl": "4"},
    ),
    "base fees make it less": (
        position(PROFIT, ["", "BUY", "1", {"fee": "0.1", "token": "BTC"}]),
        {"placed": [["SELL", "LIMIT", "0.9", ""]]},
    ),
    "one that was exited while its bot was dead is over, with its profit": (
        position(PROFIT, ["", "BUY", "1"], ["", "SELL", "1", {"price": "110"}]),
        {"placed": [], "over": True, "end": "TAKE_PROFIT", "status": "TERMINATED", "pnl": "10"},
    ),
    "what is too small to be sold is let go of": (
        position(PROFIT, ["", "BUY", "0.009"]),
        {"placed": [], "over": True},
    ),
    "one whose time is up is closed by one order": (
        position(OVER, ["", "BUY", "1"]),
        {"placed": [["SELL", "MARKET", "1", ""]], "end": "TIME_LIMIT", "status": "TERMINATED"},
    ),
    "so is one whose stop was passed": (
        position({**PROFIT, "stop_loss": "0.05"}, ["", "BUY", "1", {"price": "110"}]),
        {"placed": [["SELL", "MARKET", "1", ""]], "end": "STOP_LOSS", "status": "TERMINATED"},
    ),
    "one that was closing goes on closing": (
        position(PROFIT, ["", "BUY", "1"], ["", "SELL", "0.5", {"of": "1"}], state={"closing": "STOP_LOSS"}),
        {"placed": [["SELL", "MARKET", "0.5", ""]], "active": False, "end": "STOP_LOSS", "status": "TERMINATED"},
    ),
    "one that was stopped to be kept is held": (
        position(PROFIT, ["", "BUY", "1"], state={"closing": "POSITION_HOLD"}),
        {"placed": [], "end": "POSITION_HOLD", "status": "TERMINATED"},
    ),
    "a trailing stop stays armed": (
        position(
            {"trailing_stop": {"activation_price": "0.05", "trailing_delta": "0.01"}, "open_order_type": LIMIT},
            ["", "BUY", "1"],
            state={"trailing": "0.03"},
        ),
        {"placed": [["SELL", "MARKET", "1", ""]], "end": "TRAILING_STOP"},
    ),
    "a short one is bought back": (
        case(
            "position",
            {**POSITION, "side": SELL, "triple_barrier_config": OVER},
            ["", "SELL", "1"],
            ["", "BUY", "0.25", {"of": "1"}],
        ),
        {"placed": [["BUY", "MARKET", "0.75", ""]], "end": "TIME_LIMIT"},
    ),
    # Grid
    "a grid offers what its levels hold and enters the others": (
        case(
            "grid",
            GRID,
            ["open:L0", "BUY", "1"],
            ["open:L1", "BUY", "0", {"of": "1"}],
            notes=LEVELS,
            steps=1,
        ),
        {
            "placed": [
                ["BUY", "LIMIT", "1", "open:L1"],
                ["BUY", "LIMIT", "1", "open:L2"],
                ["SELL", "LIMIT", "1", "close:L0"],
            ],
            "active": True,
        },
    ),
    "a level that was entered partly holds that part": (
        case(
            "grid", {**GRID, "max_open_orders": 1}, *[[f"open:L{n}", "BUY", "0.5"] for n in range(3)], notes=LEVELS
        ),
        {"placed": [["SELL", "LIMIT", "0.5", f"close:L{n}"] for n in range(3)]},
    ),
    "a level that was exited partly offers the rest": (
        case(
            "grid",
            GRID,
            *[[f"open:L{n}", "BUY", "1"] for n in range(3)],
            *[["close:L1", "SELL", part, {"of": "1", "price": "105"}] for part in ("0.25", "0.25")],
            notes=LEVELS,
        ),
        {
            "placed": [["SELL", "LIMIT", part, f"close:L{n}"] for n, part in enumerate(("1", "0.5", "1"))],
            "pnl": "2.5",
        },
    ),
    "a level that was exited is entered again": (
        case(
            "grid",
            GRID,
            *[[f"open:L{n}", "BUY", "1"] for n in range(3)],
            ["close:L2", "SELL", "1", {"price": "105"}],
            notes=LEVELS,
            steps=1,
        ),
        {
            "placed": [
                ["BUY", "LIMIT", "1", "open:L2"],
                ["SELL", "LIMIT", "1", "close:L0"],
                ["SELL", "LIMIT", "1", "close:L1"],
            ],
            "pnl": "5",
        },
    ),
    "a grid that was closing closes what its closing order left": (
        case(
            "grid",
            GRID,
            *[[f"open:L{n}", "BUY", "1"] for n in range(3)],
            ["", "SELL", "1.5", {"of": "3", "type": "MARKET"}],
            notes=LEVELS,
            state={"closing": "STOP_LOSS"},
        ),
        {"placed": [["SELL", "MARKET", "1.5", ""]], "active": True, "end": "STOP_LOSS", "status": "TERMINATED"},
    ),
    "a grid beyond its end is closed by one order": (
        case("grid", GRID, *[[f"open:L{n}", "BUY", "1"] for n in range(3)], notes=LEVELS, price="103"),
        {"placed": [["SELL", "MARKET", "3", ""]], "end": "TAKE_PROFIT", "status": "TERMINATED"},
    ),
    # DCA
    "a DCA places the level that comes next": (
        case("dca", DCA, ["0", "BUY", "1"], steps=1),
        {"placed": [["BUY", "LIMIT", "2", "1"]], "active": True},
    ),
    "a DCA places what a level lacks": (
        case("dca", DCA, ["0", "BUY", "1"], ["1", "BUY", "0.5", {"of": "2"}], ["2", "BUY", "3"]),
        {"placed": [["BUY", "LIMIT", "1.5", "1"]]},
    ),
    "a DCA whose levels are all filled places none": (
        case("dca", DCA, ["0", "BUY", "1"], ["1", "BUY", "2"], ["2", "BUY", "3"]),
        {"placed": [], "active": True},
    ),
    "a DCA whose time is up is closed by one order": (
        case("dca", {**DCA, "time_limit": 50}, ["0", "BUY", "1"], ["1", "BUY", "2"]),
        {"placed": [["SELL", "MARKET", "3", ""]], "end": "TIME_LIMIT", "status": "TERMINATED"},
    ),
    "a DCA that was closing closes the rest": (
        case("dca", DCA, ["0", "BUY", "1"], ["", "SELL", "0.5", {"of": "1"}], state={"closing": "TRAILING_STOP"}),
        {"placed": [["SELL", "MARKET", "0.5", ""]], "end": "TRAILING_STOP", "status": "TERMINATED"},
    ),
    "a DCA that was closed is over": (
        case("dca", DCA, ["0", "BUY", "1"], ["", "SELL", "1"], state={"closing": "TAKE_PROFIT"}),
        {"placed": [], "over": True, "end": "TAKE_PROFIT"},
    ),
    # TWAP
    "a TWAP keeps to its plan": (
        case("twap", TWAP, ["980.0", "BUY", "1"], notes={"start": 980.0}, steps=1),
        {"placed": [["BUY", "MARKET", "1", "990.0"]], "active": True},
    ),
    "a TWAP places overdue slices one by one, never more than its total": (
        case("twap", TWAP, ["900.0", "BUY", "1"], notes={"start": 900.0}, steps=6),
        {
            "placed": [["BUY", "MARKET", "1", f"{moment}.0"] for moment in (910, 920, 930, 940)],
            "end": "POSITION_HOLD",
            "status": "TERMINATED",
        },
    ),
    # Order
    "an order executor places what is left": (
        case("order", ORDER, ["", "BUY", "0.25", {"of": "1"}]),
        {"placed": [["BUY", "LIMIT", "0.75", ""]], "active": True},
    ),
    "an order that was filled is held": (
        case("order", ORDER, ["", "BUY", "1"]),
        {"placed": [], "end": "POSITION_HOLD", "status": "TERMINATED"},
    ),
    # XEMM
    "what a maker order traded is hedged": (
        case("xemm", XEMM, ["", "BUY", "1"]),
        {"placed": [["SELL", "MARKET", "1", ""]], "end": "COMPLETED", "status": "TERMINATED"},
    ),
    "what several maker orders traded is hedged but for what was": (
        case("xemm", XEMM, ["", "BUY", "0.25", {"of": "1"}], ["", "BUY", "0.5"], ["", "SELL", "0.25", THERE]),
        {"placed": [["SELL", "MARKET", "0.5", ""]]},
    ),
    "what was hedged is over": (
        case("xemm", XEMM, ["", "BUY", "1"], ["", "SELL", "1", {**THERE, "price": "103"}]),
        {"placed": [], "over": True, "end": "COMPLETED", "pnl": "3"},
    ),
    # Arbitrage
    "both legs are over": (
        case("arbitrage", ARBITRAGE, ["buy", "BUY", "1"], ["sell", "SELL", "1", {**THERE, "price": "103"}]),
        {"placed": [], "over": True, "end": "COMPLETED", "pnl": "3"},
    ),
    "one leg is taken back": (
        case("arbitrage", ARBITRAGE, ["buy", "BUY", "1"], ["sell", "SELL", "0.25", {**THERE, "of": "1"}]),
        {"placed": [["SELL", "MARKET", "0.75", "back"]], "end": "FAILED", "status": "TERMINATED"},
    ),
    "the other leg is bought back": (
        case("arbitrage", ARBITRAGE, ["sell", "SELL", "1", THERE]),
        {"placed": [["BUY", "MARKET", "1", "back"]], "end": "FAILED", "status": "TERMINATED"},
    ),
    "one that was being taken back is not taken back twice": (
        case("arbitrage", ARBITRAGE, ["buy", "BUY", "1"], ["back", "SELL", "1"]),
        {"placed": [], "over": True},
    ),
    # LP
    "a position in a pool is gone on with": (
        case("lp", LP, state={"step": "HELD", "position_address": "P"}),
        {"pool": [], "active": True, "status": "RUNNING"},
    ),
    "one that was never asked for is opened": (
        case("lp", LP, steps=1),
        {"pool": [["OPEN", "pool"]]},
    ),
    "one that was being opened and landed is closed": (
        case("lp", LP, state={"step": "OPENING"}, positions=["P"], steps=2),
        {"pool": [["CLOSE", "P"]], "end": "EARLY_STOP"},
    ),
    "one that was being opened is not opened again while it may land": (
        case("lp", LP, state={"step": "OPENING"}),
        {"pool": [], "active": True},
    ),
    "one that can't be told from others is left alone": (
        case("lp", LP, state={"step": "OPENING"}, positions=["P", "Q"]),
        {"pool": [], "end": "FAILED", "status": "TERMINATED"},
    ),
    "one that was being closed is closed": (
        case("lp", LP, state={"step": "CLOSING", "position_address": "P", "closing": "POSITION_HOLD"}, steps=1),
        {"pool": [["CLOSE", "P"]], "end": "POSITION_HOLD"},
    ),
}
"""Cases, and what has to come of them."""
