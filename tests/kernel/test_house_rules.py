"""The house's own rules, read off the syntax tree of every file."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPPED = {".venv", ".venv-uv", ".git", "build", "data", ".types"}

KERNEL = ("actors/core/", "supervisors/")
BLIND_EXCEPT = {
    "actors/engine/": "foreign code: what hummingbot and other people's strategies raise is told, not felt",
}
"""Where else everything may be caught and kept, and why."""

HUMMINGBOT = ("actors/engine/", "sandbox/connectors/", "strategies/")
CLOCK = {"config/clock.py"}
CHANCE = {
    "config/chance.py": "the one source",
    "actors/engine/": "hummingbot draws from the process-wide sources, which a forked process must seed anew",
}
"""Where chance may come from, and why."""


def files(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for path, tree in everything():
        if not folders or path.startswith(folders):
            yield path, tree


@functools.cache
def everything() -> list[tuple[str, ast.Module]]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        if not SKIPPED & set(relative.parts):
            found.append((relative.as_posix(), ast.parse(path.read_text(encoding="utf-8"))))
    return found


def product() -> Iterator[tuple[str, ast.Module]]:
    return (item for item in files() if not item[0].startswith(("tests/", "benchmarks/")))


def imports(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every imported module, with the names taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ()
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module, tuple(alias.name for alias in node.names)


def imports_of(tree: ast.Module, *packages: str) -> list[str]:
    return [
        name
        for name, _ in imports(tree)
        if any(name == package or name.startswith(f"{package}.") for package in packages)
    ]


def test_there_is_something_to_look_at() -> None:
    paths = {path for path, _ in files()}

    assert {"config/clock.py", "actors/core/system.py", "supervisors/supervisor.py"} <= paths


def test_only_the_clock_imports_time() -> None:
    assert [path for path, tree in product() if path not in CLOCK and imports_of(tree, "time")] == []


def test_only_chance_takes_more_from_random_than_its_type() -> None:
    guilty = [
        path
        for path, tree in product()
        for name, names in imports(tree)
        if name == "random" and names != ("Random",) and not path.startswith(tuple(CHANCE))
    ]
    assert guilty == []


def test_only_chance_makes_sources_of_chance() -> None:
    guilty = [
        path
        for path, tree in product()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Random"
        if not path.startswith(tuple(CHANCE))
    ]
    assert guilty == []


def test_nobody_asks_datetime_for_the_time() -> None:
    guilty = [
        f"{path}:{node.lineno}"
        for path, tree in files()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"now", "utcnow", "today"}
        and isinstance(node.value, ast.Name | ast.Attribute)
        and (node.value.id if isinstance(node.value, ast.Name) else node.value.attr) in {"datetime", "date"}
    ]
    assert guilty == []


def blind(handler: ast.ExceptHandler) -> bool:
    """Whether the handler catches everything and does not hand it on."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"} for kind in kinds)


def test_only_the_kernel_catches_everything() -> None:
    allowed = (*KERNEL, *BLIND_EXCEPT)
    guilty = [
        f"{path}:{node.lineno}"
        for path, tree in product()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and blind(node) and not path.startswith(allowed)
    ]
    assert guilty == []


def test_no_test_sleeps() -> None:
    guilty = [
        f"{path}:{node.lineno}"
        for path, tree in files("tests/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "sleep"
        and isinstance(node.value, ast.Name)
        and node.value.id == "time"
    ]
    assert guilty == []
    assert [path for path, tree in files("tests/") if ("time", ("sleep",)) in imports(tree)] == []


def test_hummingbot_is_imported_in_its_rooms_only() -> None:
    guilty = [
        path for path, tree in product() if imports_of(tree, "hummingbot") and not path.startswith(HUMMINGBOT)
    ]
    assert guilty == []


def test_http_is_no_regular_package() -> None:
    assert not (ROOT / "http" / "__init__.py").exists()


def test_no_actor_knows_a_supervisor_or_the_front_end() -> None:
    guilty = [path for path, tree in files("actors/") if imports_of(tree, "aviary.supervisors", "aviary.http")]

    assert guilty == []


def test_the_core_knows_nothing_but_the_configuration() -> None:
    others = [
        "actors.engine",
        "actors.messages",
        "actors.runtimes",
        "persistence",
        "sandbox",
        "commands",
        "strategies",
    ]
    packages = [f"aviary.{other}" for other in others]

    assert [path for path, tree in files("actors/core/", "config/") if imports_of(tree, *packages)] == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "NotImplementedError"])
def test_nothing_is_left_to_do(word: str) -> None:
    own = Path(__file__).relative_to(ROOT).as_posix()
    guilty = [path for path, _ in files() if path != own and word in (ROOT / path).read_text(encoding="utf-8")]

    assert guilty == []
