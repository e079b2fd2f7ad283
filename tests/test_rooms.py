"""The house: every import goes down a floor or stays in its room, and none leads in a circle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import sklearn_physrnn

ROOT = Path(sklearn_physrnn.__file__).parent

# From the ground up. Rooms of one floor do not know each other; "" is the package's own face.
FLOORS = (
    {"_version", "_warnings", "datasets", "storage"},
    {"kernels"},
    {"nn"},
    {"training"},
    {"preparation"},
    {"export", "families"},
    {"streaming"},
    {"estimators"},
    {"forecasting", "inspection", "panel"},
    {"classification", "regression"},
    {"persistence"},
    {""},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def _modules() -> dict[str, Path]:
    """Files by their names below the package; "" is its own ``__init__``."""
    names = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if path.stem == "__init__" else parts)] = path
    return names


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Everything that may run, in functions too; not what is only there for types."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            continue
        yield child
        yield from _statements(child)


def _imports() -> set[tuple[str, str]]:
    """Who imports whom."""
    modules = _modules()
    found = set()
    for name, path in modules.items():
        here = name if path.stem == "__init__" else name.rpartition(".")[0]
        for node in _statements(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                above = here.split(".")[: here.count(".") + 2 - node.level] if here else []
                base = [*above, *filter(None, (node.module or "").split("."))]
                for alias in node.names:
                    target = ".".join([*base, alias.name])
                    found.add((name, target if target in modules else ".".join(base)))
    return found


def _room(name: str) -> str:
    return name.partition(".")[0]


def test_every_room_has_a_floor():
    assert {_room(name) for name in _modules()} <= set(FLOOR_OF)


def test_every_import_goes_down_or_stays_in_its_room():
    across = {(a, b) for a, b in _imports() if _room(a) != _room(b)}
    assert {(a, b) for a, b in across if FLOOR_OF[_room(a)] <= FLOOR_OF[_room(b)]} == set()


def test_no_files_import_each_other_in_a_circle():
    graph: dict[str, set[str]] = {}
    for a, b in _imports():
        graph.setdefault(a, set()).add(b)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_the_package_is_imported_by_relative_names_only():
    for path in _modules().values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not any(_room(alias.name) == ROOT.name for alias in node.names), path
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert _room(node.module) != ROOT.name, path
