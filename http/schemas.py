"""The JSON schemas of what is sent and answered, all of them from one reading, so that each name means one type."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from aviary.http.numbers import MAX_INTEGER
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aviary.actors.core.message import Message
    from pydantic_core import core_schema

REF = "#/components/schemas/{model}"

DECIMAL = r"^[+-]?[0-9]{1,60}([.][0-9]{0,60})?([eE][+-]?[0-9]{1,2})?$"
"""A decimal as a text."""

_PREFIX = REF.format(model="")


class _Generator(GenerateJsonSchema):
    """Decimals are answered as numbers; integers have the bounds that are enforced."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        if self.mode == "serialization":
            return {"type": "number"}
        number, *_ = super().decimal_schema(schema)["anyOf"]
        return {"anyOf": [number, {"type": "string", "pattern": DECIMAL}]}

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        told = super().int_schema(schema)
        if self.mode == "validation" and "maximum" not in told and "exclusiveMaximum" not in told:
            told["maximum"] = MAX_INTEGER
        if self.mode == "validation" and "minimum" not in told and "exclusiveMinimum" not in told:
            told["minimum"] = -MAX_INTEGER
        return told

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        told = super().model_schema(schema)
        generic = schema["cls"].__pydantic_generic_metadata__["origin"]
        if generic is not None and generic.__doc__:
            told.setdefault("description", inspect.cleandoc(generic.__doc__))
        return told

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


class Schemas:
    """The schemas of messages that are taken, and of the types of answers.

    Objects have a place and a name in the document. All other named types are written out where they are used, and
    a field without words of its own has those of its type.
    """

    def __init__(self, taken: Sequence[type[Message[Any]]], given: Sequence[Any]) -> None:
        inputs: dict[Any, tuple[Any, JsonSchemaMode, Any]] = {}
        modes: tuple[tuple[JsonSchemaMode, Sequence[Any]], ...] = (("validation", taken), ("serialization", given))
        for mode, kinds in modes:
            for kind in kinds:
                if (kind, mode) not in inputs:
                    inputs[kind, mode] = (kind, mode, TypeAdapter(kind).core_schema)
        generator = _Generator(ref_template=REF)
        schemas, definitions = generator.generate_definitions(list(inputs.values()))
        self._definitions: dict[str, Any] = {str(name): schema for name, schema in definitions.items()}
        self._schemas: dict[Any, Any] = dict(schemas)

    def of_message(self, message: type[Message[Any]]) -> dict[str, Any]:
        """The schema of a message that is taken: its `properties` and what else it says."""
        schema = self._schemas[message, "validation"]
        if "$ref" in schema:
            schema = self._definitions[schema["$ref"].removeprefix(_PREFIX)]
        return {"properties": {}, **self._tidy(schema)}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of an answer."""
        told: dict[str, Any] = self._tidy(self._schemas[kind, "serialization"])
        return told

    def components(self, used: Any) -> dict[str, Any]:
        """The definitions that the document refers to, and those that they refer to."""
        found: dict[str, Any] = {}
        waiting = list(_references(used))
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self._tidy(self._definitions[name])
                waiting.extend(_references(found[name]))
        return dict(sorted(found.items()))

    def _tidy(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self._tidy(one) for one in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            target = self._definitions[schema["$ref"].removeprefix(_PREFIX)]
            if "properties" not in target:
                return self._tidy({**target, **{key: value for key, value in schema.items() if key != "$ref"}})
        tidy: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _MAPPINGS:
                tidy[key] = {name: self._described(self._tidy(one)) for name, one in value.items()}
            elif key != "title":
                tidy[key] = value if key in _VALUES else self._tidy(value)
        if "anyOf" in tidy:
            tidy["anyOf"] = [
                part for one in tidy["anyOf"] for part in (one["anyOf"] if set(one) == {"anyOf"} else [one])
            ]
        return tidy

    def _described(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A property with the words and examples of its type, where it has none of its own."""
        parts = [schema, *(one for one in schema.get("anyOf", ()) if one.get("type") != "null")]
        described = dict(schema)
        for key in ("description", "examples"):
            for part in parts:
                whole = part
                if "$ref" in part:
                    whole = {**self._definitions[part["$ref"].removeprefix(_PREFIX)], **part}
                if key in whole and (key != "examples" or "$ref" not in part):
                    described.setdefault(key, whole[key])
        return described


_VALUES = frozenset({"default", "const", "enum", "examples", "example", "required"})
"""Keys of a schema under which there is no schema."""

_MAPPINGS = frozenset({"properties", "patternProperties"})
"""Keys of a schema under which there are schemas by name."""


def _references(value: Any) -> set[str]:
    match value:
        case {"$ref": str(reference)} if reference.startswith(_PREFIX):
            return {reference.removeprefix(_PREFIX)}
        case dict():
            return set().union(*(_references(one) for one in value.values()))
        case list():
            return set().union(*(_references(one) for one in value))
        case _:
            return set()


def without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema for a place that knows no null."""
    if "anyOf" not in schema:
        return dict(schema)
    left = [one for one in schema["anyOf"] if one.get("type") != "null"]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**left[0], **rest} if len(left) == 1 else {"anyOf": left, **rest}
