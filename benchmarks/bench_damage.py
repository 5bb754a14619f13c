"""Damage at seeded places to every kind of file that a run relies on, many times: what comes of it.

    python benchmarks/bench_damage.py [--seed 1] [--count 500] [--only NAME]

Subjects (`tests/damage/`) take their turns; each damages a copy of sound files once a turn: a bit, some bytes, a page
of zeros, a sector of noise, a missing end. In the end there are the same rows, or a line that names the file. The exit
code is 1 if a row is wrong or goes without a word, or a run ends with a traceback or a signal.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from operators.config import FeatureConfig
from operators.schema import feature_schema
from sinks.counted import CountedRows, counted, newest_rows
from sinks.journal import JournalWriter
from sinks.row_format import row_form
from tests.damage.child import Child
from tests.damage.journals import RowsJournalDamage, TapeJournalDamage
from tests.damage.messages import PACKED, Messages
from tests.damage.parquet import WRITERS, Files
from tests.damage.resumption import KINDS, Resumption
from tests.damage.wounds import GOOD, Outcome, Subject

CHILD = Child()  # reads what may end a process
SUBJECTS: dict[str, Callable[[Path], Subject]] = {
    "tape-journals": TapeJournalDamage,
    "tape-journals-3": partial(TapeJournalDamage, wounds=3),
    "feature-journals": RowsJournalDamage,
    **{f"resumed-{kind}": partial(Resumption, kind=kind) for kind in KINDS},
    **{f"tape-{written}": partial(Files, child=CHILD, written=written) for written in WRITERS},
    **{f"messages-{what}": partial(Messages, child=CHILD, what=what) for what in ("ours", "others", *PACKED)},
    "orders": partial(Files, child=CHILD, what="orders"),
}


def main() -> None:
    """Damage, look and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--count", type=int, default=500, help="damages in all")
    arguments.add_argument("--only", choices=SUBJECTS, action="append", help="subjects; all of them by default")
    chosen = arguments.parse_args()
    counts: dict[str, Counter[Outcome]] = {}
    seconds: Counter[str] = Counter()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        subjects = {name: SUBJECTS[name](Path(folder) / name) for name in chosen.only or SUBJECTS}
        for n in track(range(chosen.count), "damaging", console=Console(stderr=True)):
            name = list(subjects)[n % len(subjects)]
            seed = f"{chosen.seed}-{name}-{n // len(subjects)}"
            began = time.perf_counter()
            found = subjects[name].hurt(Random(seed))
            seconds[name] += time.perf_counter() - began
            counts.setdefault(name, Counter())[found.outcome] += 1
            if found.outcome not in GOOD:
                bad += 1
                print(f"{name} (seed {seed}): {found.wound}: {found.outcome.value}\n{found.said}", file=sys.stderr)
    table = Table("subject", "damages", *(outcome.value for outcome in Outcome), "s each")
    for name, found_here in counts.items():
        total = found_here.total()
        table.add_row(
            name, str(total), *(str(found_here[outcome]) for outcome in Outcome), f"{seconds[name] / total:.2f}"
        )
    Console(width=160).print(table)
    if not chosen.only:
        with tempfile.TemporaryDirectory() as folder:
            best = min(verification(Path(folder)) for _ in range(3))
        print(f"verification of journals when a replay is resumed: {best:.2f} s a GB, best of 3")
    sys.exit(1 if bad else 0)


def verification(folder: Path, megabytes: int = 512) -> float:
    """Seconds a GB of journals that a resumption takes to check them: before the run, and again in the sink."""
    (folder / "features").mkdir(exist_ok=True)
    form = row_form(feature_schema(FeatureConfig()))
    rows = 4096
    arrays = [np.ones((field.columns, rows), field.dtype) for field in form.fields]
    path = folder / ".features.resume" / "00.journal"
    writer = JournalWriter(path, form.description)
    while writer.position < megabytes * 1_000_000:
        writer.append([("bybit_linear:BTCUSDT", arrays)])
    writer.close()
    state = CountedRows(writer.position, writer.rows)
    began = time.perf_counter()
    newest_rows(folder / "features", "00", msgspec.json.encode(state))
    counted(path, state)
    return (time.perf_counter() - began) / writer.position * 1e9


if __name__ == "__main__":
    main()
