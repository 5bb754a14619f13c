"""Where code may be: imports run one way, and a venue's words stay in its folder."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from dataflows.assembly.live_config import live_config
from dataflows.settings.model import load_settings
from sources.venues.live import live_venues
from sources.venues.names import EXPERIMENTAL, LIVE_VENUES
from sources.venues.registry import VENUES

ROOT = Path(__file__).parent.parent

# What each package may import, beside itself.
BELOW = {
    "sources": set(),
    "synthetic": {"sources"},
    "simulator": {"sources", "synthetic"},
    "operators": {"sources"},
    "learning": {"operators", "sources"},  # offline: nothing that runs imports it, but what trains (`TRAINS`)
    "sinks": {"operators", "sources"},
    "window": {"operators", "sinks", "sources"},
    "dataflows": {"operators", "simulator", "sinks", "sources", "synthetic", "window"},
    "tickwax": {"dataflows", "operators", "sinks", "sources", "synthetic"},  # the front door: nothing imports it
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


# A venue's side of the simulator stands in the venue's folder.
SIMULATED = re.compile(r"sources/venues/(\w+/simulator/\w+|simulated)\.py")

# What starts a training, judges one, tells of luck, or reflects: it imports `learning` when it is called.
TRAINS = re.compile(
    r"dataflows/(assembly/(training|training_agents|estimating|evaluating|reflecting)|command_line/jobs/reflecting|reports/(luck|reflection))\.py"
)


@pytest.mark.parametrize("package", BELOW)
def test_imports_run_one_way(package: str) -> None:
    allowed = {package, *BELOW[package]}
    wrong = [
        (str(file.relative_to(ROOT)), name)
        for file in modules(package)
        for name in imported(file)
        if name.partition(".")[0] in BELOW
        and name.partition(".")[0] not in allowed
        and not (name.startswith("learning.") and TRAINS.fullmatch(str(file.relative_to(ROOT))))
        and not (name.startswith(("simulator.", "synthetic.")) and SIMULATED.fullmatch(str(file.relative_to(ROOT))))
    ]
    assert wrong == []


def test_nothing_live_loads_the_simulator() -> None:
    wrong = [
        (str(file.relative_to(ROOT)), name)
        for package in ("sources", "operators", "sinks")
        for file in modules(package)
        for name in imported(file)
        if SIMULATED.fullmatch(name.replace(".", "/") + ".py") and not SIMULATED.fullmatch(str(file.relative_to(ROOT)))
    ]
    assert wrong == []
    code = "import sys, sources.venues.live, dataflows.assembly.live; print([m for m in sys.modules if 'simulat' in m])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "[]\n"


def test_no_run_loads_learning() -> None:
    """A machine that runs has no `tickwax[learn]`."""
    runs = "dataflows.assembly.live, dataflows.assembly.replay, dataflows.assembly.backtest, tickwax"
    heavy = ("learning", "sklearn", "lightgbm", "jax")
    code = f"import sys, {runs}; print([m for m in sys.modules if m.split('.')[0] in {heavy}])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "[]\n"


def test_no_run_loads_the_page_unless_it_is_asked_for() -> None:
    runs = "dataflows.assembly.live, dataflows.assembly.paper, dataflows.assembly.replay, dataflows.runtime.live_run"
    code = f"import sys, {runs}; print([m for m in sys.modules if m.split('.')[0] == 'window'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "[]\n"


@pytest.mark.parametrize(
    "package", ["operators", "operators.labels", "operators.models", "operators.placement", "operators.rules"]
)
def test_machine_code_is_kept_by_the_text_of_all_that_is_in_it(package: str) -> None:
    """A kernel holds the machine code of those that it calls: a module that no pattern names would leave it stale."""
    jit = f"{package}.jit"
    keyed = {path.relative_to(ROOT).with_suffix("") for path in import_module(jit).CACHE.files}
    keyed = {".".join(path.parts) for path in keyed}
    mine = {name for file in modules("operators") if jit in imported(file) for name in [dotted(file)]}
    assert mine - keyed == set()
    called = {name for file in modules("operators") if dotted(file) in mine for name in imported(file)}
    compiled = {dotted(file) for file in modules("operators") if any(n.endswith(".jit") for n in imported(file))}
    assert (called & compiled) - keyed == set()


def dotted(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


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


# Of every venue that there is; ``binance_futures`` and ``binance_spot`` have one.
BRANDS = {name.partition("_")[0] for name in (*VENUES, *LIVE_VENUES)}

# A venue's folder, what reads files of a venue, the programs that stand in for it, and the defaults that name it.
MAY_NAME_VENUES = ("sources/venues/", "sources/importers/", "synthetic/", "dataflows/settings/",
                   "dataflows/command_line/")  # fmt: skip


def test_no_venue_is_named_elsewhere() -> None:
    """In code: docstrings and comments may give examples."""
    wrong = []
    for package in BELOW:
        for file in modules(package):
            place = str(file.relative_to(ROOT))
            if place.startswith(MAY_NAME_VENUES):
                continue
            wrong += [(place, name) for name in named(file) if any(brand in name.lower() for brand in BRANDS)]
    assert wrong == []


def named(file: Path) -> Iterator[str]:
    """Names that a file's code uses: variables, attributes, parameters, classes, functions, and imported modules."""
    for node in ast.walk(ast.parse(file.read_text())):
        for field in ("id", "attr", "arg", "name"):
            if isinstance(name := getattr(node, field, None), str):
                yield name
    yield from imported(file)


def test_a_venues_folder_names_no_other_venue() -> None:
    folders = [folder for folder in (ROOT / "sources" / "venues").iterdir() if folder.is_dir()]
    brands = {folder: folder.name.partition("_")[0] for folder in folders if folder.name != "__pycache__"}
    assert set(brands.values()) == BRANDS
    wrong = [
        (str(file.relative_to(ROOT)), name)
        for folder, own in brands.items()
        for file in folder.rglob("*.py")
        for name in named(file)
        if any(brand in name.lower() for brand in BRANDS - {own})
    ]
    assert wrong == []


def test_the_registries_tell_of_the_same_venues() -> None:
    assert tuple(live_venues()) == LIVE_VENUES
    assert set(EXPERIMENTAL) <= set(LIVE_VENUES)
    assert live_config(load_settings()).venues == live_venues()  # settings have the exchanges' own addresses
