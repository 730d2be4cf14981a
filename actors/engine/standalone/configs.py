"""Configurations of executors: checked by hummingbot's own classes, with every fault under its field's name."""

import difflib
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

import orjson
from aviary.actors.engine.executors.kinds import LASTING
from hummingbot.strategy_v2.executors.data_types import ConnectorPair
from pydantic import BaseModel, ValidationError

type Place = tuple[str | int, ...]
"""Where in a configuration."""

type Problem = dict[str, Any]
"""`{"loc", "msg", "type", "input"}`."""

KIND_TEXTS = {
    "position_executor": (
        "Single position with triple barrier (stop loss, take profit, time limit)",
        "Directional trading with risk management",
    ),
    "grid_executor": ("Grid trading with multiple buy/sell levels", "Range-bound market trading"),
    "dca_executor": ("Dollar-cost averaging with multiple entry points", "Gradual position building"),
    "twap_executor": ("Time-weighted average price execution", "Large order execution with less market impact"),
    "arbitrage_executor": ("Simultaneous buy and sell on two markets", "Price differences between markets"),
    "xemm_executor": ("Maker orders on one market, hedged on another", "Cross-exchange market making"),
    "order_executor": ("One order by market, limit or chasing the book", "Single orders that are seen through"),
    "lp_executor": ("Liquidity position in a concentrated pool", "Earning fees as a liquidity provider"),
}
"""What each kind does, and what for."""

MAX_EXPONENT = 30
"""Of ten, both ways: beyond it a number is a mistake, whatever the token."""

MAX_ORDERS = 2_000
"""Orders, levels or slices that one configuration may ask for."""

TAKEN = frozenset({"performance", "positions", "search", "summary", "types"})
"""Ids under which a client would find something else."""

EXECUTOR_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\[\d+\])*")
_MESSAGE_PREFIX = "Value error, "


def check(config: Mapping[str, Any]) -> tuple[Any | None, list[Problem]]:
    """The configuration as hummingbot's own object, and all that is wrong with it; one of the two is empty."""
    kind = config.get("type")
    if "type" not in config:
        return None, [_problem(("type",), "Field required", None, "missing")]
    if not isinstance(kind, str) or kind not in LASTING:
        return None, [
            _problem(("type",), f"There is no such type of executor; known are {', '.join(LASTING)}", kind)
        ]
    config_class = LASTING[kind].config_class
    values = {name: value for name, value in config.items() if name != "controller_id"}
    problems = [*_misspelt(config_class, values), *_truths(config_class, values)]
    if problems:
        return None, problems
    try:
        checked = config_class.model_validate(_by_number(config_class, values))
    except ValidationError as error:
        return None, [_told(one, config_class) for one in error.errors(include_url=False)]
    except (ArithmeticError, TypeError) as error:
        # Comparisons of what is no number; hummingbot's own checks did not expect it.
        return None, [_problem((), f"It can't be made sense of: {error}")]
    problems = [*_absurd(checked), *_too_many(checked)]
    if not EXECUTOR_ID.match(str(checked.id)) or checked.id in TAKEN:
        text = f"At most 64 letters, digits, _ and - make an id; {', '.join(sorted(TAKEN))} are names of lists"
        problems.append(_problem(("id",), text, checked.id))
    return (None, problems) if problems else (checked, [])


def markets_of(config: Any) -> tuple[tuple[str, str], ...]:
    """Connectors and pairs that a checked configuration trades on; the one it is listed under comes first."""
    if hasattr(config, "connector_name"):
        return ((config.connector_name, config.trading_pair),)
    buying, selling = config.buying_market, config.selling_market
    maker_sells = getattr(getattr(config, "maker_side", None), "name", "") == "SELL"
    first, second = (selling, buying) if maker_sells else (buying, selling)
    return (
        (first.connector_name, first.trading_pair),
        (second.connector_name, second.trading_pair),
    )


def markets_written(config: str) -> tuple[tuple[str, str], ...]:
    """The same of a configuration as it was written down, which hummingbot may not accept any more."""
    values = orjson.loads(config)
    sides = [values[side] for side in ("buying_market", "selling_market") if side in values]
    return tuple((one["connector_name"], one["trading_pair"]) for one in sides or [values])


def place_of(config: Any, market: tuple[str, str], field: str) -> Place:
    """Where a checked configuration names a market's `connector_name` or `trading_pair`."""
    if hasattr(config, "connector_name"):
        return (field,)
    buying = config.buying_market.connector_name, config.buying_market.trading_pair
    return ("buying_market" if buying == market else "selling_market", field)


# Before hummingbot's own check


def _misspelt(config_class: type[BaseModel], values: Mapping[str, Any], where: Place = ()) -> Iterator[Problem]:
    """Names that nearly are a field's: a stop-loss that is called otherwise would never be one."""
    fields = config_class.model_fields
    for name, value in values.items():
        if name in fields:
            inner = _model_in(fields[name].annotation)
            if inner is not None and isinstance(value, Mapping):
                yield from _misspelt(inner, value, (*where, name))
        elif close := difflib.get_close_matches(str(name), set(fields) - set(values), n=1, cutoff=0.85):
            yield _problem((*where, str(name)), f"There is no such field; {close[0]} is probably meant")


def _truths(config_class: type[BaseModel], values: Mapping[str, Any], where: Place = ()) -> Iterator[Problem]:
    """Truth values where only a number makes sense: Python takes them for 0 and 1."""
    for name, value in values.items():
        field = config_class.model_fields.get(name)
        if field is None:
            continue
        inner = _model_in(field.annotation)
        if inner is not None and isinstance(value, Mapping):
            yield from _truths(inner, value, (*where, name))
        many = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if bool not in set(_parts(field.annotation)) and any(isinstance(one, bool) for one in many):
            yield _problem((*where, name), "Input should be a number", None, "number_type")


def _by_number(config_class: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Enum values by what pydantic takes: clients send names too, such as BUY for 1."""
    found = {}
    for name, value in values.items():
        field = config_class.model_fields.get(name)
        found[name] = value if field is None else _as_member(field.annotation, value)
    return found


def _as_member(annotation: Any, value: Any) -> Any:
    inner = _model_in(annotation)
    if inner is not None and isinstance(value, Mapping):
        return _by_number(inner, value)
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, Enum) and isinstance(value, str):
            name = value.strip().upper()
            if name in part.__members__:
                return part[name]
            if name.isdigit() and int(name) in {one.value for one in part}:
                return part(int(name))
    return value


def _parts(annotation: Any) -> Iterator[Any]:
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _parts(argument)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    models = (part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, BaseModel))
    return next(models, None)


# After it


def _told(error: Any, config_class: type[BaseModel]) -> Problem:
    where: Place = tuple(error["loc"])
    text = str(error["msg"]).removeprefix(_MESSAGE_PREFIX)
    if error["type"] == "value_error":
        where = _place_named(text, where, config_class)
    given = error.get("input")
    return _problem(where, text, given, error["type"])


def _place_named(text: str, where: Place, config_class: type[BaseModel]) -> Place:
    """Hummingbot's own checks belong to a whole object, and name the field at their words' beginning."""
    found = _PATH.match(text)
    if found is None:
        return where
    parts = re.split(r"[.\[\]]+", found[0].strip("]"))
    path: list[str | int] = [int(part) if part.isdigit() else part for part in parts]
    first = str(path[0])
    if first in config_class.model_fields:
        return tuple(path)
    return (*where, *path[1:]) if where and first == where[-1] else (*where, *path)


def _absurd(value: Any, where: Place = ()) -> Iterator[Problem]:
    match value:
        case Decimal():
            if not value.is_finite() or (value and abs(value.adjusted()) > MAX_EXPONENT):
                yield _problem(where, f"Input should be a number between 1e-{MAX_EXPONENT} and 1e{MAX_EXPONENT}")
        case bool():
            return
        case int() | float():
            if abs(value) > 10**18 or value != value:  # noqa: PLR0124 - NaN
                yield _problem(where, "The number is too large")
        case ConnectorPair():
            return
        case BaseModel():
            for name in type(value).model_fields:
                yield from _absurd(getattr(value, name), (*where, name))
        case list() | tuple():
            for index, one in enumerate(value):
                yield from _absurd(one, (*where, index))
        case _:
            return


def _too_many(config: Any) -> Iterator[Problem]:
    """What would keep a process busy for ever: plans of a million orders."""
    text = f"That would make more than {MAX_ORDERS} orders"
    match config.type:
        case "twap_executor" if config.total_duration // config.order_interval >= MAX_ORDERS:
            yield _problem(("order_interval",), text, config.order_interval)
        case "dca_executor" if len(config.prices) > MAX_ORDERS:
            yield _problem(("prices",), text)
        case "grid_executor":
            by_amount = config.total_amount_quote / config.min_order_amount_quote
            by_range = (
                (config.end_price - config.start_price) / config.start_price / config.min_spread_between_orders
            )
            if min(by_amount, by_range) > MAX_ORDERS:
                yield _problem(("min_spread_between_orders",), text, str(config.min_spread_between_orders))
        case _:
            return


def _problem(where: Place, text: str, given: Any = None, kind: str = "value_error") -> Problem:
    shown = given if isinstance(given, str | int | float | bool) else None
    return {"loc": list(where), "msg": text, "type": kind, "input": shown}


problem = _problem
"""One entry of a list of problems."""


# What a configuration may hold


def kinds() -> list[dict[str, str]]:
    """Every kind, in words."""
    return [
        {"type": kind, "description": KIND_TEXTS[kind][0], "use_case": KIND_TEXTS[kind][1]} for kind in LASTING
    ]


def schema_of(kind: str) -> dict[str, Any]:
    """A kind's fields: in the list that the released server gives, and as the JSON schema that clients look for."""
    config_class = LASTING[kind].config_class
    schema = config_class.model_json_schema()
    definitions = schema.get("$defs", {})
    enums = _enums(config_class)
    properties = {name: _inlined(one, definitions, enums) for name, one in schema["properties"].items()}
    required = list(schema.get("required", ()))
    return {
        "executor_type": kind,
        "config_class": config_class.__name__,
        "description": KIND_TEXTS[kind][0],
        "fields": [_field(name, one, required) for name, one in schema["properties"].items()],
        "nested_types": {name: _nested(name, one, enums) for name, one in definitions.items()},
        "properties": properties,
        "required": required,
    }


def _enums(config_class: type[BaseModel]) -> dict[str, type[Enum]]:
    found: dict[str, type[Enum]] = {}
    for field in config_class.model_fields.values():
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, Enum):
                found[part.__name__] = part
            elif isinstance(part, type) and issubclass(part, BaseModel):
                found.update(_enums(part))
    return found


def _field(name: str, schema: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    entry = {
        "name": name,
        "required": name in required,
        "type": _type_text(schema),
        "description": schema.get("description") or schema.get("title") or name.replace("_", " ").title(),
    }
    if name not in required:
        entry["default"] = schema.get("default")
    return entry


def _nested(name: str, schema: Mapping[str, Any], enums: Mapping[str, type[Enum]]) -> dict[str, Any]:
    if "enum" in schema:
        entry: dict[str, Any] = {"type": "enum", "values": schema["enum"], "description": name}
        if name in enums:
            entry["names"] = {one.name: one.value for one in enums[name]}
        return entry
    required = schema.get("required", ())
    fields = [_field(each, one, required) for each, one in schema.get("properties", {}).items()]
    return {"description": name, "fields": fields}


def _type_text(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        texts = [_type_text(one) for one in schema["anyOf"] if one.get("type") != "null"]
        texts = list(dict.fromkeys(texts))
        return texts[0] if len(texts) == 1 else f"Union[{', '.join(texts)}]"
    if schema.get("type") == "array":
        return f"List[{_type_text(schema.get('items', {}))}]"
    if "const" in schema:
        return "string"
    return str(schema.get("type", "any"))


def _inlined(schema: Any, definitions: Mapping[str, Any], enums: Mapping[str, type[Enum]]) -> Any:
    """A schema without references, and with the names that enum numbers go by."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            others = {key: one for key, one in schema.items() if key != "$ref"}
            found = {**_inlined(definitions[name], definitions, enums), **others}
            if name in enums:
                found["names"] = {one.name: one.value for one in enums[name]}
            return found
        return {key: _inlined(one, definitions, enums) for key, one in schema.items()}
    if isinstance(schema, list):
        return [_inlined(one, definitions, enums) for one in schema]
    return schema
