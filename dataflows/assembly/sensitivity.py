"""How much a backtest hangs on what nobody knows exactly: its place in the queue, and its latency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataflows.assembly.engines import own_config
from dataflows.assembly.identities import edges_of
from dataflows.assembly.many_backtests import ManyBacktests, Variant
from dataflows.assembly.trade_engines import TradeEngines
from dataflows.assembly.trading import trading_identity
from dataflows.settings.model import Settings, load_settings
from operators.execution.grid import Grid
from operators.execution.schedule import Schedule
from operators.execution.words import QUEUES
from sinks.identity import Identity
from sinks.sweep import DATA_SET, check_sweep_target, sweep_schema, write_sweep
from sources.instrument import Instrument
from sources.tape.reader import TapeReader

FOLDER = "sensitivity"  # beside `orders`, `fills` and `equity`
MEASURED = "measured"
_QUEUE, _ENTRY, _RESPONSE = "execution.queue", "execution.latency_entry", "execution.latency_response"
_KEY = "backtest.path"


@dataclass(frozen=True)
class ChosenSettings:
    """The settings of a backtest with one thing changed.

    Attributes:
        values: what stands in the data set, by dotted key.
    """

    settings: Settings
    values: Mapping[str, str]


def variants(flags: Mapping[str, Any], latencies: Sequence[str]) -> list[ChosenSettings]:
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
    return [ChosenSettings(settings, _values(settings)) for settings in each]


def _values(settings: Settings) -> dict[str, str]:
    e = settings.execution
    entry, response = (MEASURED, MEASURED) if e.latency_file else (e.latency_entry.text, e.latency_response.text)
    return {_QUEUE: e.queue, _ENTRY: entry, _RESPONSE: response}


class Sensitivity:
    """Backtests of every variant on every instrument, each in memory."""

    def __init__(
        self,
        wanted: Sequence[ChosenSettings],
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
        self._first = wanted[0]
        first = self._first.settings
        config = first.feature_config()
        own = own_config(first, config, lambda line: None)
        each = [
            Variant(one.values, TradeEngines(one.settings, own, schedules, tell=lambda line: None)) for one in wanted
        ]
        self.backtests = ManyBacktests(first, each, readers, grids)
        self._root = first.backtest.path / FOLDER
        one = trading_identity(DATA_SET, first, config, grids, edges_of(readers), each[0].engines.identity)
        varied = {key: ", ".join(each.values[key] for each in wanted) for key in self._first.values}
        self._identity = Identity(DATA_SET, {**one.settings, **varied}, one.own)
        chosen = [reader.instrument for reader in readers]
        check_sweep_target(self._root, self._identity, chosen, first.backtest.overwrite, _KEY)

    def write(self, rows: Mapping[Instrument, Sequence[Mapping[str, Any]]]) -> None:
        """Write the rows of ``backtests`` as a data set like that of a sweep.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        first = self._first.settings
        schema = sweep_schema({key: [text] for key, text in self._first.values.items()})
        write_sweep(self._root, rows, schema, self._identity, first.tape.compression, first.backtest.overwrite)
