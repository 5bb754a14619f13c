"""The tape in Arrow: its schema on disk, and the way between it and column batches."""

import pyarrow as pa

from sources.tape.arrow import arrow_words, to_arrow_array
from sources.tape.batch import KINDS, TapeBatch

# Keys of a data file's metadata: the settings that decide its values, a JSON object; and one of these, in a tape.
SETTINGS = "tickwax.settings"
CUT_LEVELS = "cut_levels"  # as of `InstrumentBatch`
EDGE = "synthetic.edge"  # of a synthetic market: how predictable it was made, or `UNMEASURED`
GRID = "tickwax.grid"  # of a data file's metadata: the steps of all its prices and sizes, a JSON object
UNMEASURED = "unmeasured"  # the market that order flow makes can be predicted, nobody knows how well

TIMESTAMP = pa.timestamp("ns", tz="UTC")

# A tape has no nulls. Said in the schema, Parquet keeps no definition levels, which cost a reader nearly half its time.
TAPE_SCHEMA = pa.schema(
    [
        pa.field(name, type, nullable=False)
        for name, type in (
            ("ordinal", pa.int64()),
            ("exchange_ts", TIMESTAMP),
            ("receive_ts", TIMESTAMP),
            ("sequence", pa.int64()),
            ("kind", pa.dictionary(pa.int8(), pa.string())),
            ("side", pa.int8()),
            ("price", pa.float64()),
            ("size", pa.float64()),
            ("last", pa.bool_()),
        )
    ]
)

_KIND_WORDS = arrow_words(KINDS)


def to_arrow(batch: TapeBatch) -> pa.RecordBatch:
    """One batch as Arrow, numbers without a copy."""
    columns = [
        pa.DictionaryArray.from_arrays(to_arrow_array(values, pa.int8()), _KIND_WORDS)
        if name == "kind"
        else to_arrow_array(values, TAPE_SCHEMA.field(name).type)
        for name, values in batch._asdict().items()
    ]
    return pa.RecordBatch.from_arrays(columns, schema=TAPE_SCHEMA)
