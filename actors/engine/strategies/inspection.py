"""Looks into a controller or a script: imports it in a process of its own and tells what its configuration takes.

A configuration is tried on the class that hummingbot will choose, and answered with everything that a start would
need of the world: the markets, the candles, the size of the orders. The process may crash or hang, and is kept from whatever is none of its business.
"""

import importlib
import inspect
import json
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from aviary.actors.engine.strategies.confinement import confine

EXIT_ANSWERED = 0

EMPTY: tuple[Any, ...] = (None, "", [], {})

LEFTOVERS: dict[str, tuple[Any, ...] | None] = {"candles_config": EMPTY, "markets": EMPTY, "config_name": None}
"""Fields that older clients still send to classes that have them no more, and the values that mean nothing;
`None`: any value."""


SURE = (
    SyntaxError,
    ImportError,
    NameError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AssertionError,
)
"""Errors of code that come again in a bot. Others may be due to this place, which has no broker, for one."""


def main(spec: dict[str, Any]) -> int:
    """Answer into the file `answer`: fields, or what became of a configuration.

    `module` is a dotted name under `controllers` or `scripts`; the configuration is in the file `values`, if one is
    named, and the one that it would replace in the file `before`.
    """
    folder = Path.cwd()
    confine(folder, [link.resolve() for link in folder.iterdir() if link.is_symlink()])
    answer: dict[str, Any]
    try:
        module = importlib.import_module(spec["module"])
        if spec.get("values") is None:
            model = _own_model(module)
            answer = {"missing": True} if model is None else {"fields": _fields(model)}
        else:
            model = _model(module)
            answer = {"missing": True} if model is None else _examined(module, model, spec)
    except ModuleNotFoundError as error:
        answer = (
            {"missing": True} if error.name == spec["module"] else {"broken": f"{type(error).__name__}: {error}"}
        )
    except Exception as error:  # noqa: BLE001 - anything may be wrong in somebody's code; it is told
        words = f"{type(error).__name__}: {error}"
        sure = spec.get("values") is None or isinstance(error, SURE)
        answer = {"broken": words} if sure else _unclear(spec, words)
    Path(spec["answer"]).write_text(json.dumps(answer, default=str), encoding="utf-8")
    return EXIT_ANSWERED


# Which class


def _members(module: Any) -> Iterable[Any]:
    return (member for _, member in inspect.getmembers(module, inspect.isclass))


def _own_model(module: Any) -> Any:
    from hummingbot.client.config.config_data_types import BaseClientModel

    own = (member for member in _members(module) if member.__module__ == module.__name__)
    return next((member for member in own if issubclass(member, BaseClientModel)), None)


def _model(module: Any) -> Any:
    """The class that hummingbot makes the configuration of, imported ones included, as it chooses it."""
    from hummingbot.client.config.config_data_types import BaseClientModel
    from hummingbot.strategy.strategy_v2_base import StrategyV2ConfigBase
    from hummingbot.strategy_v2.controllers.controller_base import ControllerConfigBase
    from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
        DirectionalTradingControllerConfigBase,
    )
    from hummingbot.strategy_v2.controllers.market_making_controller_base import MarketMakingControllerConfigBase

    bases: tuple[Any, ...]
    if module.__name__.startswith("controllers."):
        bases = (
            ControllerConfigBase,
            MarketMakingControllerConfigBase,
            DirectionalTradingControllerConfigBase,
        )
        kind = ControllerConfigBase
    else:
        bases, kind = (BaseClientModel, StrategyV2ConfigBase), BaseClientModel
    return next((one for one in _members(module) if issubclass(one, kind) and one not in bases), None)


# A configuration


def _examined(module: Any, model: Any, spec: dict[str, Any]) -> dict[str, Any]:
    values = _read(spec["values"])
    values, dropped = _without_leftovers(model, values)
    config, problem = _made(model, values)
    if problem is not None:
        return problem
    try:
        markets = _markets(module, config)
    except SURE as error:
        return {"invalid": f"its markets can't be told: {type(error).__name__}: {error}", "wrong": []}
    candles, unclear = _candles(config)
    if isinstance(unclear, ValueError):
        return {"invalid": str(unclear), "wrong": []}
    return {
        "values": values,
        "dropped": dropped,
        "updatable": [name for name, field in model.model_fields.items() if _is_updatable(field)],
        "fields": list(model.model_fields),
        "changed": _changed(model, config, spec.get("before")),
        "markets": {connector: sorted(pairs) for connector, pairs in markets.items()},
        "candles": candles,
        "numbers": _numbers(config),
        "orders": _orders(config),
        "unclear": None if unclear is None else f"{type(unclear).__name__}: {unclear}",
    }


def _unclear(spec: dict[str, Any], words: str) -> dict[str, Any]:
    """What is known of a configuration whose class could not be had here."""
    values = _read(spec["values"])
    before = {} if spec.get("before") is None else _read(spec["before"])
    return {
        "values": values,
        "dropped": [],
        "updatable": [],
        "fields": list(values),
        "changed": [name for name in values if values[name] != before.get(name)],
        "markets": {},
        "candles": [],
        "numbers": {},
        "orders": {},
        "unclear": words,
    }


def _read(path: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return values


def _without_leftovers(model: Any, values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A configuration without what means nothing, and the names of that."""
    dropped = [
        name
        for name, value in values.items()
        if name not in model.model_fields and (value is None or _is_left_over(name, value))
    ]
    return {name: value for name, value in values.items() if name not in dropped}, dropped


def _is_left_over(name: str, value: Any) -> bool:
    if name not in LEFTOVERS:
        return False
    harmless = LEFTOVERS[name]
    return harmless is None or value in harmless


def _made(model: Any, values: dict[str, Any]) -> tuple[Any, dict[str, Any] | None]:
    """The configuration, or why the class does not take it: its own words, and the first field that is wrong."""
    from pydantic import ValidationError

    error = _trouble(model, values)
    if error is None:
        return model(**values), None
    if isinstance(error, ValidationError):
        wrong = dict.fromkeys(str(one["loc"][0]) for one in error.errors() if one["loc"])
        return None, {"invalid": str(error), "wrong": list(wrong)}
    # Validators of controllers raise what comes to their authors' minds, often far from the field that is wrong.
    words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    guilty = [
        name
        for name in values
        if repr(_trouble(model, {key: value for key, value in values.items() if key != name})) != repr(error)
    ]
    told = "; ".join(f"{name}: {values[name]!r:.100} can't be used: {words}" for name in guilty) or words
    return None, {"invalid": told, "wrong": guilty}


def _trouble(model: Any, values: dict[str, Any]) -> Exception | None:
    try:
        model(**values)
    except Exception as error:  # noqa: BLE001 - whatever a validator raises
        return error
    return None


def _changed(model: Any, config: Any, before: str | None) -> list[str]:
    """The fields whose value, as the class understands it, is another than before."""
    if before is None:
        return []
    old, _ = _without_leftovers(model, _read(before))
    was, problem = _made(model, old)
    names = list(model.model_fields)
    if problem is not None:
        return [name for name in names if old.get(name) != getattr(config, name)]
    return [name for name in names if getattr(was, name) != getattr(config, name)]


def _is_updatable(field: Any) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("is_updatable"))


def _markets(module: Any, config: Any) -> dict[str, set[str]]:
    from hummingbot.core.data_type.common import MarketDict
    from hummingbot.strategy.strategy_v2_base import StrategyV2Base

    if module.__name__.startswith("controllers."):
        markets = config.update_markets(MarketDict({}))
    else:
        strategies = [
            one for one in _members(module) if issubclass(one, StrategyV2Base) and one is not StrategyV2Base
        ]
        if not strategies:
            raise ValueError(f"{module.__name__} has no strategy")
        strategy = strategies[0]
        # Its controllers are looked into one by one.
        strategy.init_markets(config.model_copy(update={"controllers_config": []}))
        markets = strategy.markets
    return {str(connector): {str(pair) for pair in pairs} for connector, pairs in dict(markets).items()}


class _NotThere(RuntimeError):
    """A controller asked its market data for something while it was made."""


class _Recorder:
    """Stands where the market data would be while a controller is made; only candles are noted."""

    def __init__(self) -> None:
        self.candles: list[Any] = []

    def initialize_candles_feed(self, config: Any) -> None:
        """Called by controllers."""
        self.candles.append(config)

    def initialize_candles_feed_list(self, configs: list[Any]) -> None:
        """Called by controllers."""
        self.candles.extend(configs)

    def initialize_rate_sources(self, pairs: list[Any]) -> None:
        """Called by controllers; rates need no check of their own: their markets have one."""

    def __getattr__(self, name: str) -> Any:
        raise _NotThere(f"it asks for {name} when it is made")


def _candles(config: Any) -> tuple[list[dict[str, Any]], Exception | None]:
    """The candles that a controller needs, and what kept it from being made here.

    Only a validation error is sure to come again in the bot: anything else may be due to this place.
    """
    import asyncio

    from aviary.actors.engine.processes.stub_application import install_stub_application

    if not hasattr(config, "get_controller_class"):
        return [], None
    install_stub_application()
    recorder = _Recorder()

    async def make() -> list[Any]:
        controller = config.get_controller_class()(config, recorder, asyncio.Queue())
        return [*recorder.candles, *controller.get_candles_config()]

    try:
        found = asyncio.run(make())
    except Exception as error:  # noqa: BLE001 - somebody's code
        return [], error
    rows = [
        {"connector": one.connector, "trading_pair": one.trading_pair, "interval": one.interval} for one in found
    ]
    return [row for index, row in enumerate(rows) if row not in rows[:index]], None


def _numbers(config: Any) -> dict[str, str]:
    """The numbers that an exchange has rules for, by field; what the class itself proposes is its own affair."""
    found = {}
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if value == field.default:
            continue
        wanted = name == "leverage" or name.endswith("amount_quote")
        if wanted and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            found[name] = str(value)
    return found


def _orders(config: Any) -> dict[str, str]:
    """The smallest order that it will send, in quote units, by the field that decides it; where the class says."""
    from hummingbot.core.data_type.common import TradeType
    from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
        DirectionalTradingControllerConfigBase,
    )
    from hummingbot.strategy_v2.controllers.market_making_controller_base import MarketMakingControllerConfigBase

    total = getattr(config, "total_amount_quote", None)
    if not isinstance(total, Decimal) or total == 0:
        # A class that proposes 0 sizes its orders by something else.
        return {}
    if isinstance(config, MarketMakingControllerConfigBase):
        try:
            sides = [config.get_spreads_and_amounts_in_quote(side)[1] for side in (TradeType.BUY, TradeType.SELL)]
            smallest = min((amount for amounts in sides for amount in amounts), default=None)
        except (ArithmeticError, TypeError, ValueError):
            # Shares that are not given are the controller's own affair.
            smallest = None
        return {"total_amount_quote": str(total if smallest is None else smallest)}
    if isinstance(config, DirectionalTradingControllerConfigBase) and config.max_executors_per_side > 0:
        return {"total_amount_quote": str(total / config.max_executors_per_side)}
    return {"total_amount_quote": str(total)}


# A template


def _fields(model: Any) -> dict[str, Any]:
    return {name: _describe(field) for name, field in model.model_fields.items()}


def _describe(field: Any) -> dict[str, Any]:
    return {
        "default": "PydanticUndefined"
        if field.is_required()
        else _plain(field.get_default(call_default_factory=True)),
        "type": str(field.annotation),
        "required": field.is_required(),
    }


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.name
        case Decimal():
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple() | set():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case _:
            return str(value)
