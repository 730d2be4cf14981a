"""Controllers, scripts and their configurations as files, laid out as the released server has them.

Nothing here is imported or run: uploaded code is text.
"""

import ast
import errno
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from aviary.actors.core.refusal import Invalid, NotFound, Unavailable
from aviary.actors.messages.strategies import IDENTIFIER, StrategyKind
from aviary.config.files import replace_file

CONTROLLER_TYPES = ("directional_trading", "market_making", "generic")

SHIPPED = Path(__file__).parents[2] / "strategies"
"""What comes with the product; copied where nothing of the name exists yet."""

FULL_RETRY = 30.0
"""Seconds after which a full disk may have room again: somebody has to make it."""


class StrategyFiles:
    """The files under one `bots` folder. Every method blocks; names are checked before they come here."""

    def __init__(self, bots: Path) -> None:
        self.controllers = bots / "controllers"
        self.scripts = bots / "scripts"
        self._configs = {"controller": bots / "conf" / "controllers", "script": bots / "conf" / "scripts"}

    def install_shipped(self) -> None:
        """Make the folders and put in what is shipped; what the user changed stays."""
        for folder in (*self._configs.values(), self.scripts, *map(self.controllers.joinpath, CONTROLLER_TYPES)):
            folder.mkdir(parents=True, exist_ok=True)
        for source in SHIPPED.rglob("*.py"):
            target = self.controllers.parent / source.relative_to(SHIPPED)
            if source.parent != SHIPPED and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    # Sources

    def list_sources(self, folder: Path) -> list[str]:
        """Names of the modules in a folder."""
        return sorted(path.stem for path in folder.glob("*.py") if not path.name.startswith("__"))

    def read_source(self, path: Path, missing: str) -> str:
        """A module's text."""
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NotFound(missing) from None

    def write_source(self, path: Path, content: str) -> None:
        """Write a module that at least parses."""
        try:
            ast.parse(content)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None)
            where = "" if line is None else f", line {line}"
            raise Invalid(f"not Python{where}: {getattr(error, 'msg', error)}", "content") from None
        write(path, content)

    def delete(self, path: Path, missing: str) -> None:
        """Remove a file."""
        try:
            path.unlink()
        except FileNotFoundError:
            raise NotFound(missing) from None

    # Configurations

    def config_path(self, kind: StrategyKind, name: str) -> Path:
        """Where a configuration is kept."""
        return self._configs[kind] / f"{name.removesuffix('.yml')}.yml"

    def read_config(self, kind: StrategyKind, name: str) -> dict[str, Any]:
        """A configuration; `NotFound` if there is none, `Invalid` if it can't be read."""
        return read_yaml(self.config_path(kind, name), f"Configuration '{name}' not found")

    def list_configs(self, kind: StrategyKind) -> list[dict[str, Any]]:
        """All of a kind, by name."""
        found = []
        for path in sorted(self._configs[kind].glob("*.yml")):
            try:
                values = read_yaml(path, path.stem)
            except Invalid as error:
                values = {"id": path.stem, "controller_name": "error", "error": error.detail}
            if kind == "script":
                values = {"config_name": path.stem, **values}
            else:
                values.setdefault("id", path.stem)
            found.append(values)
        return found

    def controllers_for_deployment(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Configurations by file name, each of a controller that exists and with an id of its own.

        `NotFound` or `Invalid` for what a bot could not start with.
        """
        found: dict[str, dict[str, Any]] = {}
        ids: set[str] = set()
        for name in names:
            stem = name.removesuffix(".yml")
            values = self.read_config("controller", stem)
            kind, controller = str(values.get("controller_type")), str(values.get("controller_name"))
            if kind not in CONTROLLER_TYPES or re.fullmatch(IDENTIFIER, controller) is None:
                raise Invalid(f"Configuration '{stem}' names no controller", "controllers_config")
            if not (self.controllers / kind / f"{controller}.py").exists():
                raise NotFound(f"Controller '{controller}' not found in '{kind}'")
            if str(values.get("id")) in ids:
                raise Invalid(f"two controllers have the id {values.get('id')!r}", "controllers_config")
            ids.add(str(values.get("id")))
            found[f"{stem}.yml"] = values
        return found

    def write_config(self, kind: StrategyKind, name: str, values: dict[str, Any]) -> None:
        """Save a configuration."""
        write_yaml(self.config_path(kind, name), values)


def read_yaml(path: Path, missing: str) -> dict[str, Any]:
    """A mapping from a YAML file; `NotFound(missing)`, or `Invalid` if it is none."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(missing) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"{path.name} is not YAML: {error}".splitlines()[0]) from None
    if not isinstance(values, dict):
        raise Invalid(f"{path.name} holds no fields")
    return values


def write_yaml(path: Path, values: dict[str, Any]) -> None:
    """Write a mapping, replacing the file as a whole."""
    try:
        text = yaml.safe_dump(values, allow_unicode=True)
    except yaml.YAMLError as error:
        raise Invalid(f"can't be kept as YAML: {error}".splitlines()[0]) from None
    write(path, text)


def write(path: Path, text: str) -> None:
    """Replace a file as a whole: a reader, and a crash, see the old or the new one. `Unavailable` on a full disk."""
    try:
        replace_file(path, text)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable("the disk is full", FULL_RETRY) from None
        raise
