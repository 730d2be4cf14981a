"""What released clients send, and what they read of the answers: status, keys and types.

The facts were noted from the reference server. Where this server answers better on purpose, the row is among
`BETTER`, with what the reference server says instead.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import aiohttp
import pytest
from raw_http import WELCOME, Caller, basic
from sample_strategies import CONTROLLER as QUOTES
from sample_strategies import controller_source, script_source
from shapes import ANYTHING, NUMBER, Each, Maybe, mismatches
from whole_server import Server

KEY = "sandbox-contract"

SPOT = {"account_name": "desk", "connector_name": "sandbox", "trading_pair": "BTC-USDT"}
PERPETUAL = {**SPOT, "connector_name": "sandbox_perpetual"}
PAIR = {"connector_name": "sandbox", "trading_pair": "BTC-USDT"}
SWAP = {**PAIR, "connector_name": "sandbox_perpetual"}
DESK = {"account_names": ["desk"]}

BUY = {**SPOT, "trade_type": "BUY", "amount": 0.01}
FAR = {**BUY, "order_type": "LIMIT", "price": 40000}
"""A limit order that rests: the market does not fall that far."""

CONTROLLER = {"id": "pmm_sim", **QUOTES}
TINY_CONTROLLER, TINY_SCRIPT = controller_source("tiny"), script_source("tiny")

QUOTING = {**CONTROLLER, "executor_refresh_time": int}

REFUSED = {"detail": str}
INVALID = {"detail": [{"type": str, "loc": [str], "msg": str, "input": ANYTHING}]}
DONE = {"message": str}
SUCCESS = {"status": "success", "message": str}

RULE = {
    **dict.fromkeys(
        (
            "min_order_size",
            "max_order_size",
            "min_price_increment",
            "min_base_amount_increment",
            "min_quote_amount_increment",
            "min_notional_size",
            "min_order_value",
            "max_price_significant_digits",
        ),
        NUMBER,
    ),
    "supports_limit_orders": True,
    "supports_market_orders": True,
    "buy_order_collateral_token": "USDT",
    "sell_order_collateral_token": "USDT",
}
CANDLE = dict.fromkeys(
    (
        "timestamp",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "quote_asset_volume",
        "n_trades",
        "taker_buy_base_volume",
        "taker_buy_quote_volume",
    ),
    NUMBER,
)
LEVEL = {"price": NUMBER, "amount": NUMBER}
BOOK = {"trading_pair": "BTC-USDT", "bids": [LEVEL], "asks": [LEVEL], "timestamp": NUMBER}
PAGINATION = {"limit": int, "has_more": bool, "next_cursor": str | None, "total_count": int}
PLACED = {
    **dict.fromkeys(("order_id", "account_name", "connector_name", "trading_pair"), str),
    **dict.fromkeys(("trade_type", "amount", "order_type"), str),
    "price": str | None,
    "status": "submitted",
}
ORDER = {
    **dict.fromkeys(("order_id", "account_name", "connector_name", "trading_pair"), str),
    **dict.fromkeys(("trade_type", "order_type", "status", "created_at", "updated_at"), str),
    "amount": NUMBER,
    "price": NUMBER | None,
    "filled_amount": NUMBER,
    "average_fill_price": NUMBER | None,
    "fee_paid": NUMBER | None,
    "fee_currency": str | None,
    "exchange_order_id": str | None,
    "error_message": str | None,
}
FILLED = {**ORDER, "status": "FILLED", "average_fill_price": NUMBER, "fee_paid": NUMBER, "fee_currency": str}
TRADE = {
    **dict.fromkeys(("trade_id", "order_id", "account_name", "connector_name", "trading_pair"), str),
    **dict.fromkeys(("trade_type", "fee_currency", "timestamp"), str),
    **dict.fromkeys(("amount", "price", "fee_paid"), NUMBER),
}
POSITION = {
    **dict.fromkeys(("account_name", "connector_name", "trading_pair", "side"), str),
    **dict.fromkeys(("amount", "entry_price", "unrealized_pnl", "leverage"), NUMBER),
}
HOLDING = {"token": str, "stale": bool, **dict.fromkeys(("units", "price", "value", "available_units"), NUMBER)}
PAST_PAGE = {
    "limit": int,
    "has_more": bool,
    "next_cursor": str | None,
    "current_cursor": None,
    "filters": {"account_names": Maybe([str]), "connector_names": None, "start_time": None, "end_time": None},
}
RATE_CONFIG = {
    "rate_oracle_source": {"name": "sandbox"},
    "global_token": {"global_token_name": "USDT", "global_token_symbol": "$"},
}
RATED = {"source": "sandbox", "quote_token": "USDT"}
RATE = {**RATED, "trading_pair": str}
TICKER = dict.fromkeys(("price", "base_volume", "volume", "timestamp"), NUMBER)
RESOURCES = {
    "cpu": {
        **dict.fromkeys(("percent", "load_avg_1m", "load_avg_5m", "load_avg_15m"), NUMBER),
        "count_logical": int,
        "count_physical": int | None,
    },
    "memory": {**dict.fromkeys(("total", "available", "used"), int), "percent": NUMBER},
    "disk": {"mountpoint": str, **dict.fromkeys(("total", "used", "free"), int), "percent": NUMBER},
}
ITEM = {"name": str, "size_bytes": int, "size_human": str}
STORED = {"total_size_bytes": int, "total_size_human": str}
SHARE = {"value": NUMBER, "units": NUMBER}
DISTRIBUTION = {
    "total_portfolio_value": NUMBER,
    "token_count": int,
    "distribution": [
        {
            "token": str,
            **dict.fromkeys(("total_value", "total_units", "percentage"), NUMBER),
            "accounts": Each({**SHARE, "percentage": NUMBER, "connectors": Each(SHARE)}),
        }
    ],
    "account_filter": str,
}
PERFORMANCE = {
    **dict.fromkeys(
        (
            "realized_pnl_quote",
            "unrealized_pnl_quote",
            "unrealized_pnl_pct",
            "realized_pnl_pct",
            "global_pnl_quote",
            "global_pnl_pct",
            "volume_traded",
        ),
        NUMBER,
    ),
    "positions_summary": list,
    "close_type_counts": dict,
}
LOG = {"level_name": str, "msg": str, "timestamp": NUMBER, "level_no": int, "logger_name": str}
BOT = {
    "status": "running",
    "performance": {"pmm_sim": {"status": "running", "performance": PERFORMANCE, "custom_info": dict}},
    "error_logs": Maybe([LOG]),
    "general_logs": Maybe([LOG]),
    "recently_active": bool,
}
RUN = {
    "id": int,
    **dict.fromkeys(("bot_name", "instance_name", "deployed_at", "strategy_type", "strategy_name"), str),
    **dict.fromkeys(("config_name", "account_name", "image_version"), str),
    **dict.fromkeys(("deployment_status", "run_status", "deployment_config"), str),
    "stopped_at": str | None,
    "final_status": str | None,
    "error_message": str | None,
}
QUESTION = {
    "trading_pair": "BTC-USDT",
    "is_buy": bool,
    **dict.fromkeys(("query_volume", "query_price", "result_price", "result_volume"), NUMBER | None),
    **dict.fromkeys(("result_quote_volume", "average_price"), NUMBER | None),
    "timestamp": NUMBER,
}
TEMPLATE = Each({"default": ANYTHING, "type": str, "required": bool})
FUNDING = dict.fromkeys(("funding_rate", "next_funding_time", "mark_price", "index_price"), NUMBER)


def paged(row: object) -> dict[str, object]:
    return {"data": [row], "pagination": PAGINATION}


def ok(data: object) -> dict[str, object]:
    return {"status": "success", "data": data}


type Sample = tuple[str, str, Any, int, Any]
"""Method, target, body, status, and the shape of the answer."""

READS: tuple[Sample, ...] = (
    ("GET", "/", None, 200, {"name": str, "version": str, "status": "running"}),
    # Accounts and connectors
    ("GET", "/accounts/", None, 200, [str]),
    ("GET", "/accounts/desk/credentials", None, 200, [str]),
    ("GET", "/accounts/spare/credentials", None, 200, []),
    ("POST", "/accounts/add-account?account_name=desk", None, 400, REFUSED),
    ("POST", "/accounts/add-account?account_name=..%2Fx", None, 400, REFUSED),
    ("POST", "/accounts/delete-account?account_name=nosuch", None, 404, REFUSED),
    ("POST", "/accounts/delete-account?account_name=master_account", None, 400, REFUSED),
    (
        "POST",
        "/accounts/add-credential/spare/sandbox",
        {"sandbox_api_key": "bad", "sandbox_api_secret": "secret"},
        400,
        REFUSED,
    ),
    ("GET", "/connectors/", None, 200, [str]),
    (
        "GET",
        "/connectors/sandbox/config-map",
        None,
        200,
        {key: {"type": "SecretStr", "required": True} for key in ("sandbox_api_key", "sandbox_api_secret")},
    ),
    (
        "GET",
        "/connectors/sandbox/order-types",
        None,
        200,
        {"connector": "sandbox", "supported_order_types": [str]},
    ),
    ("GET", "/connectors/nosuch/order-types", None, 404, REFUSED),
    ("GET", "/connectors/sandbox/trading-rules", None, 200, {"BTC-USDT": RULE, "ETH-USDT": RULE}),
    ("GET", "/connectors/sandbox/trading-rules?trading_pairs=BTC-USDT", None, 200, {"BTC-USDT": RULE}),
    ("GET", "/connectors/sandbox_perpetual/trading-rules?trading_pairs=BTC-USDT", None, 200, Each(RULE)),
    ("GET", "/connectors/nosuch/trading-rules", None, 404, REFUSED),
    # Market data
    (
        "POST",
        "/market-data/prices",
        {"connector_name": "sandbox", "trading_pairs": ["BTC-USDT", "ETH-USDT"]},
        200,
        {"connector": "sandbox", "prices": {"BTC-USDT": NUMBER, "ETH-USDT": NUMBER}, "timestamp": NUMBER},
    ),
    ("POST", "/market-data/candles", {**PAIR, "interval": "1m", "max_records": 50}, 200, [CANDLE]),
    ("POST", "/market-data/candles", {**SWAP, "interval": "1m", "max_records": 50}, 200, [CANDLE]),
    ("POST", "/market-data/candles", {**PAIR, "connector_name": "nosuch"}, 400, REFUSED),
    ("POST", "/market-data/candles", {**PAIR, "trading_pair": "NO-SUCH"}, 400, REFUSED),
    (
        "POST",
        "/market-data/historical-candles",
        {**PAIR, "interval": "1h", "start_time": 1795010400, "end_time": 1795269600},
        200,
        [CANDLE],
    ),
    ("POST", "/market-data/funding-info", SWAP, 200, {"trading_pair": "BTC-USDT", **FUNDING}),
    ("POST", "/market-data/funding-info", PAIR, 400, REFUSED),
    ("POST", "/market-data/order-book", {**PAIR, "depth": 2}, 200, BOOK),
    ("POST", "/market-data/order-book", {**SWAP, "depth": 2}, 200, BOOK),
    (
        "POST",
        "/market-data/order-book/price-for-volume",
        {**PAIR, "is_buy": True, "volume": 1.0},
        200,
        {**QUESTION, "query_volume": 1.0, "result_price": NUMBER, "result_volume": 1.0},
    ),
    (
        "POST",
        "/market-data/order-book/price-for-volume",
        {**PAIR, "is_buy": True, "volume": 1e6},
        200,
        {**QUESTION, "query_volume": 1e6, "result_price": None, "average_price": None},
    ),
    (
        "POST",
        "/market-data/order-book/volume-for-price",
        {**PAIR, "is_buy": True, "price": 1e6},
        200,
        {**QUESTION, "query_price": 1e6, "result_volume": NUMBER},
    ),
    (
        "POST",
        "/market-data/order-book/vwap-for-volume",
        {**PAIR, "is_buy": False, "volume": 1.0},
        200,
        {**QUESTION, "query_volume": 1.0, "average_price": NUMBER},
    ),
    (
        "GET",
        "/market-data/order-book/diagnostics/sandbox?account_name=desk",
        None,
        200,
        {"connector_name": "sandbox", "has_order_book_tracker": bool, "tracker_ready": bool, "tasks": dict},
    ),
    ("GET", "/market-data/settings", None, 200, {"cleanup_interval": NUMBER, "feed_timeout": NUMBER}),
    ("GET", "/market-data/available-candle-connectors", None, 200, [str]),
    # Trading
    ("POST", "/trading/orders/active", DESK, 200, paged(ORDER)),
    ("POST", "/trading/orders/search", {**DESK, "limit": 10}, 200, paged(ORDER)),
    (
        "POST",
        "/trading/orders/search",
        {**DESK, "connector_names": ["sandbox"], "trading_pairs": ["BTC-USDT"], "status": "FILLED"},
        200,
        paged(FILLED),
    ),
    (
        "POST",
        "/trading/orders/search",
        {**DESK, "status": "CANCELLED"},
        200,
        paged({**ORDER, "status": "CANCELLED"}),
    ),
    (
        "POST",
        "/trading/orders/search",
        {**DESK, "status": "FAILED"},
        200,
        paged({**ORDER, "status": "FAILED", "error_message": str}),
    ),
    ("POST", "/trading/trades", {**DESK, "limit": 10}, 200, paged(TRADE)),
    ("POST", "/trading/positions", DESK, 200, paged(POSITION)),
    ("POST", "/trading/funding-payments", DESK, 200, {"data": list, "pagination": PAGINATION}),
    ("POST", "/trading/orders", {**BUY, "trade_type": "HOLD"}, 422, INVALID),
    ("POST", "/trading/orders", {**BUY, "order_type": "LIMIT"}, 400, REFUSED),
    ("POST", "/trading/orders", {**FAR, "amount": 2e-5}, 400, REFUSED),
    ("POST", "/trading/orders", {**BUY, "order_type": "MARKET", "account_name": "nosuch"}, 404, REFUSED),
    ("POST", "/trading/orders", {**BUY, "order_type": "MARKET", "trading_pair": "NO-SUCH"}, 400, REFUSED),
    ("POST", "/trading/desk/sandbox/orders/nosuch/cancel", None, 404, REFUSED),
    (
        "POST",
        "/trading/desk/sandbox_perpetual/leverage",
        {"trading_pair": "BTC-USDT", "leverage": 500},
        422,
        INVALID,
    ),
    ("POST", "/trading/desk/sandbox/leverage", {"trading_pair": "BTC-USDT", "leverage": 10}, 400, REFUSED),
    ("POST", "/trading/desk/sandbox/position-mode", {"position_mode": "HEDGE"}, 400, REFUSED),
    ("POST", "/trading/desk/sandbox_perpetual/position-mode", {"position_mode": "DIAGONAL"}, 400, REFUSED),
    (
        "GET",
        "/trading/desk/sandbox_perpetual/position-mode",
        None,
        200,
        {"position_mode": "ONEWAY", "connector": "sandbox_perpetual", "account": "desk"},
    ),
    # Rates
    ("GET", "/rate-oracle/sources", None, 200, [str]),
    ("GET", "/rate-oracle/config", None, 200, {**RATE_CONFIG, "available_sources": [str]}),
    ("PUT", "/rate-oracle/config", RATE_CONFIG, 200, {"success": True, "message": str, "config": RATE_CONFIG}),
    ("PUT", "/rate-oracle/config", {"rate_oracle_source": {"name": "nosuch"}}, 400, REFUSED),
    ("GET", "/rate-oracle/rate/BTC-USDT", None, 200, {**RATE, "rate": NUMBER, "path": {"kind": "direct"}}),
    ("GET", "/rate-oracle/rate-async/USDT-ETH", None, 200, {**RATE, "rate": NUMBER, "path": {"kind": "inverse"}}),
    ("GET", "/rate-oracle/rate/NO-SUCH", None, 200, {**RATE, "rate": None}),
    (
        "POST",
        "/rate-oracle/rates",
        {"trading_pairs": ["BTC-USDT", "SOL-ETH", "NO-SUCH"]},
        200,
        {**RATED, "rates": {"BTC-USDT": NUMBER, "SOL-ETH": NUMBER, "NO-SUCH": None}},
    ),
    ("GET", "/rate-oracle/prices", None, 200, {**RATED, "prices_count": int, "prices": {"ETH-BTC": NUMBER}}),
    (
        "GET",
        "/market-data/tickers?refresh=false&connectors=sandbox,nosuch",
        None,
        200,
        {"tickers": {"sandbox": Each(TICKER)}, "updated_at": NUMBER, "errors": {"nosuch": str}},
    ),
    (
        "POST",
        "/market-data/rates",
        {"trading_pairs": ["BTC-USDT"], "connector": "sandbox"},
        200,
        {"quote_token": "USDT", "connector": "sandbox", "rates": {"BTC-USDT": NUMBER}},
    ),
    # The machine
    ("GET", "/system/resources", None, 200, RESOURCES),
    (
        "GET",
        "/storage/",
        None,
        200,
        {**STORED, "directories": {"archived": dict, "instances": dict, "conf": {"items": [ITEM]}}},
    ),
    # Portfolio
    ("POST", "/portfolio/state", None, 200, {"desk": {"sandbox": [HOLDING], "sandbox_perpetual": [HOLDING]}}),
    (
        "POST",
        "/portfolio/state",
        {**DESK, "refresh": True, "skip_gateway": True},
        200,
        {"desk": {"sandbox": [HOLDING], "sandbox_perpetual": [HOLDING]}},
    ),
    ("POST", "/portfolio/state", {**DESK, "connector_names": ["sandbox"]}, 200, {"desk": {"sandbox": [HOLDING]}}),
    ("POST", "/portfolio/distribution", None, 200, {**DISTRIBUTION, "account_filter": "all_accounts"}),
    (
        "POST",
        "/portfolio/distribution",
        {**DESK, "connector_names": ["sandbox"]},
        200,
        {**DISTRIBUTION, "account_filter": "desk"},
    ),
    (
        "POST",
        "/portfolio/history",
        {**DESK, "limit": 2},
        200,
        {
            "data": [{"timestamp": str, "state": {"desk": Each([HOLDING])}}],
            "pagination": {**PAST_PAGE, "filters": {**PAST_PAGE["filters"], "account_names": ["desk"], "interval": "5m"}},
        },
    ),
    ("POST", "/portfolio/history", {"interval": "1h"}, 200, {"data": list, "pagination": PAST_PAGE}),
    ("POST", "/portfolio/state", {"account_names": ["nosuch"]}, 200, {}),
    (
        "GET",
        "/portfolio/accounts-distribution",
        None,
        200,
        {
            "total_portfolio_value": NUMBER,
            "account_count": int,
            "distribution": [
                {
                    "account": str,
                    "total_value": NUMBER,
                    "percentage": NUMBER,
                    "connectors": Maybe(Each({"value": NUMBER, "percentage": NUMBER})),
                }
            ],
        },
    ),
    # Controllers and scripts
    (
        "GET",
        "/controllers/",
        None,
        200,
        {"directional_trading": list, "market_making": [str], "generic": list},
    ),
    (
        "GET",
        "/controllers/market_making/pmm_simple",
        None,
        200,
        {"name": "pmm_simple", "type": "market_making", "content": str},
    ),
    ("GET", "/controllers/nosuch/x", None, 422, INVALID),
    ("GET", "/controllers/generic/nosuch", None, 404, REFUSED),
    ("GET", "/controllers/market_making/pmm_simple/config/template", None, 200, TEMPLATE),
    ("GET", "/controllers/generic/nosuch/config/template", None, 404, REFUSED),
    ("GET", "/controllers/configs/", None, 200, [{"id": str, "controller_name": str, "controller_type": str}]),
    ("GET", "/controllers/configs/pmm_sim", None, 200, {"id": "pmm_sim", "controller_name": "pmm_simple"}),
    ("GET", "/controllers/configs/nosuch", None, 404, REFUSED),
    ("DELETE", "/controllers/configs/nosuch", None, 404, REFUSED),
    ("GET", "/controllers/bots/nosuch/configs", None, 404, REFUSED),
    ("POST", "/controllers/bots/nosuch/nosuch/config", {"x": 1}, 404, REFUSED),
    ("GET", "/scripts/", None, 200, [str]),
    ("GET", "/scripts/v2_with_controllers", None, 200, {"name": "v2_with_controllers", "content": str}),
    ("GET", "/scripts/nosuch", None, 404, REFUSED),
    ("GET", "/scripts/nosuch/config/template", None, 404, REFUSED),
    ("GET", "/scripts/configs/", None, 200, [{"config_name": str, "script_file_name": str}]),
    ("GET", "/scripts/configs/sim_script", None, 200, {"controllers_config": [str], "script_file_name": str}),
    ("GET", "/scripts/configs/nosuch", None, 404, REFUSED),
    ("DELETE", "/scripts/configs/nosuch", None, 404, REFUSED),
    # Bots
    (
        "GET",
        "/bot-orchestration/mqtt",
        None,
        200,
        ok(
            {
                "mqtt_connected": True,
                "discovered_bots": [str],
                "active_bots": [str],
                "broker_host": str,
                "broker_port": int,
                "broker_username": str | None,
                "client_state": str,
            }
        ),
    ),
    ("GET", "/bot-orchestration/status", None, 200, ok(Each({**BOT, "source": str}))),
    ("GET", "/bot-orchestration/{bot}/status", None, 200, ok(BOT)),
    ("GET", "/bot-orchestration/nosuch/status", None, 200, ok({"status": "not_found", "error": str})),
    (
        "GET",
        "/bot-orchestration/{bot}/history?days=0&timeout=15",
        None,
        200,
        {
            "status": "success",
            "response": {"success": True, "data": {"header": dict, "data": {"status": int, "trades": list}}},
        },
    ),
    (
        "GET",
        "/bot-orchestration/controller-performance-latest",
        None,
        200,
        ok(
            [
                {
                    **dict.fromkeys(("timestamp", "bot_name", "controller_id", "status"), str),
                    "performance": PERFORMANCE,
                    "custom_info": dict,
                }
            ]
        ),
    ),
    ("GET", "/bot-orchestration/controller-performance-history?interval=7m", None, 422, INVALID),
    ("GET", "/bot-orchestration/controller-performance-history?start_time=yesterday", None, 422, INVALID),
    (
        "GET",
        "/bot-orchestration/controller-performance-history?bot_name={bot}&limit=5",
        None,
        200,
        {
            **ok(list),
            "pagination": {"next_cursor": str | None, "has_more": bool, "limit": 5, "interval": "5m"},
        },
    ),
    (
        "GET",
        "/bot-orchestration/bot-runs",
        None,
        200,
        {**ok([RUN]), "total": int, "limit": 100, "offset": 0},
    ),
    ("GET", "/bot-orchestration/bot-runs?bot_name={bot}", None, 200, {**ok([RUN]), "total": 1}),
    ("GET", "/bot-orchestration/bot-runs/1", None, 200, ok(RUN)),
    ("GET", "/bot-orchestration/bot-runs/999999", None, 404, REFUSED),
    (
        "GET",
        "/bot-orchestration/bot-runs/stats",
        None,
        200,
        ok(
            {
                "total_runs": int,
                "active_runs": int,
                "strategy_type_counts": Each(int),
                "status_counts": Each(int),
            }
        ),
    ),
    (
        "POST",
        "/bot-orchestration/start-bot",
        {"bot_name": "nosuch"},
        200,
        {"status": "success", "response": {"success": False, "message": str}},
    ),
    (
        "POST",
        "/bot-orchestration/stop-bot",
        {"bot_name": "nosuch"},
        200,
        {"status": "success", "response": {"success": False, "message": str}},
    ),
    (
        "POST",
        "/bot-orchestration/stop-and-archive-bot/nosuch",
        None,
        200,
        {
            "status": "error",
            "message": str,
            "details": {
                **dict.fromkeys(("input_name", "actual_bot_name", "container_name", "reason"), str),
                "active_bots": [str],
            },
        },
    ),
    ("GET", "/controllers/bots/{bot}/configs", None, 200, [{**QUOTING, "_config_name": str}]),
)

BETTER: tuple[tuple[Sample, str], ...] = (
    (
        ("POST", "/accounts/add-credential/spare/sandbox", {"sandbox_api_key": KEY}, 400, REFUSED),
        "201, and the credential never works",
    ),
    (
        ("POST", "/accounts/add-credential/spare/nosuch", {"api_key": "x"}, 404, REFUSED),
        "400 with a detail of the name alone",
    ),
    (("GET", "/connectors/nosuch/config-map", None, 404, REFUSED), "500, in plain text"),
    (
        ("GET", "/connectors/sandbox/trading-rules?trading_pairs=NO-SUCH", None, 404, REFUSED),
        "200, with the error in the place of the rule",
    ),
    (
        ("POST", "/market-data/candles", {**PAIR, "interval": "7m"}, 400, REFUSED),
        "500: no active exception to reraise",
    ),
    (
        ("POST", "/market-data/prices", {"connector_name": "sandbox", "trading_pairs": ["NO-SUCH"]}, 400, REFUSED),
        "500, with the name of the pair as the detail",
    ),
    (
        (
            "POST",
            "/market-data/order-book/price-for-quote-volume",
            {**PAIR, "is_buy": True, "quote_volume": 50000},
            200,
            {**QUESTION, "result_price": NUMBER, "result_quote_volume": NUMBER},
        ),
        "500 whatever is asked",
    ),
    (
        (
            "POST",
            "/market-data/order-book/quote-volume-for-price",
            {**PAIR, "is_buy": True, "price": 1e6},
            200,
            {**QUESTION, "result_quote_volume": NUMBER},
        ),
        "500 whatever is asked",
    ),
    (
        ("POST", "/market-data/trading-pair/add", {**PAIR, "trading_pair": "NO-SUCH", "timeout": 3}, 400, REFUSED),
        "500 after the whole time-out",
    ),
    (("POST", "/trading/orders", {**FAR, "amount": 0}, 422, INVALID), "500, in plain text"),
    (("POST", "/portfolio/history", {"interval": "7m"}, 422, INVALID), "500, in plain text"),
    (
        ("POST", "/trading/orders", {**FAR, "amount": 500}, 400, REFUSED),
        "201 for an order that the exchange refuses, which is FAILED later",
    ),
    (
        (
            "POST",
            "/bot-orchestration/deploy-v2-controllers",
            {"instance_name": "../x", "credentials_profile": "desk", "controllers_config": ["pmm_sim"]},
            422,
            INVALID,
        ),
        "500, in plain text",
    ),
    (
        ("POST", "/controllers/generic/bare", TINY_CONTROLLER, 201, DONE),
        "422 for the bare text that two of its own clients send",
    ),
    (
        ("POST", "/trading/desk/sandbox_perpetual/position-mode", {"position_mode": "ONE-WAY"}, 200, SUCCESS),
        "400 for the spelling of one of its own clients",
    ),
)


@pytest.fixture(scope="module")
def desk(server: Server) -> Iterator[Caller]:
    """A desk that has traded, with a bot that has reported, and an account with nothing in it."""
    caller = Caller(server)
    for name in ("desk", "spare"):
        assert caller.call("POST", "/accounts/add-account", query={"account_name": name}).status == 201
    for connector in ("sandbox", "sandbox_perpetual"):
        server.add_key(KEY, "desk", connector)
    for connector in ("sandbox", "sandbox_perpetual"):
        server.until(
            f"{connector} takes orders",
            lambda: server.call("GET", f"/accounts/desk/connectors/{connector}")["phase"] == "ready",  # noqa: B023
        )
    server.until(
        "what it holds is kept",
        lambda: server.call("POST", "/portfolio/history", {**DESK, "connector_names": ["sandbox_perpetual"]})["data"],
    )
    place(caller, FAR)
    gone = place(caller, FAR)
    place(caller, {**BUY, "order_type": "MARKET"})
    place(caller, {**PERPETUAL, "trade_type": "BUY", "amount": 0.02, "order_type": "MARKET"})
    caller.call("POST", "/trading/orders", {**FAR, "amount": 500})
    cancelled = caller.call("POST", f"/trading/desk/sandbox/orders/{gone['order_id']}/cancel")
    assert (cancelled.status, mismatches(cancelled.body, DONE)) == (200, [])
    for path, body in (
        ("/controllers/configs/pmm_sim", CONTROLLER),
        (
            "/scripts/configs/sim_script",
            {"script_file_name": "v2_with_controllers.py", "controllers_config": ["pmm_sim.yml"]},
        ),
    ):
        saved = caller.call("POST", path, body)
        assert (saved.status, mismatches(saved.body, DONE)) == (201, [])
    deployed = caller.call(
        "POST",
        "/bot-orchestration/deploy-v2-controllers",
        {
            "instance_name": "desk-bot",
            "credentials_profile": "desk",
            "controllers_config": ["pmm_sim"],
            "headless": True,
            "image": "hummingbot/hummingbot:latest",
        },
    )
    shape = {
        "success": True,
        "message": str,
        "script_config_generated": str,
        "controllers_deployed": [str],
        "unique_instance_name": str,
    }
    assert (deployed.status, mismatches(deployed.body, shape)) == (200, [])
    server.bot = deployed.body["unique_instance_name"]
    server.until("the bot reports", lambda: reports(server))
    yield caller
    caller.close()


def reports(server: Server) -> bool:
    status = server.call("GET", f"/bot-orchestration/{server.bot}/status")["data"]
    return not mismatches(status, BOT)


def place(caller: Caller, order: dict[str, Any]) -> dict[str, Any]:
    placed = caller.call("POST", "/trading/orders", order)
    assert (placed.status, mismatches(placed.body, PLACED)) == (201, [])
    body: dict[str, Any] = placed.body
    return body


def named(sample: Sample) -> str:
    return f"{sample[0]} {sample[1]} {sample[3]}"


def check(caller: Caller, server: Server, sample: Sample) -> None:
    method, target, body, status, shape = sample
    answer = caller.call(method, target.replace("{bot}", server.bot), body)
    assert answer.status == status, answer.text
    assert mismatches(answer.body, shape) == []


@pytest.mark.parametrize("sample", READS, ids=named)
def test_released_clients_read_what_they_expect(desk: Caller, server: Server, sample: Sample) -> None:
    check(desk, server, sample)


@pytest.mark.parametrize(
    ("sample", "instead"), BETTER, ids=lambda one: named(one) if isinstance(one, tuple) else ""
)
def test_some_answers_are_better_on_purpose(desk: Caller, server: Server, sample: Sample, instead: str) -> None:
    assert instead
    check(desk, server, sample)


@pytest.mark.parametrize(
    ("credentials", "detail"),
    [(None, "Not authenticated"), (basic("admin", "x"), "Incorrect username or password")],
)
def test_a_stranger_is_told_to_log_in(server: Server, credentials: str | None, detail: str) -> None:
    with closing(Caller(server)) as caller:
        answer = caller.send("GET", "/accounts/", credentials=credentials)

    assert (answer.status, answer.body) == (401, {"detail": detail})
    assert answer.headers["WWW-Authenticate"] == "Basic"


def test_pages_of_orders_can_be_walked(desk: Caller) -> None:
    first = desk.call("POST", "/trading/orders/search", {**DESK, "limit": 1}).body
    second = desk.call(
        "POST",
        "/trading/orders/search",
        {**DESK, "limit": 1, "cursor": first["pagination"]["next_cursor"]},
    ).body

    assert first["pagination"]["has_more"]
    assert first["data"][0]["order_id"] != second["data"][0]["order_id"]


def test_a_position_is_opened_and_closed(desk: Caller, server: Server) -> None:
    order = {**PERPETUAL, "trading_pair": "ETH-USDT", "amount": 0.1, "order_type": "MARKET"}

    def held() -> list[float]:
        positions = desk.call("POST", "/trading/positions", DESK).body["data"]
        return [one["amount"] for one in positions if one["trading_pair"] == "ETH-USDT"]

    leverage = desk.call(
        "POST", "/trading/desk/sandbox_perpetual/leverage", {"trading_pair": "ETH-USDT", "leverage": 10}
    )
    place(desk, {**order, "trade_type": "BUY", "position_action": "OPEN"})
    server.until("the position is there", held)
    place(desk, {**order, "trade_type": "SELL", "position_action": "CLOSE"})
    server.until("the position is gone", lambda: not held())

    assert mismatches(leverage.body, SUCCESS) == []


def test_books_are_added_restarted_and_removed(desk: Caller) -> None:
    pair = {"connector_name": "sandbox", "trading_pair": "SOL-USDT"}
    done = {**pair, "success": True, "message": str}

    added = desk.call("POST", "/market-data/trading-pair/add", pair).body
    feeds = desk.call("GET", "/market-data/active-feeds").body
    restarted = desk.call("POST", "/market-data/order-book/restart/sandbox?account_name=desk").body
    removed = desk.call("POST", "/market-data/trading-pair/remove", pair).body
    again = desk.call("POST", "/market-data/trading-pair/remove", pair)

    feed = {"feed_type": str, **dict.fromkeys(("last_access_time", "seconds_since_access"), NUMBER)}
    assert mismatches(added, done) == []
    assert mismatches(feeds, Each({**feed, "will_expire_in": NUMBER, "config": str})) == []
    assert mismatches(restarted, {"success": True, "message": str, "trading_pairs": [str]}) == []
    assert mismatches(removed, done) == []
    assert (again.status, mismatches(again.body, {**done, "success": False})) == (200, [])


def test_a_controller_is_written_used_and_deleted(desk: Caller) -> None:
    one = "/controllers/generic/tiny"
    config = {"id": "x", "controller_name": "tiny", "controller_type": "generic"}

    created = desk.call("POST", one, {"content": TINY_CONTROLLER})
    other = desk.call("POST", one, {"content": TINY_CONTROLLER, "type": "market_making"})
    template = desk.call("GET", f"{one}/config/template")
    valid = desk.call("POST", f"{one}/config/validate", {**config, "size": 4})
    invalid = desk.call("POST", f"{one}/config/validate", {**config, "size": "many"})
    deleted = desk.call("DELETE", one)
    again = desk.call("DELETE", one)

    assert (created.status, mismatches(created.body, DONE)) == (201, [])
    assert (other.status, mismatches(other.body, REFUSED)) == (400, [])
    assert (template.status, mismatches(template.body, TEMPLATE)) == (200, [])
    assert (valid.status, mismatches(valid.body, DONE)) == (200, [])
    assert (invalid.status, mismatches(invalid.body, REFUSED)) == (400, [])
    assert (deleted.status, mismatches(deleted.body, DONE)) == (200, [])
    assert (again.status, mismatches(again.body, REFUSED)) == (404, [])


def test_a_script_is_written_used_and_deleted(desk: Caller) -> None:
    one = "/scripts/tiny"

    created = desk.call("POST", one, {"content": TINY_SCRIPT})
    template = desk.call("GET", f"{one}/config/template")
    deleted = desk.call("DELETE", one)
    again = desk.call("DELETE", one)

    assert (created.status, mismatches(created.body, DONE)) == (201, [])
    assert (template.status, template.body["script_file_name"]) == (200, "tiny.py")
    assert (deleted.status, mismatches(deleted.body, DONE)) == (200, [])
    assert (again.status, mismatches(again.body, REFUSED)) == (404, [])


def test_a_bots_configuration_is_changed_while_it_runs(desk: Caller, server: Server) -> None:
    path = f"/controllers/bots/{server.bot}"

    changed = desk.call("POST", f"{path}/pmm_sim/config", {"executor_refresh_time": 61})
    unknown = desk.call("POST", f"{path}/nosuch/config", {"x": 1})

    assert (changed.status, mismatches(changed.body, DONE)) == (200, [])
    assert (unknown.status, mismatches(unknown.body, REFUSED)) == (404, [])


# Websockets

MARKET, EXECUTORS = "/ws/market-data", "/ws/executors"

CONNECTED = {"type": "connected", "connection_id": str, "timestamp": NUMBER}
PONG = {"type": "pong", "timestamp": NUMBER}
COMPLAINT = {"type": "error", "message": str}
PAIRED = {"connector": "sandbox", "trading_pair": "BTC-USDT", "update_interval": 0.5}


def subscribed(name: str, *, executors: bool = False) -> dict[str, object]:
    more = {"subscription_type": str, "update_interval": NUMBER} if executors else {}
    return {"type": "subscribed", "subscription_id": name, **more}


def frame(kind: str, name: str, data: object, **more: object) -> dict[str, object]:
    return {"type": kind, "subscription_id": name, "data": data, "timestamp": NUMBER, **more}


type Talk = tuple[str, tuple[dict[str, Any], ...], tuple[Any, ...]]
"""The path, what the client says, and the frames that come in answer to it."""

TALKS: tuple[Talk, ...] = (
    (
        MARKET,
        ({"action": "subscribe", "type": "candles", "interval": "1m", "max_records": 20, **PAIRED},),
        (
            subscribed("candles_sandbox_BTC-USDT_1m"),
            frame("candles", "candles_sandbox_BTC-USDT_1m", [CANDLE]),
            frame("candle_update", "candles_sandbox_BTC-USDT_1m", CANDLE),
        ),
    ),
    (
        MARKET,
        ({"action": "subscribe", "type": "order_book", "depth": 2, **PAIRED},),
        (
            subscribed("order_book_sandbox_BTC-USDT"),
            frame("order_book", "order_book_sandbox_BTC-USDT", {"bids": [[NUMBER]], "asks": [[NUMBER]]}),
        ),
    ),
    (
        MARKET,
        ({"action": "subscribe", "type": "trades", **PAIRED, "connector": "sandbox_perpetual"},),
        (
            subscribed("trades_sandbox_perpetual_BTC-USDT"),
            frame(
                "trades",
                "trades_sandbox_perpetual_BTC-USDT",
                [{"timestamp": NUMBER, "price": NUMBER, "amount": NUMBER, "side": str}],
            ),
        ),
    ),
    (MARKET, ({"action": "ping"},), (PONG,)),
    (MARKET, ({"action": "dance"},), (COMPLAINT,)),
    (MARKET, ({"action": "subscribe", "type": "weather", **PAIRED},), (COMPLAINT,)),
    (
        MARKET,
        ({"action": "subscribe", "type": "candles", **PAIRED, "trading_pair": "NO-SUCH"},),
        (COMPLAINT,),
    ),
    (MARKET, ({"action": "unsubscribe", "subscription_id": "nosuch"},), (COMPLAINT,)),
    (
        EXECUTORS,
        ({"action": "subscribe", "type": "all_bots_status", "update_interval": 0.5},),
        (
            subscribed("all_bots_status", executors=True),
            frame(
                "all_bots_status",
                "all_bots_status",
                Each({"status": str, "source": str, "performance": dict, "recently_active": bool}),
                bot_count=1,
            ),
        ),
    ),
    (
        EXECUTORS,
        ({"action": "subscribe", "type": "bot_status", "bot_name": "nosuch", "update_interval": 0.5},),
        (
            subscribed("bot_status_nosuch", executors=True),
            frame("bot_status", "bot_status_nosuch", {"bot_name": "nosuch", "status": "not_found"}),
        ),
    ),
    (EXECUTORS, ({"action": "ping"},), (PONG,)),
    (EXECUTORS, ({"action": "subscribe", "type": "weather"},), (COMPLAINT,)),
)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


NOTICES = {"gap", "stale", "fresh"}
"""Types of frames that released clients pass over."""


async def heard(socket: aiohttp.ClientWebSocketResponse, wanted: str) -> dict[str, Any]:
    """The next frame that a released client looks at.

    All candles come again, instead of an update, when a minute begins.
    """
    passed_over = {*NOTICES, "candles"} if wanted == "candle_update" else NOTICES
    while (told := await socket.receive_json(timeout=20))["type"] in passed_over:
        pass
    return dict(told)


@pytest.mark.parametrize(
    "talk", TALKS, ids=lambda talk: f"{talk[0]} {talk[1][0].get('type', talk[1][0]['action'])}"
)
async def test_a_websocket_says_what_released_clients_expect(
    desk: Caller, server: Server, session: aiohttp.ClientSession, talk: Talk
) -> None:
    assert desk
    path, said, expected = talk
    token = WELCOME.removeprefix("Basic ")

    async with session.ws_connect(f"{server.client.url}{path}?token={token}") as socket:
        hello = await socket.receive_json(timeout=20)
        for one in said:
            await socket.send_json(one)
        frames = [await heard(socket, one["type"]) for one in expected]

    assert mismatches(hello, CONNECTED) == []
    for told, shape in zip(frames, expected, strict=True):
        assert mismatches(told, shape) == []


async def test_a_subscription_ends_when_asked(
    desk: Caller, server: Server, session: aiohttp.ClientSession
) -> None:
    assert desk
    name = "order_book_sandbox_BTC-USDT"
    credentials = {"Authorization": WELCOME}

    async with session.ws_connect(f"{server.client.url}{MARKET}", headers=credentials) as socket:
        await socket.receive_json(timeout=20)
        await socket.send_json({"action": "subscribe", "type": "order_book", **PAIRED})
        await socket.send_json({"action": "unsubscribe", "subscription_id": name})
        while (told := await socket.receive_json(timeout=20))["type"] != "unsubscribed":
            assert told["type"] in {"subscribed", "order_book", *NOTICES}
        await socket.send_json({"action": "ping"})
        after = await socket.receive_json(timeout=20)

    assert told["subscription_id"] == name
    assert mismatches(after, PONG) == []


@pytest.mark.parametrize("path", [MARKET, EXECUTORS])
@pytest.mark.parametrize("query", ["", "?username=x&password=y", "?token=eDp5"])
async def test_a_websocket_turns_strangers_away(
    server: Server, session: aiohttp.ClientSession, path: str, query: str
) -> None:
    async with session.ws_connect(f"{server.client.url}{path}{query}") as socket:
        told = await socket.receive_json(timeout=20)
        farewell = await socket.receive(timeout=20)

    assert told == {"type": "error", "message": "Authentication failed"}
    assert farewell.type is aiohttp.WSMsgType.CLOSE
    assert farewell.data == 4001
