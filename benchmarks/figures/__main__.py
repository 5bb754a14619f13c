"""Every figure beside its peers and bounds.

    pip install -e '.[bench]'
    python -m benchmarks.figures btcusdt_20240808.gz

CAPTURE is a raw hftbacktest capture of Binance USD-M. Each section runs all its variants in every round, so that a slow
moment of the machine meets them alike, and takes the fastest round of each: trust the ratios within a section, not the
rates across runs. The tables go to the terminal and to benchmarks/FIGURES.md, which is written anew; with --only, just
the chosen sections of it are replaced. What needs two idle cores has commands of its own, such as bench_live.py.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.bench_replay import capture_rows, write_repeated
from benchmarks.figures import flat
from benchmarks.figures.table import Section

FILE = Path(__file__).parent.parent / "FIGURES.md"
VERSIONS = ("bytewax", "numba", "numpy", "pyarrow", "hftbacktest", "cryptofeed", "pandas", "polars")
ALONE = {"instruments", "rows", "memory", "cold", "live"}  # sections that need no other engine installed
ORDER = ("machine", "replay", "breakdown", "updates", "decode", "offline", "ticks", "instruments", "rows", "memory",
         "cold", "live")  # fmt: skip


def processor() -> str:
    """Its name, if the system tells."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.processor()


def head() -> str:
    """Date, machine and versions."""
    there = {d.name: d.version for d in importlib.metadata.distributions()}
    versions = ", ".join(f"{name} {there[name]}" for name in VERSIONS if name in there)
    cores = len(os.sched_getaffinity(0))
    now, python = datetime.now(UTC), platform.python_version()
    return f"{now:%Y-%m-%d %H:%M} UTC, {processor()}, {cores} cores, Python {python}, {versions}."


def live(path: Path | None) -> Section:
    """Figures of the live path, which `bench_live.py` measures."""
    section = Section(
        "Live",
        "`python benchmarks/bench_live.py throughput|latency|resync|soak|start` measures these, on two idle cores; "
        "`--live FILE` puts them here, a JSON list of objects with the keys `what`, `value`, `beside`, `aim`, `met`.",
    )
    for figure in json.loads(path.read_text()) if path else []:
        section.add(**figure)
    return section


def merged(sections: dict[str, Section]) -> str:
    """The file: sections that were measured now, and the others as they stand."""
    old = dict(re.findall(r"<!-- (\w+) -->\n(.*?)(?=\n<!-- |\Z)", FILE.read_text(), re.S)) if FILE.exists() else {}
    text = [
        "# Figures\n",
        "Written by `python -m benchmarks.figures`. Each section is one run of all its variants in rounds, the fastest "
        "round of each: trust the ratios within a section. Values are of processor time, which other work on a shared "
        "machine blurs least; what the clock on the wall said stands beside them, and what is aimed at is held against "
        "the wall clock wherever a whole run is meant.\n",
    ]
    for name in ORDER:
        if name in sections:
            title, _, rest = sections[name].markdown().partition("\n")
            text.append(f"<!-- {name} -->\n{title}\n\n_{head()}_\n{rest}")
        elif name in old:
            text.append(f"<!-- {name} -->\n{old[name].rstrip()}\n")
    return "\n".join(text)


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("capture", type=Path)
    arguments.add_argument("--rows", type=float, default=10.0, help="million rows of the replayed tape")
    arguments.add_argument("--long", type=float, nargs="+", default=[1, 10, 100], help="million rows of flat cost")
    arguments.add_argument("--instruments", type=int, nargs="+", default=[1, 10, 100, 1000])
    arguments.add_argument("--minutes", type=float, default=5.0, help="of the tape of 1 000 instruments; 0: none")
    arguments.add_argument("--updates", type=int, default=100, help="a second of each of them; 60 minutes take 20 GB")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--only", choices=ORDER, nargs="+", default=ORDER, help="sections, all by default")
    arguments.add_argument("--live", type=Path, help="figures of bench_live.py as JSON")
    arguments.add_argument("--out", type=Path, help="another file than benchmarks/FIGURES.md")
    chosen = arguments.parse_args()
    if not chosen.capture.is_file():
        sys.exit(f"{chosen.capture}: no such file; a raw hftbacktest capture of Binance USD-M is needed")
    if not ALONE.issuperset(chosen.only):
        from benchmarks.figures import peers, replay
    rounds, console = chosen.rounds, Console(width=140)
    sections: dict[str, Section] = {}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        once = capture_rows(chosen.capture, work / "once")
        rows = write_repeated(once, chosen.rows, work / "tape") if {"replay", "breakdown"} & set(chosen.only) else 0
        makers: dict[str, Callable[[], Section]] = {
            # Whole processes first, while this one is small: a child's peak counts from before it became another.
            "rows": lambda: flat.by_rows(work, once, chosen.long, rounds),
            "cold": lambda: flat.cold(work, once, rounds, chosen.minutes, chosen.updates),
            "machine": lambda: replay.machine(work),
            "breakdown": lambda: replay.breakdown(work, rows, rounds),
            "instruments": lambda: flat.by_instruments(work, once, chosen.instruments, rounds),
            "memory": lambda: flat.memory(once),
            "decode": lambda: peers.decoding(chosen.capture, rounds),
            "offline": lambda: peers.offline(work, once, rounds),
            "ticks": lambda: peers.one_item_a_tick(once, min(rounds, 3)),
            "updates": lambda: replay.updates(work, once, min(rounds, 3)),
            "replay": lambda: replay.grid(work, chosen.capture, rows, round(rows / once.rows), rounds),
            "live": lambda: live(chosen.live),
        }
        for part, make in makers.items():
            if part in chosen.only and (part != "live" or chosen.live or len(chosen.only) == len(ORDER)):
                console.print(f"{part} …", style="dim")
                sections[part] = make()
                console.print(sections[part].table())
                (chosen.out or FILE).write_text(merged(sections))


if __name__ == "__main__":
    main()
