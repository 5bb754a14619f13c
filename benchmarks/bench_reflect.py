"""Reflection and rules: ``python benchmarks/bench_reflect.py``.

How long a reflection on made-up episodes takes, and how long a decision that consults rules: the nearest eight of a
thousand over sixty columns. The best of several runs, by the wall clock.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from dataflows.assembly.reflecting import reflect
from dataflows.settings.model import load_settings
from learning.reflection.table import EpisodeTable
from operators.rules.jit import entry_kernel
from operators.rules.rule import Comparison, Rule
from operators.rules.table import RuleTable, consult, make_table
from sources.tape.batch import Float64s
from tests.rules.synthetic_episodes import made

RUNS, CALLS = 5, 2000
REFLECT_AIM, CONSULT_AIM = 30.0, 50e-6  # s


@entry_kernel
def _consult_all(table: RuleTable, contexts: Float64s) -> int:
    found = 0
    for i in range(len(contexts)):
        found += consult(table, contexts[i])
    return found


def best(run: Callable[[], object], runs: int = RUNS) -> float:
    """Seconds of the fastest of several runs."""
    seconds = []
    for _ in range(runs):
        start = perf_counter()
        run()
        seconds.append(perf_counter() - start)
    return min(seconds)


def consulting(rules: int, columns: int) -> float:
    """Seconds a decision."""
    random = np.random.default_rng(1)
    names = [f"c{n}" for n in range(columns)]

    def compared() -> Comparison:
        return Comparison(column=names[random.integers(columns)], op=">", value=float(random.normal()))

    each = [Rule(when=(compared(), compared(), compared()), action="veto") for _ in range(rules)]
    table = make_table(
        each, list(range(rules)), {name: n for n, name in enumerate(names)}, names=names, mean=np.zeros(columns),
        spread=np.ones(columns), vectors=random.normal(size=(rules, columns)),
    )  # fmt: skip
    contexts = random.normal(size=(CALLS, columns))
    _consult_all(table, contexts[:1])
    return best(lambda: _consult_all(table, contexts)) / CALLS


def reflecting(table: EpisodeTable) -> float:
    """Seconds of a reflection into a new store, once."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"rules.store": folder})
        return best(lambda: reflect(settings, Path(folder), table, [Path("run")]), 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=60)
    given = parser.parse_args()
    seconds = consulting(1000, given.columns)
    verdict = "met" if seconds <= CONSULT_AIM else "MISSED"
    print(f"consulting 1,000 rules over {given.columns} columns: {seconds * 1e6:.1f} µs a decision: {verdict}")
    seconds = reflecting(made(1, True, given.episodes, given.columns - 1))
    verdict = "met" if seconds <= REFLECT_AIM else "MISSED"
    print(f"reflecting on {given.episodes:,} episodes of {given.columns} columns: {seconds:.1f} s: {verdict}")


if __name__ == "__main__":
    main()
