"""Replay and live as their users run them, with features to Kafka."""

import math
import signal
import time

import pyarrow as pa
import pytest

from dataflows.assembly.replay import prepare_replay
from dataflows.settings.model import load_settings
from simulator.thread import simulator_thread
from sources.errors import TickwaxError
from sources.instrument import Instrument
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_live import wait_until_served
from tests.dataflows.test_replay import MODULE, table, told
from tests.kafka.consumer import without_duplicates
from tests.markets import market

pytestmark = pytest.mark.slow

LIVE = ("-m", "bytewax.run", "dataflows.live")


def recorded(root, instrument: Instrument) -> list[dict]:
    """The Parquet rows, as JSON would say them."""
    rows = table(root, instrument)
    for name in ("ts", "receive_ts"):
        rows = rows.set_column(rows.schema.get_field_index(name), name, rows[name].cast(pa.int64()))
    said = rows.to_pylist()
    return [{k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()} for row in said]


def received(records) -> dict[str, list[dict]]:
    """Rows by key after the rule of docs/kafka.md, in order, without what JSON says beyond the columns."""
    found: dict[str, list[dict]] = {}
    for key, row in without_duplicates(sorted(records, key=lambda r: (r.partition, r.offset))):
        exchange, symbol = row.pop("exchange", None), row.pop("symbol", None)
        assert exchange is None or f"{exchange}:{symbol}" == key
        found.setdefault(key, []).append(
            {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        )
    return found


@pytest.mark.parametrize(("form", "workers"), [("json", 1), ("arrow", 2)])
def test_a_replay_publishes_what_it_writes(cluster, topic, read, start, synthetic_tape_root, tmp_path, form, workers):
    name = topic(3)
    kafka = {
        "kafka.bootstrap": cluster.bootstrap,
        "kafka.topic": name,
        "kafka.format": form,
        "kafka.compression": "lz4",
    }
    paths = {"tape.path": synthetic_tape_root, "features.path": tmp_path / "features"}
    process = start({**kafka, **paths}, *MODULE, "-w", workers)
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout, told(stderr)) == (0, "", [])
    records = read(name)
    assert received(records) == {str(i): recorded(tmp_path / "features", i) for i in INSTRUMENTS}
    rows = sum(len(recorded(tmp_path / "features", i)) for i in INSTRUMENTS)
    assert len(records) == rows if form == "json" else len(records) < rows / 10


def test_a_replay_without_its_topic_is_one_line(cluster, start, synthetic_tape_root, tmp_path):
    paths = {"tape.path": synthetic_tape_root, "features.path": tmp_path / "features"}
    process = start({**paths, "kafka.bootstrap": cluster.bootstrap, "kafka.topic": "nope"}, *MODULE)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, len(told(stderr))) == (2, 1)
    assert "kafka.topic: no topic 'nope'" in stderr


def test_a_live_run_records_on_when_the_broker_stays_away(cluster, topic, read, start, tmp_path):
    name = topic(2)
    with simulator_thread(market(instruments=tuple(INSTRUMENTS[:2])), time.time_ns) as exchange:
        settings = {
            **exchange.addresses,
            "tape.path": tmp_path / "tape",
            "features.path": tmp_path / "features",
            "symbols": '["binance_futures:*"]',
            "duration": "7s",
            "kafka.bootstrap": cluster.bootstrap,
            "kafka.topic": name,
            "kafka.deadline": "1s",
        }
        process = start(settings, *LIVE)
        wait_until_served(exchange, 2)
        with cluster.frozen():
            stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (1, ""), stderr
    assert "kafka given up" in stderr
    assert "kafka.deadline allows 1 s" in stderr.splitlines()[-1]
    published = received(read(name))
    for instrument in INSTRUMENTS[:2]:
        rows = recorded(tmp_path / "features", instrument)
        sent = published[str(instrument)]
        assert 0 < len(sent) < len(rows) - 10
        assert sent == rows[: len(sent)]


def test_one_process_records_and_another_computes_what_it_publishes(cluster, topic, read, start, tmp_path):
    """Live publishes its tape; a replay that follows the topic publishes features: the bits of the live run's own."""
    tape, features = topic(3), topic(3)
    kafka = {"kafka.bootstrap": cluster.bootstrap, "tape.topic": tape}
    follow = {**kafka, "kafka.topic": features, "tape.follow": True, "features.path": ""}
    follower = start(follow, *MODULE)
    with simulator_thread(market(instruments=tuple(INSTRUMENTS)), time.time_ns) as exchange:
        settings = {
            **exchange.addresses,
            **kafka,
            "kafka.topic": "",
            "tape.path": tmp_path / "tape",
            "features.path": tmp_path / "features",
            "symbols": '["binance_futures:*","bybit_linear:*"]',
            "duration": "5s",
        }
        recorder = start(settings, *LIVE)
        wait_until_served(exchange, 3)
        exchange.fault("drop", symbol=INSTRUMENTS[0].symbol, stream="*@depth*")
        stdout, stderr = recorder.communicate(timeout=60)
    assert (recorder.returncode, stdout) == (0, ""), stderr
    expected = {str(i): recorded(tmp_path / "features", i) for i in INSTRUMENTS}
    deadline = time.monotonic() + 30
    while (found := received(read(features))) != expected and time.monotonic() < deadline:
        time.sleep(0.2)
    follower.send_signal(signal.SIGTERM)
    stdout, stderr = follower.communicate(timeout=30)
    assert (follower.returncode, stdout) == (0, ""), stderr
    assert found == expected
    assert min(map(len, expected.values())) > 10


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"tape.topic": "t"}, "tape.topic: 't' needs kafka.bootstrap"),
        ({"tape.follow": True}, "tape.follow: true needs tape.topic"),
        ({"tape.topic": "t", "kafka.topic": "t", "kafka.bootstrap": "h:1"}, "tape.topic: 't' is also kafka.topic"),
    ],
)
def test_impossible_combinations_are_one_line(settings, line):
    with pytest.raises(TickwaxError, match=f"^{line}"):
        load_settings(settings)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"tape.follow": True}, "features.path: 'data/features' would appear only at the end"),
        ({"replay.start": "2026-01-05"}, "replay.start: '2026-01-05' cuts a tape of files"),
        ({"tape.topic": "nope"}, "tape.topic: no topic 'nope'"),
    ],
)
def test_what_a_topic_cannot_do_is_one_line(cluster, settings, line):
    with pytest.raises(TickwaxError, match=f"^{line}"):
        prepare_replay(load_settings({"kafka.bootstrap": cluster.bootstrap, "tape.topic": "t", **settings}))
