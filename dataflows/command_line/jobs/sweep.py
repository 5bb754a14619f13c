"""Backtests over a grid of settings."""

from pathlib import Path
from time import perf_counter
from typing import Any

from dataflows.assembly.sweep import prepare_sweep
from dataflows.reports.luck import WORDS, luck_of
from dataflows.reports.planted import planted_lines
from dataflows.reports.progress import RunsBar
from dataflows.reports.sweep import SHOWN, best_runs
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.exit_codes import say
from dataflows.runtime.kernels import ready_trading
from dataflows.settings.sweep_grid import read_grid
from sinks.trials import read_trials

_FAILURES_SHOWN = 5


def sweep(flags: dict[str, Any], path: Path, processes: int) -> None:
    """Run them all and tell of it; ``flags`` are settings, ``path`` is the grid.

    Raises:
        TickwaxError: as of `read_grid`, `prepare_sweep` and `Sweep.run`.
        SystemExit: a run failed (code 1); that has been said.
    """
    grid = read_grid(path)
    ready_trading()
    prepared = prepare_sweep(flags, grid)
    began = perf_counter()
    runs = prepared.backtests.runs
    bar = RunsBar("sweep", runs)
    try:
        files = prepared.run(processes, bar, bar.stop)
    finally:
        bar.stop()
    seconds = perf_counter() - began
    failures = prepared.failures
    for line in failures[:_FAILURES_SHOWN]:
        say(line)
    if not files:
        say("every run failed; nothing was written")
        raise SystemExit(1)
    prose(f"{runs:,} runs in {seconds:.1f} s; a row each in {prepared.out}")
    varied = [key for key, values in grid.values.items() if len(values) > 1]
    table = best_runs(prepared.rows, varied)
    show(table)
    if runs > SHOWN:
        prose(f"The {len(table.rows)} with the highest profit, after fees. The best of many is good by luck, too.")
    if prepared.trials is not None:
        now = {str(instrument): rows[0] for instrument, rows in prepared.rows.items()}
        sets = [one for one in read_trials(prepared.trials) if one.source == "sweep" and one.subject in now]
        if sets := [one for one in sets if one.first_ts == now[one.subject]["ts"]]:
            show(luck_of(sets))
            prose(f"{WORDS} Trials of former sweeps count, too: all are kept in {prepared.trials}.")
    for line in planted_lines(prepared.out):
        prose(line)
    if failures:
        say(f"{len(failures):,} of {runs:,} runs failed; the column error says why")
        raise SystemExit(1)
