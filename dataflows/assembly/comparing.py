"""Backtests side by side: what each wrote, whether they are of one market, and which settings differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataflows.assembly.backtest_in_memory import TradedColumns
from dataflows.assembly.tapes import time_text
from dataflows.assembly.trials import period_returns
from dataflows.reports.backtest import columns_by_time
from operators.execution.paired import equity_difference, profit_difference
from operators.execution.run_statistics import run_statistics
from operators.execution.statistics import Estimate
from sinks.identity import settings_in
from sinks.trials import TrialSet
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import Float64s, Int64s
from sources.tape.layout import data_files, instruments

ANY_TAPE = "--any-tape"
_ORDERS = ("ts", "order_id", "kind", "status")
_FILLS = ("ts", "order_id", "side", "price", "liquidity", "position")
_EQUITY = ("ts", "equity", "mid", "fees", "volume")


@dataclass(frozen=True)
class FinishedRun:
    """What a backtest wrote, and with which settings."""

    folder: Path
    settings: Mapping[Instrument, Mapping[str, str]]
    traded: Mapping[Instrument, TradedColumns]


@dataclass(frozen=True)
class Comparison:
    """Runs, of which the others are held against the first.

    Attributes:
        instruments: those that all of them have.
        differing: by setting, the value in each run; empty where a run has none.
    """

    runs: Sequence[FinishedRun]
    instruments: Sequence[Instrument]
    differing: Mapping[str, Sequence[str]]

    def less_first(self, run: FinishedRun, instrument: Instrument) -> tuple[Int64s, Float64s]:
        """Equity less that of the first run."""
        mine, first = (r.traded[instrument].equity for r in (run, self.runs[0]))
        return equity_difference(mine["ts"], mine["equity"], first["ts"], first["equity"])

    def trials(self) -> list[TrialSet]:
        """The runs side by side, period by period, of each instrument."""
        out = []
        for instrument in self.instruments:
            accounts = [run.traded[instrument].equity for run in self.runs]
            first = max(int(one["ts"][0]) for one in accounts)
            last = min(int(one["ts"][-1]) for one in accounts)
            if last > first:
                each = [period_returns(one["ts"], one["equity"], first, last).returns for one in accounts]
                names = [str(run.folder) for run in self.runs]
                out.append(TrialSet("backtest", str(instrument), first, names, np.stack(each, axis=1)))
        return out

    def records(self) -> list[dict[str, Any]]:
        """A row an instrument and run: its statistics, and the profit less that of the first run."""
        return [self._record(run, n, i) for i in self.instruments for n, run in enumerate(self.runs)]

    def _record(self, run: FinishedRun, number: int, instrument: Instrument) -> dict[str, Any]:
        beyond = profit_difference(self.less_first(run, instrument)[1]) if number else Estimate(np.nan, np.nan, 0)
        return {
            "folder": str(run.folder),
            "exchange": instrument.venue,
            "symbol": instrument.symbol,
            **{key: values[number] for key, values in self.differing.items()},
            **run_statistics(*run.traded[instrument]),
            "net_pnl_less_first": None if np.isnan(beyond.value) else beyond.value,
            "net_pnl_less_first_error": None if np.isnan(beyond.error) else beyond.error,
        }


def compare_backtests(folders: Sequence[Path], any_tape: bool) -> Comparison:
    """Read backtests, and hold the others against the first.

    Args:
        any_tape: also compare runs of different tapes or ranges, on the instruments that all have.

    Raises:
        TickwaxError: there are fewer than two, or one twice; a folder holds no backtest; the runs are of different
            tapes or ranges, or have no instrument in common.
    """
    if len(folders) < 2:
        raise TickwaxError("RUNS: one is nothing to compare; name the folders of two backtests or more")
    places = [folder.resolve() for folder in folders]
    if twice := next((folder for n, folder in enumerate(folders) if places[n] in places[:n]), None):
        raise TickwaxError(f"RUNS: {twice} stands twice")
    runs = [_read(folder) for folder in folders]
    common = sorted(set.intersection(*(set(run.traded) for run in runs)))
    if not any_tape:
        for run in runs[1:]:
            _check_same_market(runs[0], run)
    if not common:
        raise TickwaxError("RUNS: they have no instrument in common")
    return Comparison(runs, common, _differing(runs, common))


def _read(folder: Path) -> FinishedRun:
    there = list(instruments(folder / "equity"))
    if not there:
        raise TickwaxError(f"RUNS: {folder} holds no backtest: there are no rows in {folder / 'equity'}")
    settings: dict[Instrument, dict[str, str]] = {}
    traded = {}
    for instrument in there:
        files = data_files(folder / "equity", instrument)
        settings[instrument] = settings_in(files[0]) or {}
        traded[instrument] = TradedColumns(
            columns_by_time(data_files(folder / "orders", instrument), _ORDERS),
            columns_by_time(data_files(folder / "fills", instrument), _FILLS),
            columns_by_time(files, _EQUITY),
        )
    return FinishedRun(folder, settings, traded)


def _differing(runs: Sequence[FinishedRun], common: Sequence[Instrument]) -> dict[str, list[str]]:
    """Settings that differ, by name; those that do so otherwise from instrument to instrument, by both names."""
    out: dict[str, list[str]] = {}
    for key in sorted({key for run in runs for i in common for key in run.settings[i]}):
        values = {i: [run.settings[i].get(key, "") for run in runs] for i in common}
        if all(each == values[common[0]] for each in values.values()):
            values = {common[0]: values[common[0]]}
        for instrument, each in values.items():
            if len(set(each)) > 1:
                out[key if len(values) == 1 else f"{key} of {instrument}"] = each
    return out


def _check_same_market(first: FinishedRun, other: FinishedRun) -> None:
    for run, against in ((other, first), (first, other)):
        if lacking := next((i for i in against.traded if i not in run.traded), None):
            raise _refusal(f"{run.folder} has no {lacking}, and {against.folder} has")
    for instrument, traded in first.traded.items():
        one, two = traded.equity, other.traded[instrument].equity
        step = max(_step(one["ts"]), _step(two["ts"]))
        spans = [(int(each["ts"][0]), int(each["ts"][-1])) for each in (one, two)]
        if any(abs(a - b) > step for a, b in zip(*spans, strict=True)):
            texts = [f"{time_text(a)} to {time_text(b)}" for a, b in spans]
            raise _refusal(
                f"{instrument} goes from {texts[0]} in {first.folder}, from {texts[1]} in {other.folder}: another range"
            )
        common, mine, theirs = _at_common_times(one, two)
        if len(odd := np.flatnonzero(mine != theirs)):
            when = time_text(int(common[odd[0]]))
            raise _refusal(
                f"{instrument}: the mid at {when} is {mine[odd[0]]:.12g} in {first.folder}, {theirs[odd[0]]:.12g} in "
                f"{other.folder}: another tape"
            )


def _at_common_times(one: Mapping[str, Any], two: Mapping[str, Any]) -> tuple[Int64s, Float64s, Float64s]:
    """Times that both have, and the mids there; of several rows at one time the last counts."""
    common = np.intersect1d(one["ts"], two["ts"])
    mids = (each["mid"][np.searchsorted(each["ts"], common, side="right") - 1] for each in (one, two))
    mine, theirs = (np.where(np.isnan(mid), 0.0, mid) for mid in mids)
    return common, mine, theirs


def _step(ts: Int64s) -> int:
    """The usual time between two rows, ns."""
    return int(np.median(np.diff(ts))) if len(ts) > 1 else 0


def _refusal(what: str) -> TickwaxError:
    return TickwaxError(f"RUNS: {what}; {ANY_TAPE} compares them all the same")
