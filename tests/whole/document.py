"""What a server says of itself at `/openapi.json`, held against what it answers."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jsonschema_rs
import orjson

if TYPE_CHECKING:
    from raw_http import Answer

_PLACEHOLDER = re.compile(r"\\{\w+\\}")

TOO_EARLY = {400, 401, 403, 404, 405, 413, 415, 422, 429}
"""Statuses of a request that belongs to no operation."""


class Document:
    """The document of a server."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], str]]:
        # Fixed paths before those with placeholders, as the server looks.
        paths = sorted(self.content["paths"], key=lambda path: path.count("{"))
        return [(re.compile(_PLACEHOLDER.sub("[^/]+", re.escape(path))), path) for path in paths]

    def operation(self, method: str, target: str) -> tuple[str, dict[str, Any]] | None:
        """The operation that a request is for, with its path."""
        asked = urlsplit(target).path
        for pattern, path in self._paths:
            if pattern.fullmatch(asked) and method.lower() in self.content["paths"][path]:
                return path, self.content["paths"][path][method.lower()]
        return None

    def mismatches(self, method: str, target: str, answer: Answer) -> list[str]:
        """In which ways an answer is another one than the document says."""
        found = self.operation(method, target)
        if found is None:
            return [] if answer.status in TOO_EARLY or answer.status < 300 else [f"{answer.status} is nowhere"]
        path, operation = found
        response = operation["responses"].get(str(answer.status))
        if response is None:
            return [f"{method} {path} answers {answer.status}, which is not told"]
        if "$ref" in response:
            response = self.content["components"]["responses"][response["$ref"].rpartition("/")[2]]
        schema = response["content"]["application/json"]["schema"]
        validator = self._validator(schema)
        return [
            f"{method} {path} {answer.status}: {error.instance_path} {error.message:.200}"
            for error in validator.iter_errors(answer.body)
        ]

    def _validator(self, schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
        key = orjson.dumps(schema).decode()
        if key not in self._validators:
            whole = {**schema, "components": self.content["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        return self._validators[key]
