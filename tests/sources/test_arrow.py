"""NumPy to Arrow and back, beside PyArrow's own way."""

import numpy as np
import pyarrow as pa
import pytest

from sources.tape.arrow import arrow_words, from_arrow_array, to_arrow_array

COLUMNS = {
    "int64": (np.array([-1, 0, 1 << 62]), pa.int64()),
    "int8": (np.array([-128, 0, 127], np.int8), pa.int8()),
    "float64": (np.array([-0.0, np.nan, 1e300]), pa.float64()),
    "bool": (np.arange(21) % 3 == 0, pa.bool_()),
    "a column of a table": (np.arange(20).reshape(10, 2)[:, 1], pa.int64()),
    "empty": (np.empty(0), pa.float64()),
    "empty bool": (np.empty(0, bool), pa.bool_()),
}


@pytest.mark.parametrize(("values", "kind"), COLUMNS.values(), ids=COLUMNS)
def test_there_and_back(values: np.ndarray, kind: pa.DataType) -> None:
    array = to_arrow_array(values, kind)
    array.validate(full=True)
    assert array.equals(pa.array(values, kind)) or np.isnan(values).any()
    for start in range(len(values) + 1):  # bits of a slice do not begin with a byte
        back = from_arrow_array(array.slice(start), values.dtype)
        assert back.dtype == values.dtype
        assert back.tobytes() == values[start:].tobytes()
        assert not back.size or not back.flags.writeable


def test_nulls() -> None:
    valid = np.array([True, False, True] * 5)
    array = to_arrow_array(np.arange(15), pa.int64(), valid=valid)
    assert array.to_pylist() == [n if there else None for n, there in enumerate(valid)]


def test_words() -> None:
    array = arrow_words(["", "snapshot", "µ"])
    array.validate(full=True)
    assert array.to_pylist() == ["", "snapshot", "µ"]
