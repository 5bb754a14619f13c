"""Features from a recorded tape: the dataflow of ``tickwax replay``, in the calling program."""

from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from dataflows.assembly.in_process import replay_in_process
from dataflows.runtime.caller import Caller
from operators.arguments import as_count
from tickwax._arguments import (
    FeatureArguments,
    Path,
    ReplayArguments,
    Symbols,
    Time,
    as_settings,
    naming_arguments,
)
from tickwax._frames import As, as_frame, check_form

if TYPE_CHECKING:
    import pathlib

    import pandas as pd
    import polars as pl
    import pyarrow as pa

_MOST_WORKERS = 1024


@overload
def replay(tape: Path, *, to: Path, **arguments: Unpack[ReplayArguments]) -> "pathlib.Path": ...
@overload
def replay(
    tape: Path, *, to: None = ..., as_: Literal["arrow"] = ..., **arguments: Unpack[ReplayArguments]
) -> "pa.Table": ...
@overload
def replay(
    tape: Path, *, to: None = ..., as_: Literal["polars"], **arguments: Unpack[ReplayArguments]
) -> "pl.DataFrame": ...
@overload
def replay(
    tape: Path, *, to: None = ..., as_: Literal["pandas"], **arguments: Unpack[ReplayArguments]
) -> "pd.DataFrame": ...
def replay(
    tape: Path,
    *,
    to: Path | None = None,
    as_: As = "arrow",
    symbols: Symbols | None = None,
    sampling: str = "100ms",
    start: Time | None = None,
    end: Time | None = None,
    books: Path | None = None,
    overwrite: bool = False,
    workers: int = 1,
    progress: bool = False,
    **features: Unpack[FeatureArguments],
) -> Any:
    """Compute every feature of a tape: the same rows, bit for bit, as ``tickwax replay`` writes.

        >>> import tickwax as tw
        >>> tape = tw.synthetic_tape("tape", span="5s")
        >>> frame = tw.replay(tape, sampling="1s", windows=["1s"], depths=[1, 5])
        >>> frame.column_names[:4]
        ['exchange', 'symbol', 'ts', 'receive_ts']
        >>> tw.replay(tape, to="features", sampling="1s").name
        'features'

    A frame takes memory, about 0.6 kB a row; with ``to`` the memory is bounded, whatever the length of the tape. An
    interruption (Ctrl-C) raises `KeyboardInterrupt` and leaves nothing behind.

    Args:
        tape: folder of the tape.
        to: folder of the data set to write; None: the rows come back as a frame.
        as_: form of the frame: ``arrow``, ``polars`` or ``pandas``.
        symbols: one or more of ``venue:SYMBOL`` and ``venue:*``; None: all of the tape.
        sampling: the step of the rows, such as ``100ms``, or ``update`` for a row at every change of the book.
        start, end: rows of the tape with ``start`` ≤ ``receive_ts`` < ``end``.
        books: folder for the data set of the 20 best levels at every row; None: not written.
        overwrite: replace what these instruments have in the folders.
        workers: threads that compute; the rows are the same.
        progress: show a bar, and tell of the kernels' compilation (25 s, once a machine).
        features: the other settings of the features (`FeatureArguments`), such as ``windows=["1s", "5s"]``.

    Returns:
        The frame: ``exchange``, ``symbol`` and the columns of `features_dictionary`, instrument by instrument, each in
        the order of its tape; or the `pathlib.Path` of the data set.

    Raises:
        ValueError: an argument is unknown or out of range.
        TickwaxError: the tape cannot be read or gives no row, or the data set cannot be written or is there already.
        ImportError: ``as_`` names a library that is not installed.
    """
    check_form(as_)
    if to is not None and as_ != "arrow":
        raise ValueError(f"as_: {as_!r} is the form of a frame, and with `to` there is none; use read_features")
    if to is not None and not str(to):
        raise ValueError("to: '' is not the path of a folder")
    if tape is None:  # which would be the default of the settings
        raise ValueError("tape: None is not the path of a folder")
    count = as_count("workers", workers, 1, _MOST_WORKERS)
    settings = as_settings(
        {
            "tape.path": tape,
            "features.path": "" if to is None else to,
            "features.sampling": sampling,
            "features.overwrite": overwrite,
            "books.path": books,
            "symbols": symbols,
            "replay.start": start,
            "replay.end": end,
        },
        features,
    )
    with naming_arguments() as lines:
        done = replay_in_process(settings, Caller(lines.append, frame=to is None, progress=progress), count)
    return settings.features.path if done.frame is None else as_frame(done.frame.table(), as_)
