"""Where code may be: imports run one way, and a venue's words stay in its folder."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What each package may import, beside itself.
BELOW = {
    "sources": set(),
    "synthetic": {"sources"},
    "simulator": {"sources", "synthetic"},
    "operators": {"sources"},
    "sinks": {"operators", "sources"},
    "dataflows": {"operators", "simulator", "sinks", "sources", "synthetic"},
}


def imported(file: Path) -> Iterator[str]:
    """Modules that a file imports, anywhere in it, by their whole names."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            assert node.module
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if is_module(inner) else node.module


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def modules(package: str) -> Iterator[Path]:
    return (ROOT / package).rglob("*.py")


@pytest.mark.parametrize("package", BELOW)
def test_imports_run_one_way(package: str) -> None:
    allowed = {package, *BELOW[package]}
    wrong = [
        (str(file.relative_to(ROOT)), name)
        for file in modules(package)
        for name in imported(file)
        if name.partition(".")[0] in BELOW and name.partition(".")[0] not in allowed
    ]
    assert wrong == []


def test_no_module_is_part_of_an_import_circle() -> None:
    graph: dict[str, set[str]] = {}
    for package in BELOW:
        for file in modules(package):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            graph[name] = {n for n in imported(file) if n.partition(".")[0] in BELOW and n != name}
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])


# A venue's folder, what reads files of a venue, the programs that stand in for it, and the defaults that name it.
MAY_NAME_VENUES = ("sources/venues/", "sources/importers/", "simulator/", "synthetic/", "dataflows/settings/",
                   "dataflows/command_line/", "dataflows/assembly/live.py")  # fmt: skip


def test_no_venue_is_named_elsewhere() -> None:
    """In code: docstrings and comments may give examples."""
    wrong = []
    for package in BELOW:
        for file in modules(package):
            place = str(file.relative_to(ROOT))
            if place.startswith(MAY_NAME_VENUES):
                continue
            tree = ast.parse(file.read_text())
            names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
            names += [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
            names += [name for name in imported(file) if name.startswith("sources.venues.")]
            wrong += [(place, name) for name in names if "binance" in name.lower() or "bybit" in name.lower()]
    assert wrong == []
