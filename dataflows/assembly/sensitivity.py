"""How much a backtest hangs on what nobody knows exactly: its place in the queue, and its latency."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from dataflows.assembly.backtest_in_memory import backtest_in_memory
from dataflows.assembly.engines import own_config
from dataflows.assembly.latencies import measured_latencies
from dataflows.assembly.trading import execution_config, strategy_factory, trading_identity
from dataflows.runtime.forked import forked
from dataflows.settings.model import Settings, load_settings
from operators.execution.grid import Grid
from operators.execution.run_statistics import run_statistics
from operators.execution.schedule import Schedule
from operators.execution.words import QUEUES
from operators.trade_engine import TradeEngine
from sinks.sweep import DATA_SET, check_sweep_target, sweep_schema, write_sweep
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.reader import TapeReader
from sources.venues.names import FIXED_DEPTH

FOLDER = "sensitivity"  # beside `orders`, `fills` and `equity`
MEASURED = "measured"
_QUEUE, _ENTRY, _RESPONSE = "execution.queue", "execution.latency_entry", "execution.latency_response"
_KEY = "backtest.path"


@dataclass(frozen=True)
class Variant:
    """The settings of a backtest with one thing changed.

    Attributes:
        values: what stands in the data set, by dotted key.
    """

    settings: Settings
    values: Mapping[str, str]


def variants(flags: Mapping[str, Any], latencies: Sequence[str]) -> list[Variant]:
    """The chosen settings first; then the other models of the queue, of which `risk_averse` and `optimistic` bracket
    the truth, and the other latencies.

    Args:
        flags: settings by dotted key, as the command line gave them.
        latencies: durations, each for both ways, beside the one of the settings.

    Raises:
        TickwaxError: a latency is no duration.
    """
    chosen = load_settings(flags)
    others: list[dict[str, str]] = [{_QUEUE: queue} for queue in QUEUES if queue != chosen.execution.queue]
    others += [{_ENTRY: text, _RESPONSE: text, "execution.latency_file": ""} for text in latencies]
    each = [chosen, *(load_settings({**flags, **changes}) for changes in others)]
    return [Variant(settings, _values(settings)) for settings in each]


def _values(settings: Settings) -> dict[str, str]:
    e = settings.execution
    entry, response = (MEASURED, MEASURED) if e.latency_file else (e.latency_entry.text, e.latency_response.text)
    return {_QUEUE: e.queue, _ENTRY: entry, _RESPONSE: response}


class Sensitivity:
    """Backtests of every variant on every instrument, each in memory."""

    def __init__(
        self,
        wanted: Sequence[Variant],
        readers: Sequence[TapeReader],
        grids: Mapping[Instrument, Grid],
        schedules: Mapping[Instrument, Schedule] | None,
    ) -> None:
        """Args:
        wanted: as of `variants`.
        schedules: orders that are given beforehand; None: a strategy decides.

        Raises:
            TickwaxError: the folder cannot be written to, or holds such rows already.
        """
        self._variants, self._readers, self._grids, self._schedules = wanted, readers, grids, schedules
        self._strategies = [strategy_factory(variant.settings) for variant in wanted]
        self._latencies = [measured_latencies(variant.settings) for variant in wanted]  # a file is read once
        first = wanted[0].settings
        self._config = first.feature_config()
        self._own = own_config(first, self._config, lambda line: None)
        self._root = first.backtest.path / FOLDER
        one = trading_identity(DATA_SET, first, self._config, grids)
        varied = {key: ", ".join(variant.values[key] for variant in wanted) for key in wanted[0].values}
        self._identity = type(one)(DATA_SET, {**one.settings, **varied}, one.own)
        self._overwrite = first.backtest.overwrite
        chosen = [reader.instrument for reader in readers]
        check_sweep_target(self._root, self._identity, chosen, self._overwrite, _KEY)

    @property
    def runs(self) -> int:
        """Variants times instruments."""
        return len(self._variants) * len(self._readers)

    def run(
        self, processes: int, progress: Callable[[int], None], clean_up: Callable[[], None]
    ) -> dict[Instrument, list[dict[str, Any]]]:
        """A row a variant, by instrument.

        Args:
            progress: told how many runs have ended.
            clean_up: called before an interruption ends the process.

        Raises:
            TickwaxError: the tape cannot be read.
        """
        rows: dict[Instrument, list[dict[str, Any]]] = {reader.instrument: [] for reader in self._readers}
        with forked(self._run, self.runs, processes, clean_up) as results:
            for done, (instrument, row) in enumerate(results, 1):
                rows[instrument].append(row)
                progress(done)
        for own in rows.values():
            own.sort(key=lambda row: int(row["run"]))
        return rows

    def write(self, rows: Mapping[Instrument, Sequence[Mapping[str, Any]]]) -> None:
        """Write the rows as a data set like that of a sweep.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        schema = sweep_schema({key: [text] for key, text in self._variants[0].values.items()})
        compression = self._variants[0].settings.tape.compression
        write_sweep(self._root, rows, schema, self._identity, compression, self._overwrite)

    def _run(self, number: int) -> tuple[Instrument, dict[str, Any]]:
        at = number % len(self._variants)
        reader, variant = self._readers[number // len(self._variants)], self._variants[at]
        settings, instrument, began = variant.settings, reader.instrument, perf_counter()
        engine = TradeEngine(
            self._own(instrument),
            execution_config(settings, instrument.venue),
            self._grids[instrument],
            strategy=self._strategies[at](),
            schedule=None if self._schedules is None else self._schedules.get(instrument, Schedule.empty()),
            latency=self._latencies[at](instrument),
            full_depth=instrument.venue in FIXED_DEPTH,
        )
        row: dict[str, Any] = {"run": at, **variant.values, "error": None}
        row["ts"], row["end_ts"] = reader.span
        try:
            orders, fills, equity = backtest_in_memory(reader, engine, self._config.sampling_ns)
        except TickwaxError:
            raise
        except Exception as e:  # with other fills a strategy may do what it did not in the run itself
            row["error"] = f"{e}"
        else:
            if len(equity["ts"]):
                row |= run_statistics(orders, fills, equity)
            else:
                row["error"] = "no feature row is complete in the range"
        row["seconds"] = perf_counter() - began
        return instrument, row
