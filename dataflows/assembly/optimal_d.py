"""The dataflow that chooses fractional orders: tape → samples → search → one file."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from dataflows.assembly.tapes import check_range, chosen_instruments, first_few, open_journals
from dataflows.reports.charts import check_chart_path, draw
from dataflows.reports.optimal_d import fractional_order_notes, fractional_order_panels, fractional_order_table
from dataflows.reports.progress import progress_bar
from dataflows.reports.terminal import line, prose
from dataflows.reports.text_table import show
from dataflows.runtime.exit_codes import in_a_line, say
from dataflows.runtime.interruption import on_interruption
from dataflows.settings.bounds import check_hole
from dataflows.settings.model import Settings
from operators.config import SECOND
from operators.fracdiff import MOST_ORDERS
from operators.fractional_order import FractionalOrder, FractionalOrderConfig, optimal_d
from operators.identity import feature_settings
from operators.optimal_d import Trial
from sinks.identity import Identity
from sinks.optimal_d import check_optimal_d_path, write_fractional_orders
from sinks.target import check_outside
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from sources.tape.reader import TapeReader
from sources.tape.source import TapeSource

_ALL = "all"  # the key under which the results of all workers meet


class OrderProgress:
    """How far the reading and the searching are; a line each on a terminal, nothing in a log file."""

    def __init__(self, rows: int) -> None:
        self._lock = threading.Lock()
        self._bar = progress_bar("{task.description}", "{task.fields[what]}")
        self._reading = self._bar.add_task("reading", total=rows, what="")
        self._searching = self._bar.add_task("searching", total=None, what="")
        self.start, self.stop = self._bar.start, self._bar.stop

    def read(self, batch: TapeBatch) -> None:
        """A worker has begun with a batch."""
        with self._lock:
            self._bar.update(self._reading, advance=batch.rows)

    def tested(self, key: str, series: str, trial: Trial) -> None:
        """A worker has tested an order."""
        with self._lock:
            self._bar.update(self._searching, what=f"{key} {series}: d = {trial.d:.4g}, p = {trial.adf_pvalue:.3g}")


@dataclass
class OrderRun:
    """A search that is ready to run."""

    flow: Dataflow
    progress: OrderProgress

    def stop_on_signals(self) -> Callable[[], None]:
        """From now on an interruption ends the process at once; returns what undoes this."""
        return on_interruption(lambda number: self.end("interrupted; nothing was written", 128 + number))

    def stop_with_error(self, error: Exception) -> None:
        """End the process with one line: Bytewax would print two tracebacks."""
        self.end(in_a_line(error), 1)

    def end(self, text: str, code: int) -> None:
        """Tell a line and leave."""
        self.progress.stop()
        say(text)
        os._exit(code)


def prepare_optimal_d(settings: Settings) -> OrderRun:
    """Put the search together.

    Raises:
        TickwaxError: the tape cannot be read or has none of the instruments asked for, or a file could not be written.
    """
    wanted = settings.optimal_d
    root = settings.tape.path
    if root is None:
        raise TickwaxError("tape.path: empty; the orders are chosen from a tape")
    check_outside(wanted.path, "optimal_d.path")
    check_optimal_d_path(wanted.path)
    if wanted.plot is not None:
        check_chart_path("optimal_d.plot", wanted.plot)
    config = fractional_order_config(settings)
    start, end = wanted.start, wanted.train_until
    journals = open_journals(root)
    chosen = chosen_instruments(settings, root, journals)
    bounds = (start.ns if start else None, end.ns if end else None)
    tell_hole = first_few(say, "more holes of the tape are not named here")
    readers = [TapeReader(root, i, *bounds, journals, say, tell_hole) for i in chosen]
    check_range(readers, "optimal_d.start", start, "optimal_d.train_until", end)
    first = {reader.instrument: reader.first_ordinal for reader in readers}
    progress = OrderProgress(sum(reader.rows for reader in readers))

    flow = Dataflow("tickwax_optimal_d")
    run = OrderRun(flow, progress)
    tape = op.input("tape", flow, TapeSource(readers, lambda item: progress.read(item.batch), run.stop_with_error))
    found = optimal_d("search", tape, config, lambda instrument: first[instrument], progress.tested)
    together = op.map("together", found, lambda item: (_ALL, item[1]))
    rows = op.fold_final("collect", together, list, lambda rows, more: rows + more)
    op.output("orders", rows, _OptimalDSink(settings, config, chosen, run))
    return run


def fractional_order_config(settings: Settings) -> FractionalOrderConfig:
    """How to search, from the settings.

    Raises:
        TickwaxError: a value is out of range.
    """
    wanted = settings.optimal_d
    step = (wanted.sampling or settings.features.sampling).ns
    features = replace(settings.feature_config(), sampling_ns=step, fdi_interval_ns=step or SECOND)
    sampling, max_hold = wanted.sampling or settings.features.sampling, settings.features.max_hold
    check_hole("optimal_d.sampling", sampling.text, max_hold.text, features)
    for name, value, allowed in (
        ("pvalue", wanted.pvalue, "between 0 and 1"),
        ("step", wanted.step, "above 0 and up to 1"),
        ("tolerance", wanted.tolerance, "above 0 and up to 1"),
    ):
        if not 0 < value <= 1 or (name == "pvalue" and value == 1):
            raise TickwaxError(f"optimal_d.{name}: {value} is not {allowed}")
    if 1 / wanted.step > MOST_ORDERS:
        raise TickwaxError(f"optimal_d.step: {wanted.step} makes {1 / wanted.step:.3g} orders; at most {MOST_ORDERS}")
    return FractionalOrderConfig(
        features=features,
        price=wanted.price,
        pvalue=wanted.pvalue,
        step=wanted.step,
        tolerance=wanted.tolerance,
        curves=wanted.plot is not None,
    )


def fractional_order_identity(settings: Settings, config: FractionalOrderConfig) -> Identity:
    """What decides an order: the settings of the search and those of the samples."""
    samples = feature_settings(config.features)
    names = ("features.sampling", "features.max_hold", "features.ffd_threshold")
    search = ("price", "pvalue", "step", "tolerance", "start", "train_until")
    return Identity(
        "optimal_d",
        {name: samples[name] for name in names}
        | {f"optimal_d.{name}": str(getattr(settings.optimal_d, name)) for name in search},
    )


class _OptimalDSink(DynamicSink[tuple[str, list[FractionalOrder]]]):
    """Writes and tells the result; it comes once, at the end, to one worker of one process."""

    def __init__(
        self, settings: Settings, config: FractionalOrderConfig, chosen: list[Instrument], run: OrderRun
    ) -> None:
        self._settings = settings
        self._config = config
        self._chosen = chosen
        self._run = run

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSinkPartition[Any]:
        """The part of one worker."""
        return _OrdersPartition(self)

    def write(self, orders: list[FractionalOrder]) -> None:
        """The file, the picture, the table."""
        wanted = self._settings.optimal_d
        orders = sorted(orders, key=lambda o: (o.exchange, o.symbol, o.series))
        try:
            sampling = (wanted.sampling or self._settings.features.sampling).text
            write_fractional_orders(
                wanted.path, orders, sampling, fractional_order_identity(self._settings, self._config)
            )
            panels = fractional_order_panels(orders, wanted.step, wanted.pvalue)
            if wanted.plot is not None and panels:
                draw(
                    wanted.plot,
                    panels,
                    "The smallest order whose series an augmented Dickey–Fuller test calls stationary",
                )
        except Exception as e:
            self._run.stop_with_error(e)
        self._run.progress.stop()
        show(fractional_order_table(orders))
        for note in fractional_order_notes(orders):
            prose(note)
        prose(f"written to {wanted.path}; use it with features.d_file={wanted.path}")
        if wanted.plot is not None:
            line(f"drawn: {wanted.plot}" if panels else "nothing to draw: no series was tested")


class _OrdersPartition(StatelessSinkPartition[tuple[str, list[FractionalOrder]]]):
    def __init__(self, sink: _OptimalDSink) -> None:
        self._sink = sink

    def write_batch(self, items: list[tuple[str, list[FractionalOrder]]]) -> None:
        for _, orders in items:
            self._sink.write(orders)
