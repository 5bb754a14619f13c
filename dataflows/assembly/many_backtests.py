"""Many backtests, each of one instrument with settings of its own, over processes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from dataflows.assembly.backtest_in_memory import backtest_in_memory
from dataflows.assembly.trade_engines import TradeEngines
from dataflows.assembly.trials import period_returns
from dataflows.runtime.exit_codes import in_a_line
from dataflows.runtime.forked import NOTHING, forked
from dataflows.settings.model import Settings
from operators.execution.grid import Grid
from operators.execution.run_statistics import run_statistics
from operators.execution.strategy import StrategyError
from operators.trade_engine import TooManyOrdersError
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.reader import TapeReader

Row = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """Settings of a backtest of every instrument.

    Attributes:
        values: those that are varied, by dotted key; the row has a column for each.
        engines: made with these settings.
    """

    values: Mapping[str, Any]
    engines: TradeEngines


@dataclass(frozen=True)
class ManyBacktests:
    """Every variant on every instrument.

    Attributes:
        settings: what all have in common: the range, and the features.
        readers: those with the longest tapes first, so that no process is left with one at the end.
    """

    settings: Settings
    variants: Sequence[Variant]
    readers: Sequence[TapeReader]
    grids: Mapping[Instrument, Grid]

    @property
    def runs(self) -> int:
        """Variants times instruments."""
        return len(self.variants) * len(self.readers)

    def run(
        self,
        processes: int,
        progress: Callable[[int], None] = lambda done: None,
        clean_up: Callable[[], None] = lambda: None,
        left: str = NOTHING,
    ) -> dict[Instrument, list[Row]]:
        """A row a variant, by instrument: ``ts`` and ``end_ts`` of the range, ``run`` (number of the variant), its
        values, `STATISTICS`, ``returns`` (`PeriodReturns`), ``error`` (why there are none) and ``seconds``.

        Args:
            progress: told how many runs have ended, at first 0.
            clean_up: called before an interruption ends the process, in any thread.
            left: what there is after an interruption, in words.

        Raises:
            TickwaxError: the tape cannot be read.
            SystemExit: a process was killed; that has been said.
        """
        rows: dict[Instrument, list[Row]] = {reader.instrument: [] for reader in self.readers}
        with forked(self._run, self.runs, processes, clean_up, left) as results:
            progress(0)
            for done, (instrument, row) in enumerate(results, 1):
                rows[instrument].append(row)
                progress(done)
        for own in rows.values():
            own.sort(key=lambda row: int(row["run"]))
        return rows

    def _run(self, number: int) -> tuple[Instrument, Row]:
        reader, at = self.readers[number // len(self.variants)], number % len(self.variants)
        variant, instrument = self.variants[at], reader.instrument
        first, last = self._span(reader)
        row: Row = {"ts": first, "end_ts": last, "run": at, **variant.values, "error": None}
        began = perf_counter()
        try:
            engine = variant.engines.make(instrument, self.grids[instrument])
            orders, fills, equity = backtest_in_memory(reader, engine, self.settings.feature_config().sampling_ns)
        except StrategyError as e:
            row["error"] = f"{e}: {type(e.__cause__).__name__}: {e.__cause__}"
        except TooManyOrdersError as e:
            row["error"] = f"the strategy sent {e}"
        except TickwaxError:
            raise
        except Exception as e:  # a strategy may fail with one latency, and not with another
            row["error"] = in_a_line(e)
        else:
            if len(equity["ts"]):
                row |= run_statistics(orders, fills, equity)
                row["returns"] = period_returns(equity["ts"], equity["equity"], first, last)
            else:
                row["error"] = "no feature row is complete in the range"
        row["seconds"] = perf_counter() - began
        return instrument, row

    def _span(self, reader: TapeReader) -> tuple[int, int]:
        """First and last receive time of the tape, within the range."""
        (first, last), start, end = reader.span, self.settings.replay.start, self.settings.replay.end
        return max(first, start.ns) if start else first, min(last, end.ns) if end else last
