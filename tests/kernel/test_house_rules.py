"""The house's own rules, read off the syntax tree of every file, where no linter knows them.

Who may import whom is import-linter's, and time, sleeping and words for what is left to do are ruff's.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SKIPPED = {".venv", ".venv-uv", ".git", "build", "data", ".types"}

KERNEL = ("actors/core/", "supervisors/")
BLIND_EXCEPT = {
    "actors/engine/": "foreign code: what hummingbot and other people's strategies raise is told, not felt",
}
"""Where else everything may be caught and kept, and why."""

HUMMINGBOT = ("actors/engine/", "sandbox/connectors/", "strategies/")
CHANCE = {
    "config/chance.py": "the one source",
    "actors/engine/": "hummingbot draws from the process-wide sources, which a forked process must seed anew",
}
"""Where chance may come from, and why."""


ROOM = 24
"""Files that a newcomer can look over."""

LARGE = {"actors/core": "ordered by its layers, which import-linter holds"}
"""Where there may be more, and why."""


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


def test_hummingbot_is_imported_in_its_rooms_only() -> None:
    guilty = [
        path for path, tree in product() if imports_of(tree, "hummingbot") and not path.startswith(HUMMINGBOT)
    ]
    assert guilty == []


def test_http_is_no_regular_package() -> None:
    assert not (ROOT / "http" / "__init__.py").exists()


def test_a_room_has_no_more_than_two_dozen_files_and_says_what_lives_there() -> None:
    rooms: dict[str, list[str]] = {}
    for path, _ in product():
        rooms.setdefault(str(Path(path).parent), []).append(path)

    assert [room for room, found in rooms.items() if len(found) > ROOM and room not in LARGE] == []
    silent = [
        path
        for path, tree in product()
        if path.startswith("actors/") and path.endswith("__init__.py") and not ast.get_docstring(tree)
    ]
    assert silent == []


def test_nothing_is_left_to_be_implemented() -> None:
    guilty = [
        f"{path}:{node.lineno}"
        for path, tree in files()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "NotImplementedError"
    ]
    assert guilty == []
