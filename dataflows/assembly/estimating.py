"""A model of placement from tapes: orders are placed at random on each, and what comes of them is counted."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from dataflows.assembly.engines import own_config
from dataflows.assembly.grids import grids_of
from dataflows.assembly.latencies import measured_latencies
from dataflows.assembly.tapes import open_tape
from dataflows.assembly.trading import execution_config
from dataflows.reports.progress import instrument_bars
from dataflows.runtime.exit_codes import say
from dataflows.runtime.kernels import ready_trading
from dataflows.settings.model import Settings
from operators.execution.grid import Grid
from operators.identity import feature_settings
from operators.placement.model import KIND, StepModel, as_arrays
from operators.placement.plan import QUOTES, Placement
from operators.placement.probe import Probe
from operators.schema import column_row
from operators.trade_engine import TradeEngine
from operators.trade_step import TradeLogic
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.model_folder import VERSION, Card, settings_hash
from sources.tape.reader import TapeReader
from sources.tape.source import items
from sources.venues.names import FIXED_DEPTH

if TYPE_CHECKING:
    from learning.placement import Decisions

_ROWS_AT_ONCE = 20_000  # feature rows that a batch may complete
_NEVER = 1 << 40  # steps to the deadline of an order that has none
_NO_EDGE = ("", "0.0")  # of a tape's file: no synthetic market, or one without an edge
Tell = Callable[[str], None]


def estimate_placement(settings: Settings, tell: Tell = say) -> dict[str, Any]:
    """Estimate the model of every instrument, write the folder, and return its report.

    Args:
        tell: told in lines what there is to say of the tapes.

    Raises:
        TickwaxError: a tape cannot be read, or has too few events; the model is there already, or cannot be written.
    """
    from learning.model_writer import check_model_path, write_model
    from learning.placement import TooFewError, estimate, steps_of

    t, p = settings.train, settings.placement
    check_model_path(t.path, t.overwrite)
    roots = p.tapes or ((settings.tape.path,) if settings.tape.path else ())
    seen: dict[Instrument, _Seen] = {}
    planted, first, last, told = False, 1 << 62, 0, []
    for root in roots:
        own = settings.model_copy(update={"tape": settings.tape.model_copy(update={"path": root})})
        _, readers = open_tape(own, tell=tell)
        grids = grids_of(own, readers, tell)
        ready_trading(tell)
        with instrument_bars({reader.instrument: reader.rows for reader in readers}) as bars:
            for reader in readers:
                _watch(own, reader, grids[reader.instrument], seen, bars)
                planted = planted or reader.edge not in _NO_EDGE
                first, last = min(first, reader.span[0]), max(last, reader.span[1])
        told.append(f"{root}: {', '.join(str(reader.instrument) for reader in readers)}")
    arrays: dict[str, Any] = {}
    models: dict[str, StepModel] = {}
    for number, (instrument, one) in enumerate(sorted(seen.items())):
        try:
            steps = steps_of(one.decisions, p.step.ns)
            model = estimate(steps, one.mean_spread, one.level, float(one.grid.tick))
        except TooFewError as e:
            raise TickwaxError(f"tape.path: {instrument}: {e}") from None
        arrays |= as_arrays(number, model)
        models[str(instrument)] = model
    config, execution = settings.feature_config(), settings.execution
    features = feature_settings(config)
    card = Card(
        version=VERSION, kind=KIND, columns=QUOTES, horizons=(), quantiles=(), features=features,
        features_hash=settings_hash(features), instruments=tuple(map(str, sorted(seen))), trained_from=first,
        trained_until=last + 1, rows=sum(int(model.steps.sum()) for model in models.values()),
        parameters={
            "placement.step": str(p.step), "placement.size": "least" if p.size is None else p.size, "tapes": told,
            "execution.queue": f"{execution.queue} {execution.queue_power}",
            "execution.latency_entry": str(execution.latency_entry),
            "execution.latency_response": str(execution.latency_response),
            "execution.latency_file": str(execution.latency_file or ""),
        },
        packages={"numpy": version("numpy")}, planted=planted,
    )  # fmt: skip
    report = {"instruments": {name: _report(model) for name, model in models.items()}}
    identity = write_model(t.path, card, arrays, report=report, overwrite=t.overwrite)
    return {**report, "identity": identity}


class _Seen:
    """What was seen of an instrument, over all tapes."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.decisions: list[Decisions] = []
        self._spreads, self._rows, self._mids = np.zeros(3), np.zeros(3), 0.0

    def add(self, quotes: Any) -> None:
        """Feature rows: bids and asks, shape ``(2, n)``."""
        bid, ask = quotes[:, quotes[0] < quotes[1]] / float(self.grid.tick)
        kind = np.clip(np.rint(ask - bid).astype(int), 1, 3) - 1
        self._spreads += np.bincount(kind, ask - bid, 3)
        self._rows += np.bincount(kind, minlength=3)
        self._mids += float(((bid + ask) / 2).sum())

    @property
    def mean_spread(self) -> Any:
        """By class, ticks; not a number where there was none."""
        return np.divide(self._spreads, self._rows, out=np.full(3, np.nan), where=self._rows > 0)

    @property
    def level(self) -> float:
        """Mean mid, ticks; 0 where no row was seen."""
        return self._mids / max(float(self._rows.sum()), 1.0)


def _watch(
    settings: Settings,
    reader: TapeReader,
    grid: Grid,
    seen: dict[Instrument, _Seen],
    bars: Callable[[Instrument, int], None],
) -> None:
    """Place orders on one tape, and keep what became of them.

    Raises:
        TickwaxError: the tape cannot be read, or the instrument has another tick on another tape.
    """
    from learning.placement import Decisions

    instrument, p = reader.instrument, settings.placement
    config = own_config(settings, settings.feature_config(), lambda line: None)(instrument)
    least = max(grid.least, float(grid.lot))
    probe: Any = Probe(least if p.size is None else p.size)
    engine = TradeEngine(
        config,
        execution_config(settings, instrument.venue),
        grid,
        strategy=probe,
        latency=measured_latencies(settings)(instrument),
        full_depth=instrument.venue in FIXED_DEPTH,
        placement=Placement("explore", step_ns=p.step.ns, steps=_NEVER),
        name=str(instrument),
    )
    one = seen.setdefault(instrument, _Seen(grid))
    if one.grid.tick != grid.tick:
        raise TickwaxError(
            f"placement.tapes: {instrument} has tick {float(one.grid.tick):.12g} on one tape and "
            f"{float(grid.tick):.12g} on another; name it with execution.grids"
        )
    quotes = [column_row(config, name) for name in ("bid_price", "ask_price")]
    logic = TradeLogic(lambda i: engine, lambda i: reader.first_ordinal, lambda error: None)
    done = 0
    for _, item in items([reader], _ROWS_AT_ONCE * config.sampling_ns):
        for traded in logic.on_batch([item])[0]:
            if traded.features.rows:
                one.add(traded.features.value[quotes])
            if traded.placements.rows:
                one.decisions.append(Decisions.of(traded.placements, float(grid.tick)))
        done += item.batch.rows
        bars(instrument, done)


def _report(model: StepModel) -> Mapping[str, Any]:
    return {
        "steps": model.steps.tolist(),
        "filled": model.filled.tolist(),
        "filled_error": model.filled_error.tolist(),
        "move": [float(after @ move) for after, move in zip(model.after, model.move, strict=True)],
        "move_error": model.move_error.tolist(),
        "spread": model.spread.tolist(),
        "level": float(model.level[0]),
    }
