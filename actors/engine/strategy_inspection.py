"""Looks into a controller or a script: imports it in a process of its own and tells what its configuration takes."""

import importlib
import inspect
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

EXIT_ANSWERED = 0


def main(spec: dict[str, Any]) -> int:
    """Answer into the file `answer`: fields, or the outcome of a validation.

    `module` is a dotted name under `controllers` or `scripts`; `values`, if given, are validated.
    """
    answer: dict[str, Any]
    try:
        model = _config_class(spec["module"])
        if model is None:
            answer = {"missing": True}
        elif spec.get("values") is None:
            answer = {"fields": {name: _describe(field) for name, field in model.model_fields.items()}}
        else:
            answer = _validated(model, spec["values"])
    except ModuleNotFoundError as error:
        answer = (
            {"missing": True} if error.name == spec["module"] else {"broken": f"{type(error).__name__}: {error}"}
        )
    except Exception as error:  # noqa: BLE001 - anything may be wrong in somebody's code; it is told
        answer = {"broken": f"{type(error).__name__}: {error}"}
    Path(spec["answer"]).write_bytes(orjson.dumps(answer))
    return EXIT_ANSWERED


def _config_class(module_name: str) -> Any:
    from hummingbot.client.config.config_data_types import BaseClientModel

    module = importlib.import_module(module_name)
    return next(
        (
            member
            for _, member in inspect.getmembers(module, inspect.isclass)
            if issubclass(member, BaseClientModel) and member.__module__ == module.__name__
        ),
        None,
    )


def _validated(model: Any, values: dict[str, Any]) -> dict[str, Any]:
    try:
        model(**values)
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        # Validators of controllers raise what comes to their authors' minds.
        return {"invalid": str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"}
    return {"valid": True}


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
