"""Which bots have a copy of something in the library: by their configurations, and by what their code imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

from aviary.actors.core.refusal import Invalid, NotFound
from aviary.actors.strategies.files import read_yaml


class StrategyUsers:
    """Looks through the folders of bots. Every method blocks."""

    def __init__(self, bots: Path) -> None:
        self._instances = bots / "instances"

    def of_module(self, module: str) -> tuple[str, ...]:
        """Bots that run a module such as `controllers.generic.x`, or one that imports it."""
        return tuple(bot.name for bot in self._bots() if module in _used_modules(bot))

    def of_config(self, kind: str, stem: str) -> tuple[str, ...]:
        """Bots that were deployed with a configuration of this name."""
        return tuple(bot.name for bot in self._bots() if (bot / "conf" / f"{kind}s" / f"{stem}.yml").exists())

    def _bots(self) -> Iterator[Path]:
        if self._instances.is_dir():
            yield from sorted(
                path for path in self._instances.iterdir() if path.is_dir() and not path.name.startswith(".")
            )


def _used_modules(bot: Path) -> set[str]:
    found: set[str] = set()
    waiting = list(_named(bot))
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imported(bot, module)
    return found


def _named(bot: Path) -> Iterator[str]:
    for path in sorted((bot / "conf" / "controllers").glob("*.yml")):
        values = _values(path)
        yield f"controllers.{values.get('controller_type')}.{values.get('controller_name')}"
    for path in sorted((bot / "conf" / "scripts").glob("*.yml")):
        yield f"scripts.{str(_values(path).get('script_file_name')).removesuffix('.py')}"


def _values(path: Path) -> dict[str, object]:
    try:
        return read_yaml(path, path.stem)
    except (Invalid, NotFound):
        return {}


def _imported(bot: Path, module: str) -> Iterator[str]:
    """What a module of the bot imports from the bot's own code."""
    try:
        tree = ast.parse(bot.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.startswith(("controllers.", "scripts.")))
