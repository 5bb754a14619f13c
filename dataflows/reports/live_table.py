"""A live table on the terminal: the newest feature row of each instrument."""

import shutil
import threading
import time
from collections.abc import Mapping
from typing import Any

from bytewax.outputs import DynamicSink, StatelessSinkPartition
from rich.text import Text

from dataflows.reports import terminal
from dataflows.reports.text_table import TextTable
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.fractal import REGIMES
from operators.row_batch import RowBatch
from operators.schema import RECEIVE_TS, column_row, feature_columns
from sources.instrument import Instrument

_NS_PER_MS = 1e6
_CAPTION = "ms: since the newest frame in the row"
_DIGITS = {"mid": 7}  # significant ones; fewer elsewhere, so that a line fits 80 columns


class LiveTable(DynamicSink[tuple[str, RowBatch]]):
    """Keeps the newest row of each instrument, and draws them."""

    def __init__(self, config: FeatureConfig, engines: Mapping[Instrument, FeatureEngine]) -> None:
        """``engines``: read for the number of resets; may fill up while the board is in use."""
        self._engines = engines
        rows = {c.name: c.row for c in feature_columns(config) if c.array == "value"}
        zscores = [name for name in rows if name.startswith("ofi_z_")][: len(config.windows)]  # of the best level
        z = zscores[min(1, len(zscores) - 1)]
        names = {"mid": "mid", "spread": "spread", z.removeprefix("ofi_"): z, "ffd": "price_ffd", "fdi": "fdi"}
        self._columns = {title: rows[name] for title, name in names.items()}
        self._regime = column_row(config, "regime")
        self._newest: dict[str, tuple[list[float], int, int]] = {}
        self._lock = threading.Lock()

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_LiveTablePartition":
        """The part of one worker."""
        return _LiveTablePartition(self)

    def put(self, key: str, rows: RowBatch) -> None:
        """Take the newest of these rows."""
        values = [float(rows.value[row, -1]) for row in self._columns.values()]
        newest = (values, int(rows.code[self._regime, -1]), int(rows.integer[RECEIVE_TS, -1]))
        with self._lock:
            self._newest[key] = newest

    def picture(self) -> Text:
        """What is known now, for the terminal as it is now."""
        size = shutil.get_terminal_size()
        lines = self.table().lines(size.columns, terminal.shown)
        room = max(size.lines - 2, 2)  # for the caption, and the line in which the cursor stands
        if len(lines) > room:
            lines = [*lines[: room - 1], f"{len(lines) - room + 1} more lines; a higher terminal shows them"]
        return Text("\n".join([*lines, _CAPTION]), no_wrap=True, overflow="ignore")

    def table(self) -> TextTable:
        """What is known now."""
        table = TextTable(("instrument", *self._columns, "regime", "gaps", "ms"))
        now = time.time_ns()
        with self._lock:
            newest = sorted(self._newest.items())
        for key, (values, regime, receive_ts) in newest:
            engine = self._engines.get(Instrument.parse(key))
            gaps = str(engine.quality.resets) if engine else ""
            word = REGIMES[regime] if regime >= 0 else ""
            lag = f"{(now - receive_ts) / _NS_PER_MS:.0f}"
            texts = (f"{v:.{_DIGITS.get(title, 4)}g}" for title, v in zip(self._columns, values, strict=True))
            table.add(key, *texts, word, gaps, lag)
        return table


class _LiveTablePartition(StatelessSinkPartition[tuple[str, RowBatch]]):
    def __init__(self, board: LiveTable) -> None:
        self._board = board

    def write_batch(self, items: list[Any]) -> None:
        """Show rows."""
        for key, rows in items:
            self._board.put(key, rows)
