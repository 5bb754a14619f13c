"""Tables in the form that was asked for."""

import importlib
from typing import Any, Literal, get_args

import pyarrow as pa

As = Literal["arrow", "polars", "pandas"]


def check_form(as_: str) -> None:
    """Whether tables can have a form, before the work for one begins.

    Raises:
        ValueError: there is no such form.
        ImportError: the library is not installed.
    """
    if as_ not in get_args(As):
        raise ValueError(f"as_: {as_!r} is not one of {', '.join(get_args(As))}")
    if as_ != "arrow":
        try:
            importlib.import_module(as_)
        except ImportError as e:
            raise ImportError(f"as_: {as_!r} needs {as_}: pip install {as_}") from e


def as_frame(table: pa.Table, as_: str) -> Any:
    """The table as Arrow, Polars or pandas has it; words become categories."""
    if as_ == "polars":
        import polars as pl

        return pl.from_arrow(table)
    return table.to_pandas() if as_ == "pandas" else table
