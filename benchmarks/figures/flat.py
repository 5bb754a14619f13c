"""Whether a row costs the same however many instruments and rows there are; memory an instrument; cold starts."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.bench_replay import one_level_updates, process, replay, write_repeated
from benchmarks.figures.table import Section, Spent, fastest, flatness, rate
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.schema import value_count
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from sources.tape.layout import instrument_dir

AIM = 1.3
PIECE = 10_000
PIECES = 10  # of an instrument of the most
MEMORY_AIM = 100e3  # bytes an instrument


def instrument(n: int) -> Instrument:
    """Any of many."""
    return Instrument("binance_futures", f"S{n:04d}USDT")


def write_many(piece: TapeBatch, repeats: int, count: int, folder: Path) -> int:
    """A tape of many instruments, each with the same rows so many times; returns how many in all."""
    rows = write_repeated(piece, repeats * piece.rows / 1e6, folder, instrument(0))
    for n in range(1, count):
        shutil.copytree(instrument_dir(folder, instrument(0)), instrument_dir(folder, instrument(n)))
    return count * rows


def in_turn_through(pieces: list[TapeBatch], count: int) -> None:
    """Each engine takes a batch, then the next engine: what a live run does to the processor's caches."""
    engines = [FeatureEngine(FeatureConfig()) for _ in range(count)]
    for piece in pieces:
        for engine in engines:
            engine.process(piece)


def by_instruments(work: Path, once: TapeBatch, counts: list[int], rounds: int) -> Section:
    """The same pieces of the capture in ever more instruments."""
    piece = once.slice(0, PIECE)
    section = Section(
        "A row at 1 to 1 000 instruments",
        f"The first {PIECE:,} rows of the capture, {PIECES * max(counts):,} times in every tape, of one instrument or "
        f"{PIECES} times of each; replayed one after the other, files and engines included. Beside it the most "
        f"instruments with {PIECE:,} rows each, 7 s of this market, of which a file of 66 columns is the larger part. "
        "Engines in memory: 64 rows each in turn, as they come live, so that with many every batch finds the caches "
        "cold.",
    )
    most = max(counts)
    tapes = {str(count): (PIECES * most // count, count) for count in counts} | {"few rows": (1, most)}
    runs: dict[str, Callable[[], object]] = {}
    rows: dict[str, int] = {}
    for name, (repeats, count) in tapes.items():
        rows[name] = write_many(piece, repeats, count, work / f"many-{name}")
        runs[name] = lambda name=name: replay(work / f"many-{name}", work / "many-features")
    spent = fastest(runs, rounds)
    flow = {name: spent[name].flow / rows[name] for name in tapes}
    wall = {name: spent[name].wall / rows[name] for name in tapes}
    add_costs(section, "replay", {c: flow[str(c)] for c in counts}, {c: wall[str(c)] for c in counts})
    section.add(
        f"replay, {most:,} of {PIECE:,} rows",
        f"{flow['few rows'] * 1e9:.0f} ns a row",
        f"{flow['few rows'] / flow[str(counts[0])]:.2f} × the first",
        wall=f"{wall['few rows'] * 1e9:.0f} ns a row",
    )
    for name in tapes:
        shutil.rmtree(work / f"many-{name}")
    shutil.rmtree(work / "many-features")
    pieces = [piece.slice(at, at + 64) for at in range(0, PIECE, 64)]
    in_turn_through(pieces[:10], 1)
    engines = {str(c): partial(in_turn_through, pieces, c) for c in counts}
    spent = fastest(engines, rounds, warm=False)
    costs = {c: spent[str(c)].processor / (c * PIECE) for c in counts}
    add_costs(section, "engines in turn", costs, {c: spent[str(c)].wall / (c * PIECE) for c in counts})
    return section


def add_costs(section: Section, what: str, costs: dict[int, float], walls: dict[int, float]) -> None:
    """A line each, and how flat they are."""
    first = next(iter(costs.values()))
    for n, cost in costs.items():
        wall = f"{walls[n] * 1e9:.0f} ns a row"
        section.add(f"{what}, {n:,}", f"{cost * 1e9:.0f} ns a row", f"{cost / first:.2f} × the first", wall=wall)
    spread, wall_spread = flatness(list(costs.values())), flatness(list(walls.values()))
    last = f"{what}, dearest beside cheapest"
    section.add(last, f"{spread:.2f} ×", "", "≤ 1.3 ×", spread <= AIM, wall=f"{wall_spread:.2f} ×")


def by_rows(work: Path, once: TapeBatch, millions: list[float], rounds: int) -> Section:
    """One instrument, ever more rows."""
    section = Section(
        "A row at ever more rows",
        "One instrument, the capture repeated, replayed at 100 ms; tapes above 10 M rows once. Peak memory: of a "
        "process of its own.",
    )
    rows = {million: write_repeated(once, million, work / f"long-{million}") for million in millions}
    spent: dict[float, Spent] = {}
    peak = dict.fromkeys(millions, 0.0)
    flags = ("--features", str(work / "whole-features"), "--overwrite")
    for million in millions:  # before this process grows: a child's peak counts from before it became another
        _, peak[million] = process("replay", "--tape", str(work / f"long-{million}"), *flags)
    runs = {m: partial(replay, work / f"long-{m}", work / "long-features") for m in millions}
    for few in (True, False):
        some = {str(m): run for m, run in runs.items() if (m <= 10) == few}
        spent |= {float(m): s for m, s in fastest(some, rounds if few else 1, warm=few).items()}
    for million in millions:
        shutil.rmtree(work / f"long-{million}")
        section.add(f"{rows[million]:,} rows, peak memory", f"{peak[million]:.0f} MB")
    costs = {rows[m]: spent[m].flow / rows[m] for m in millions}
    add_costs(section, "rows", costs, {rows[m]: spent[m].wall / rows[m] for m in millions})
    return section


_PARTS = {
    "book, 256 levels a side and more": ("book", "top_price", "top_size", "top_count"),
    "rolling sums": ("rolling",),
    "z-scores": ("zscores",),
    "volatility": ("returns",),
    "fractional differences": ("price_history", "volume_history"),
}


def state_bytes(engine: FeatureEngine) -> dict[str, int]:
    """Bytes of an engine's state by part."""

    def size(part: object) -> int:
        return sum(map(size, part)) if isinstance(part, tuple) else getattr(part, "nbytes", 0)

    sizes = {label: sum(size(getattr(engine._state, name)) for name in names) for label, names in _PARTS.items()}
    sizes["the rest"] = size(engine._state) - sum(sizes.values())
    return sizes


def resident_slope(counts: tuple[int, int]) -> float:
    """Bytes of memory that one more warm engine takes: of this process, which must be a fresh one."""
    page = os.sysconf("SC_PAGE_SIZE")
    tape = one_level_updates(1_700_000_000_000_000_000, 20_000)
    engines: list[FeatureEngine] = []
    resident = []
    for count in counts:
        while len(engines) < count:
            engines.append(FeatureEngine(FeatureConfig()))
            engines[-1].process(tape)
        resident.append(int(Path("/proc/self/statm").read_text().split()[1]) * page)
    return (resident[1] - resident[0]) / (counts[1] - counts[0])


def memory(once: TapeBatch) -> Section:
    """Bytes an instrument."""
    section = Section(
        "Memory an instrument",
        "Default settings, everything warm. By part: after the whole BTCUSDT capture. The slope is of resident memory "
        "between 50 and 250 engines with 2 000 feature rows each and a book of 30 levels a side.",
    )
    engine = FeatureEngine(FeatureConfig())
    engine.process(once)
    sizes = state_bytes(engine)
    for label, size in sizes.items():
        section.add(label, f"{size / 1e3:.1f} kB")
    total = sum(sizes.values())
    section.add("state, BTCUSDT", f"{total / 1e3:.0f} kB", f"snapshot {len(engine.snapshot()) / 1e3:.0f} kB",
                "≤ 100 kB", total <= MEMORY_AIM)  # fmt: skip
    code = "from benchmarks.figures.flat import resident_slope; print(resident_slope((50, 250)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    slope = float(done.stdout)
    section.add("resident memory, slope", f"{slope / 1e3:.0f} kB", "", "≤ 100 kB", slope <= MEMORY_AIM)
    section.add("a feature row in memory", f"{8 * (4 + value_count(FeatureConfig())) + 2} bytes")
    return section


def cold(work: Path, once: TapeBatch, rounds: int, minutes: float, updates: int) -> Section:
    """Starts, and a tape of a thousand thin instruments."""
    section = Section(
        "Cold and small",
        "Whole processes, kernels cached; the bound is an interpreter that imports the libraries and nothing else.",
    )

    def python(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    flow = (
        "import dataflows.cli, dataflows.runtime.process_tuning as tuning\n"
        "with tuning.quick_imports(): import dataflows.command_line.jobs.replay"
    )
    libraries = "import numpy, numba, pyarrow.parquet, bytewax.run, pydantic, typer, rich, msgspec"
    write_repeated(once.slice(0, 20_000), 0.01, work / "first")
    flags = ("--tape", str(work / "first"), "--features", str(work / "first-features"), "--overwrite")
    spent = fastest(
        {
            "nothing": python("pass"),
            "libraries": python(libraries),
            "import": python("import dataflows.cli"),
            "flow": python(flow),
            "replay": lambda: process("replay", *flags),
        },
        rounds,
    )
    for name, what in (
        ("nothing", "python, nothing imported"),
        ("libraries", "its libraries imported: the bound"),
        ("import", "`tickwax`'s command line imported"),
        ("flow", "… and a replay's flow and kernels"),
    ):
        section.add(what, f"{spent[name].processor * 1e3:.0f} ms", wall=f"{spent[name].wall * 1e3:.0f} ms")
    whole, bound = spent["replay"], spent["libraries"]
    section.add(
        "start to the rows of a replay of 20 000",
        f"{whole.processor:.2f} s",
        f"{whole.processor / bound.processor:.2f} × its libraries",
        "≤ 2 s",
        whole.wall <= 2,
        wall=f"{whole.wall:.2f} s",
    )
    if minutes:
        add_wide(section, work, minutes, updates)
    return section


def add_wide(section: Section, work: Path, minutes: float, updates: int) -> None:
    """A tape of 1 000 instruments, beside one of a single instrument with a tenth of its rows."""
    market = one_level_updates(1_700_000_000_000_000_000, round(minutes * 60 * updates), updates)
    flags = ("--tape", str(work / "wide"), "--features", str(work / "wide-features"))
    each: dict[int, float] = {}
    for count, repeats, what in ((1, 100, "1 instrument, 100 times over,"), (1000, 1, "1 000 instruments")):
        rows, peaks = write_many(market, repeats, count, work / "wide"), []
        run = {"replay": lambda peaks=peaks: peaks.append(process("replay", *flags)[1])}
        spent = fastest(run, 1, warm=False)["replay"]
        each[count] = spent.processor / rows
        features = count * repeats * int(minutes * 600)
        section.add(
            f"{what} × {minutes:g} min, {updates} updates/s each: {rows:,} rows",
            f"{each[count] * 1e9:.0f} ns of processor a row",
            f"{each[count] / each[1]:.2f} × the first; peak memory {peaks[0]:.0f} MB",
            wall=f"{spent.wall:.1f} s, {rate(rows, spent.wall)} rows, {rate(features, spent.wall)} feature rows",
        )
        shutil.rmtree(work / "wide")
        shutil.rmtree(work / "wide-features")
