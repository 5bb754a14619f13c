"""Recorded tapes for other programs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from dataflows.assembly import export_csv as csv_export
from dataflows.assembly import export_hftbacktest as hft_export
from dataflows.assembly import exporting
from dataflows.assembly.export_files import Exported
from dataflows.reports.progress import instrument_bars
from dataflows.reports.summary import Written, data_set_table
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.kernels import announce, ready_features
from dataflows.settings.local_paths import data_set_path, local_path
from dataflows.settings.model import load_settings
from operators.bar_engine import BarConfig
from operators.bars import KINDS
from operators.jit import CACHE as OPERATORS
from sources.durations import Duration
from sources.errors import TickwaxError
from sources.tape.reader import TapeReader

_WAITING = ("arrival", "snapshot")


def export_bars(flags: dict[str, Any], kind: str, size: str, depths: list[str], span: int, out: str) -> None:
    """Write them; ``flags`` are settings.

    Raises:
        TickwaxError: a value is out of its range; else as `dataflows.assembly.exporting.export_bars`.
    """
    settings = load_settings(flags)
    config = _bar_config(kind, size, depths, span)
    folder = _folder(out, data_set_path)
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
    _tell(readers, perf_counter() - before, "bars", sink)


def export_hftbacktest(flags: dict[str, Any], out: str, compress: bool, waiting: str) -> None:
    """Write events; ``flags`` are settings.

    Raises:
        TickwaxError: a value is another word; else as `dataflows.assembly.export_hftbacktest.export_hftbacktest`.
    """
    if waiting not in _WAITING:
        raise TickwaxError(f"--waiting: {waiting!r} is not one of {', '.join(_WAITING)}")
    wait = waiting == _WAITING[1]

    def write(readers: Sequence[TapeReader], folder: Path, overwrite: bool, progress: exporting.Progress) -> Exported:
        return hft_export.export_hftbacktest(
            readers, folder, overwrite=overwrite, compress=compress, wait=wait, progress=progress
        )

    announce(OPERATORS, "hft_events.expand", 3)
    _export_files(flags, out, "events", write)


def export_csv(flags: dict[str, Any], out: str) -> None:
    """Write CSV; ``flags`` are settings.

    Raises:
        TickwaxError: as `dataflows.assembly.export_csv.export_csv`.
    """

    def write(readers: Sequence[TapeReader], folder: Path, overwrite: bool, progress: exporting.Progress) -> Exported:
        return csv_export.export_csv(readers, folder, overwrite=overwrite, progress=progress)

    _export_files(flags, out, "csv", write)


def _export_files(
    flags: dict[str, Any],
    out: str,
    what: str,
    write: Callable[[Sequence[TapeReader], Path, bool, exporting.Progress], Exported],
) -> None:
    settings = load_settings(flags)
    folder = _folder(out)
    readers = exporting.tape_readers(settings)
    before = perf_counter()
    with instrument_bars({reader.instrument: reader.rows for reader in readers}) as progress:
        exported = write(readers, folder, settings.features.overwrite, progress)
    _tell(readers, perf_counter() - before, what, exported)
    for note in exported.notes:
        prose(note)


def _folder(out: str, path: Callable[[str], Path] = local_path) -> Path:
    if not out:
        raise TickwaxError("--out: '' is not the path of a folder")
    try:
        return path(out)
    except ValueError as e:
        raise TickwaxError(f"--out: {e}") from None


def _tell(readers: Sequence[TapeReader], seconds: float, what: str, written: Written) -> None:
    rows = sum(reader.rows for reader in readers)
    prose(f"{rows:,} tape rows in {seconds:.1f} s, {rows / seconds:,.0f} a second")
    show(data_set_table({what: written}))


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
