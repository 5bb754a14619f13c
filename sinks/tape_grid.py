"""Tick and lot of a tape file, found while it is written: so that a backtest need not read the tape twice."""

import json
from fractions import Fraction

import pyarrow as pa

from operators.execution.grid import StepSearch
from sources.tape.batch import TapeBatch, tape_batch
from sources.tape.files import columns_of
from sources.tape.schema import GRID, to_arrow

_COLUMNS = ["ordinal", "kind", "price", "size"]


class TapeGrid:
    """What a file of a tape says of the prices and sizes of its rows (docs/tape.md, 2.6)."""

    def __init__(self) -> None:
        self._tick, self._lot = StepSearch(), StepSearch()
        self._ordinals: tuple[int, int] | None = None
        self._on_a_grid = True

    def add(self, table: pa.Table) -> None:
        """Take the rows that are written."""
        for record in table.select(_COLUMNS).to_batches():
            rows = columns_of("", record, 0)
            if not rows.rows:
                continue
            first, last = int(rows.ordinal[0]), int(rows.ordinal[-1])
            self._ordinals = (first if self._ordinals is None else self._ordinals[0], last)
            if self._on_a_grid:
                try:
                    self._tick.add(rows.price, rows.kind)
                    self._lot.add(rows.size, rows.kind)
                except ValueError:  # more decimals than a grid may have: who needs one reads the rows, and is told
                    self._on_a_grid = False

    def metadata(self) -> dict[str, str]:
        """For the file; empty if it says nothing."""
        if self._ordinals is None or not self._on_a_grid:
            return {}
        return {GRID: json.dumps({"tick": _text(self._tick), "lot": _text(self._lot), "ordinals": self._ordinals})}


def ready_grid() -> None:
    """Compile what a file needs: a live run writes its first ones while frames come."""
    row = {name: [0] for name in TapeBatch._fields}
    TapeGrid().add(pa.Table.from_batches([to_arrow(tape_batch(**row | {"price": [1.0], "size": [1.0]}))]))


def _text(search: StepSearch) -> str | None:
    step: Fraction | None = search.step
    return None if step is None else str(step)
