"""The learning curve: a row every so many steps, as a line and in Parquet."""

import io
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [
        ("steps", pa.int64()),
        ("gradient_steps", pa.int64()),
        ("episodes", pa.int64()),
        ("mean_return", pa.float64()),  # of the last 20 episodes that ended by themselves; NaN before the first
        ("loss", pa.float64()),  # mean since the row before; NaN if there was no gradient step
        ("epsilon", pa.float64()),
        ("value_mean", pa.float64()),
        ("value_deviation", pa.float64()),
    ]
)


class Point(NamedTuple):
    """A row of the curve."""

    steps: int
    gradient_steps: int
    episodes: int
    mean_return: float
    loss: float
    epsilon: float
    value_mean: float
    value_deviation: float

    def __str__(self) -> str:
        return (
            f"{self.steps:,} steps, {self.episodes:,} episodes: mean return {self.mean_return:.4g}, "
            f"loss {self.loss:.4g}, epsilon {self.epsilon:.3f}, "
            f"values {self.value_mean:.4g} ± {self.value_deviation:.3g}"
        )


def written(curve: list[Point]) -> bytes:
    """The curve as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([point._asdict() for point in curve], SCHEMA), out)
    return out.getvalue()


def read(data: bytes) -> list[Point]:
    """The curve of a Parquet file that `written` made."""
    return [Point(**row) for row in pq.read_table(io.BytesIO(data)).to_pylist()]
