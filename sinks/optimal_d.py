"""The file of fractional orders that ``features.d_file`` takes (docs/features.md, 4.9)."""

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from operators.fractional_order import FractionalOrder
from sinks.identity import Identity
from sinks.parquet import CHECKSUMS, seal
from sources.errors import DiskFailure, TickwaxError
from sources.parquet import read_schema
from sources.tape.schema import TIMESTAMP

ORDERS_SCHEMA = pa.schema(
    [
        ("exchange", pa.string()),
        ("symbol", pa.string()),
        ("series", pa.string()),
        ("d", pa.float64()),
        ("adf_stat", pa.float64()),
        ("adf_pvalue", pa.float64()),
        ("n", pa.int64()),
        ("memory_retained", pa.float64()),
        ("is_stationary", pa.bool_()),
        ("sampling", pa.string()),
        ("from_ts", TIMESTAMP),
        ("to_ts", TIMESTAMP),
    ]
)


def check_optimal_d_path(path: Path) -> None:
    """Refuse, before any work, what could not be written or should not be replaced.

    Raises:
        TickwaxError: the path is a folder, or a file of something else, or has the suffix of one.
    """
    if path.is_dir():
        raise TickwaxError(f"optimal_d.path: {path} is a folder; a file such as optimal_d.parquet is needed")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise TickwaxError(f"optimal_d.path: {path}: {above} is no folder")
    if path.exists():
        try:
            same = read_schema(path).remove_metadata().equals(ORDERS_SCHEMA)
        except TickwaxError:
            same = False
        if not same:
            raise TickwaxError(f"optimal_d.path: {path} is there and holds something else; name another file")
    if path.suffix not in ("", ".parquet"):
        raise TickwaxError(f"optimal_d.path: {path}: what is written is Parquet; name a file that ends in .parquet")


def write_fractional_orders(
    path: Path, orders: Sequence[FractionalOrder], sampling: str, identity: Identity | None = None
) -> None:
    """Write the file, whole or not at all; one that is there is replaced. ``identity`` is written into it.

    Raises:
        DiskFailure: the folder cannot be written to.
    """
    rows = [
        {name: sampling if name == "sampling" else getattr(order, name) for name in ORDERS_SCHEMA.names}
        for order in sorted(orders, key=lambda o: (o.exchange, o.symbol, o.series))
    ]
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(rows, ORDERS_SCHEMA)
        pq.write_table(table.replace_schema_metadata(identity.metadata(None)) if identity else table, part, **CHECKSUMS)
        seal(part)
        os.replace(part, path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise DiskFailure(f"optimal_d.path: cannot write {path}: {e.strerror or e}") from None
