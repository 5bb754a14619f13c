"""Recorded tapes for other programs."""

from time import perf_counter
from typing import Any

from dataflows.assembly import exporting
from dataflows.reports.progress import instrument_bars
from dataflows.reports.summary import data_set_table
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.kernels import ready_features
from dataflows.settings.local_paths import data_set_path
from dataflows.settings.model import load_settings
from operators.bar_engine import BarConfig
from operators.bars import KINDS
from sources.durations import Duration
from sources.errors import TickwaxError


def export_bars(flags: dict[str, Any], kind: str, size: str, depths: list[str], span: int, out: str) -> None:
    """Write them; ``flags`` are settings.

    Raises:
        TickwaxError: a value is out of its range; else as `dataflows.assembly.exporting.export_bars`.
    """
    settings = load_settings(flags)
    config = _bar_config(kind, size, depths, span)
    if not out:
        raise TickwaxError("--out: '' is not the path of a folder")
    try:
        folder = data_set_path(out)
    except ValueError as e:
        raise TickwaxError(f"--out: {e}") from None
    readers = exporting.tape_readers(settings)
    ready_features()
    before = perf_counter()
    with instrument_bars({reader.instrument: reader.rows for reader in readers}) as progress:
        sink = exporting.export_bars(
            readers,
            config,
            folder,
            overwrite=settings.features.overwrite,
            compression=settings.tape.compression,
            progress=progress,
        )
    rows, seconds = sum(reader.rows for reader in readers), perf_counter() - before
    prose(f"{rows:,} tape rows in {seconds:.1f} s, {rows / seconds:,.0f} a second")
    show(data_set_table({"bars": sink}))


def _bar_config(kind: str, size: str, depths: list[str], span: int) -> BarConfig:
    try:
        if kind not in KINDS:
            raise ValueError(f"kind: {kind!r} is not one of {', '.join(KINDS)}")
        if kind == "time":
            number = float(Duration.parse(size).ns)
        else:
            try:
                number = float(size)
            except ValueError:
                raise ValueError(f"size: {size!r} is not a number") from None
        try:
            levels = tuple(map(int, depths))
        except ValueError:
            raise ValueError(f"depths: {','.join(depths)!r} are not whole numbers") from None
        return BarConfig(kind, number, levels, span)
    except ValueError as e:
        named = str(e).split(": ")[0] in ("kind", "size", "depths", "span")
        raise TickwaxError(f"--{e}" if named else f"--size: {e}") from None
