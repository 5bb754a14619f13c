"""Files of measured latencies: the three forms, and what is refused."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from dataflows.assembly.latencies import measured_latencies
from dataflows.assembly.trading import content_identity
from dataflows.settings.model import settings_from
from operators.execution.latency import latency_at
from sources.errors import TickwaxError
from sources.instrument import Instrument

BTC, ETH = Instrument("binance_futures", "BTCUSDT"), Instrument("binance_futures", "ETHUSDT")
SENT, ACTED, TOLD = [30, 10, 20], [33, 11, 22], [37, 16, 28]


def of(path: Path, instrument: Instrument = BTC):
    return measured_latencies(settings_from({"execution.latency_file": str(path)}))(instrument)


def write(path: Path, columns: dict[str, object]) -> Path:
    if path.suffix == ".npz":
        rows = np.zeros(len(SENT), [("req_ts", "i8"), ("exch_ts", "i8"), ("resp_ts", "i8"), ("_padding", "i8")])
        for name, values in zip(rows.dtype.names, columns.values(), strict=False):
            rows[name] = values
        np.savez(path, data=rows)
    elif path.suffix == ".csv":
        pc.write_csv(pa.table(columns), path)
    else:
        pq.write_table(pa.table(columns), path)
    return path


def columns(**changes: object) -> dict[str, object]:
    return {"local_ts": SENT, "exchange_ts": ACTED, "response_ts": TOLD} | changes


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.npz"])
def test_the_newest_measurement_counts(tmp_path, name):
    latency = of(write(tmp_path / name, columns()))
    entries = [latency_at(latency.entry_from, latency.entry, ts) for ts in (-5, 9, 10, 19, 20, 29, 30, 10**18)]
    assert entries == [1, 1, 1, 1, 2, 2, 3, 3]
    responses = [latency_at(latency.response_from, latency.response, ts) for ts in (0, 11, 21, 22, 32, 33, 99)]
    assert responses == [5, 5, 5, 6, 6, 4, 4]
    assert latency.act_times(np.array([-5, 20, 31])).tolist() == [-4, 22, 34]


def test_timestamps_and_instruments(tmp_path):
    times = {name: pa.array(values, pa.timestamp("us", "UTC")) for name, values in columns().items()}
    table = {"exchange": ["binance_futures"] * 3, "symbol": ["BTCUSDT", "ETHUSDT", "BTCUSDT"], **times}
    path = write(tmp_path / "a.parquet", table)
    assert of(path).entry.tolist() == [2000, 3000]
    assert of(path, ETH).entry.tolist() == [1000]
    with pytest.raises(TickwaxError, match="has no row of bybit_linear:BTCUSDT; it has binance_futures:BTCUSDT"):
        of(path, Instrument("bybit_linear", "BTCUSDT"))


def test_no_file_is_no_measurement():
    assert measured_latencies(settings_from({}))(BTC) is None
    assert content_identity("execution.latency_file", None) == ""


def test_a_data_set_tells_the_content_not_the_name(tmp_path):
    a, b = write(tmp_path / "a.csv", columns()), write(tmp_path / "b.csv", columns())
    c = write(tmp_path / "c.csv", columns(local_ts=[29, 10, 20]))
    told = [content_identity("execution.latency_file", path) for path in (a, b, c)]
    assert told[0] == told[1] != told[2]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"exchange_ts": [33, 9, 22]}, "row 1: exchange_ts before local_ts, by 1 ns: do the clocks differ?"),
        ({"response_ts": [37, 16, 20]}, "row 2: response_ts before exchange_ts, by 2 ns: do the clocks differ?"),
        ({"local_ts": [30, None, 20]}, "a value is null"),
        ({"local_ts": ["a", "b", "c"]}, "Cannot cast"),
    ],
)
def test_a_wrong_row_is_one_line(tmp_path, changes, text):
    path = write(tmp_path / "a.parquet", columns(**changes))
    with pytest.raises(TickwaxError) as e:
        of(path)
    assert str(e.value).startswith(f"execution.latency_file: {path}: ")
    assert text in str(e.value)
    assert "\n" not in str(e.value)


def test_what_is_no_such_file_is_one_line(tmp_path):
    (tmp_path / "a.parquet").write_text("nothing")
    (tmp_path / "a.npz").write_text("nothing")
    empty = write(tmp_path / "e.parquet", {name: pa.array([], pa.int64()) for name in columns()})
    lacking = write(tmp_path / "l.parquet", {"local_ts": SENT})
    for path, text in (
        (tmp_path / "a.parquet", ""),
        (tmp_path / "a.npz", ""),
        (tmp_path / "none.csv", ""),
        (empty, "there is no measurement"),
        (lacking, "has no column exchange_ts; it needs local_ts, exchange_ts, response_ts"),
    ):
        with pytest.raises(TickwaxError) as e:
            of(path)
        assert str(e.value).startswith(f"execution.latency_file: {path}: {text}")
        assert "\n" not in str(e.value)
