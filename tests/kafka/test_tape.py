"""The tape in a topic: what was published is what is read, each row once, and features of the same bits."""

import itertools
import signal
import time
from datetime import timedelta
from types import SimpleNamespace

import bytewax.operators as op
import numpy as np
import pytest
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from bytewax.testing import TestingSink
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.assembly.kafka import publish_tape
from dataflows.assembly.replay import prepare_replay
from dataflows.settings.model import load_settings
from sinks.kafka.publisher import Delivery, Publisher
from sinks.kafka.tape import TapeMessages
from sinks.kafka.telemetry import KafkaTelemetry
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.kafka.source import KafkaTapeSource
from sources.kafka.tape import Continuity, decode
from sources.tape.batch import RESET, SNAPSHOT, InstrumentBatch, TapeBatch, concat
from sources.tape.reader import TapeReader
from sources.tape.source import TapeSource, cut
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_replay import MODULE, assert_same, free_ports, table, told
from tests.kafka.test_dataflows import received, recorded
from tests.oracle.script import Script
from tests.strategies import split, splits, tapes

pytestmark = pytest.mark.slow

BTC = INSTRUMENTS[0]


def publish(root, bootstrap: str, topic: str) -> None:
    """A tape of files to a topic, by the step of a live run."""
    readers = [TapeReader(root, i) for i in INSTRUMENTS]
    values = {"kafka.bootstrap": bootstrap, "tape.topic": topic, "kafka.linger": "1ms"}
    flow = Dataflow("publish")
    tape = op.input("tape", flow, TapeSource(readers, longest_ns=500_000_000))
    (sink,) = publish_tape(tape, load_settings(values), lambda error: None)
    cli_main(flow)
    assert sink.error is None


def same(found: TapeBatch, expected: TapeBatch) -> bool:
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(found, expected, strict=True))


def as_records(batches: list[TapeBatch]) -> list[SimpleNamespace]:
    """Messages as a consumer gets them."""
    messages = TapeMessages().messages(str(BTC), [InstrumentBatch(BTC, b) for b in batches])
    return [SimpleNamespace(key=m.key, value=m.value, headers=m.headers, offset=n) for n, m in enumerate(messages)]


@settings(max_examples=30)
@given(data=st.data())
def test_any_tape_in_any_messages_sent_again_from_anywhere_is_read_once(data):
    tape = data.draw(tapes())
    parts = list(split(tape, data.draw(splits(tape.rows))))
    records = list(itertools.chain.from_iterable(as_records([part]) for part in parts if part.rows))
    back = data.draw(st.integers(0, len(records)))
    begin = data.draw(st.integers(0, back))
    continuity = Continuity()
    taken = [continuity.take(decode(r, "here").batch, "here") for r in records[:back] + records[begin:]]
    found = concat([part for part in taken if part is not None])
    assert same(found, tape.slice(continuity.skipped, tape.rows))
    assert continuity.skipped == 0 or tape.ordinal[0] > 0
    assert continuity.repeated == sum(int(dict(r.headers)["rows"]) for r in records[begin:back])


def whole(root, instrument: Instrument) -> TapeBatch:
    return concat(list(TapeReader(root, instrument).batches()))


def test_a_topic_that_begins_inside_a_tape_is_read_from_the_next_known_book(synthetic_tape_root):
    tape = whole(synthetic_tape_root, BTC)
    begins = np.flatnonzero((tape.kind == RESET) | ((tape.kind == SNAPSHOT) & np.r_[True, tape.last[:-1]]))
    later = int(begins[begins > 0][0]) if (begins > 0).any() else tape.rows
    continuity = Continuity()
    taken = continuity.take(tape.slice(5, tape.rows), "here")
    assert continuity.skipped == later - 5
    assert taken is None if later == tape.rows else same(taken, tape.slice(later, tape.rows))


def test_a_delta_without_a_snapshot_is_found_once():
    script = (
        Script().delta(1, [(99, 1)]).snapshot(2, [(99, 1)], [(101, 1)]).reset(3).trade(4, 1, 99, 1).delta(5, [(9, 1)])
    )
    tape = script.batch()  # rows 0, 1-2, 3, 4, 5

    def found(rows: TapeBatch, begun: Continuity) -> list[int | None]:
        parts = [part for part in split(rows, [0, 1, min(4, rows.rows), rows.rows]) if part.rows]
        return [begun.unknown_at for part in parts if begun.take(part, "here") is not None]

    assert found(tape, Continuity()) == [0, None, None]
    assert found(tape.slice(1, 6), Continuity()) == [None, 0]  # begins inside a tape: with the reset
    assert found(tape.slice(1, 6), Continuity(1)) == [None, None, 0]  # resumed, where the book is known
    assert found(tape.slice(4, 6), Continuity(4)) == [None, None]  # resumed behind the reset: not judged again


def test_missing_rows_are_an_error_unless_a_reset_tells_of_them(synthetic_tape_root):
    tape = whole(synthetic_tape_root, BTC)
    continuity = Continuity()
    continuity.take(tape.slice(0, 100), "here")
    with pytest.raises(TickwaxError, match=r"^here: row 0: ordinal 101 does not follow 99"):
        continuity.take(tape.slice(101, 200), "here")
    reset = tape.slice(101, 200)._replace(kind=np.r_[np.int8(RESET), tape.kind[102:200]])
    reset = reset._replace(side=np.r_[np.int8(0), tape.side[102:200]])
    assert continuity.take(reset, "here").rows == 99


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"headers": [("schema", b"tickwax.tape/9")]}, "header schema is b'tickwax.tape/9'"),
        ({"headers": []}, "header schema is None"),
        ({"value": b"no arrow"}, "cannot be read"),
        ({"key": b"no key"}, "instrument 'no key'"),
    ],
)
def test_a_message_of_something_else_is_one_line(synthetic_tape_root, change, line):
    (record,) = as_records([whole(synthetic_tape_root, BTC).slice(0, 3)])
    with pytest.raises(TickwaxError) as error:
        decode(SimpleNamespace(**(vars(record) | change)), "topic t: partition 0: offset 7")
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def from_files(synthetic_tape_root, tmp_path_factory):
    """Features of the tape's files."""
    folder = tmp_path_factory.mktemp("files")
    replay = prepare_replay(load_settings({"tape.path": str(synthetic_tape_root), "features.path": str(folder)}))
    cli_main(replay.flow)
    replay.commit()
    return folder


@pytest.fixture(scope="module")
def tape_topic(connection, cluster, synthetic_tape_root):
    """A topic to which the tape was published twice."""
    with connection.admin() as admin:
        name = {"test.tape": {"num_partitions": 4, "replication_factor": 1}}
        admin.create_topics(name, wait_for_metadata=True)
    for _ in range(2):
        publish(synthetic_tape_root, cluster.bootstrap, "test.tape")
    return "test.tape"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_replay_of_the_topic_gives_the_bits_of_one_of_files(
    cluster, tape_topic, from_files, start, tmp_path, workers
):
    settings = {"kafka.bootstrap": cluster.bootstrap, "kafka.topic": "", "tape.topic": tape_topic}
    process = start({**settings, "features.path": tmp_path / "features"}, *MODULE, "-w", workers)
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout, told(stderr)) == (0, "", [])
    for instrument in INSTRUMENTS:
        assert_same(table(tmp_path / "features", instrument), table(from_files, instrument))


def test_two_processes_read_their_own_instruments(cluster, tape_topic, from_files, start, tmp_path):
    settings = {"kafka.bootstrap": cluster.bootstrap, "kafka.topic": "", "tape.topic": tape_topic}
    addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(2))
    paths = {"features.path": tmp_path / "features"}
    both = [start({**settings, **paths}, *MODULE, "-i", n, "-a", addresses) for n in (0, 1)]
    ended = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    for instrument in INSTRUMENTS:
        assert_same(table(tmp_path / "features", instrument), table(from_files, instrument))


def test_offsets_are_what_a_run_is_resumed_by(connection, topic, synthetic_tape_root, tmp_path):
    """Stopped after some batches and started again, a flow has had every row once, but for those of one epoch."""
    name = topic(4)
    publisher = Publisher(connection, name, TapeMessages(), Delivery(linger=0.0), time.monotonic, KafkaTelemetry())
    for instrument in INSTRUMENTS:
        for part in cut(whole(synthetic_tape_root, instrument), 250_000_000):
            publisher.put(str(instrument), InstrumentBatch(instrument, part))
            publisher.flush()
    publisher.close()
    init_db_dir(tmp_path, 1)
    out: list[tuple[str, InstrumentBatch]] = []
    seen = itertools.count()

    def run(stop_at: int | None) -> None:
        def count(item):
            if stop_at is not None and next(seen) == stop_at:
                raise RuntimeError("stop")
            return item

        flow = Dataflow("resumed")
        items = op.input("tape", flow, KafkaTapeSource(connection, name, 4, {}))
        op.output("out", op.map("count", items, count), TestingSink(out))
        recovery = RecoveryConfig(str(tmp_path))
        cli_main(flow, epoch_interval=timedelta(0), recovery_config=recovery)

    with pytest.raises(RuntimeError):
        run(120)
    first = len(out)
    run(None)
    assert 0 < first < len(out)
    rows = {str(i): concat([b.batch for key, b in out if key == str(i)]) for i in INSTRUMENTS}
    for instrument in INSTRUMENTS:
        expected = whole(synthetic_tape_root, instrument)
        found = rows[str(instrument)]
        # The batch at which it stopped may have come out twice, as anything after the last epoch.
        fresh = np.r_[True, found.ordinal[1:] > np.maximum.accumulate(found.ordinal)[:-1]]
        assert same(TapeBatch._make(column[fresh] for column in found), expected)
        assert found.rows - expected.rows < expected.rows / 4


def test_killed_and_started_again_every_row_arrives_once_after_the_consumers_rule(
    cluster, connection, topic, read, from_files, synthetic_tape_root, start, tmp_path
):
    tape, features = topic(2), topic(2)
    init_db_dir(tmp_path, 1)
    follow = {"kafka.bootstrap": cluster.bootstrap, "kafka.topic": features, "tape.topic": tape, "features.path": ""}
    recovery = ("-r", tmp_path, "-s", 0, "-b", 0, "-w", 2)
    expected = {str(i): recorded(from_files, i) for i in INSTRUMENTS}
    publisher = Publisher(connection, tape, TapeMessages(), Delivery(linger=0.0), time.monotonic, KafkaTelemetry())
    parts = [(i, part) for i in INSTRUMENTS for part in cut(whole(synthetic_tape_root, i), 500_000_000)]
    parts.sort(key=lambda item: int(item[1].receive_ts[0]))
    third = len(parts) // 3
    for first in (0, third, 2 * third):
        process = start({**follow, "tape.follow": True}, *MODULE, *recovery)
        last = first == 2 * third
        seen = len(read(features))
        for instrument, part in parts[first : None if last else first + third]:
            publisher.put(str(instrument), InstrumentBatch(instrument, part))
            publisher.flush()
        deadline = time.monotonic() + 40
        while received(read(features)) != expected if last else len(read(features)) == seen:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, differences(received(read(features)), expected)
            time.sleep(0.05)
        if not last:
            process.kill()
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (0, ""), stderr
    publisher.close()


def differences(found: dict[str, list[dict]], expected: dict[str, list[dict]]) -> list[str]:
    """The first row of each instrument that is not as expected."""
    out = []
    for key, rows in expected.items():
        own = found.get(key, [])
        n = next((n for n, (a, b) in enumerate(zip(own, rows, strict=False)) if a != b), min(len(own), len(rows)))
        if n < max(len(own), len(rows)):
            out.append(f"{key}: row {n} of {len(own)}, {len(rows)} expected")
            if n < min(len(own), len(rows)):
                out += [f"{k}: {own[n][k]} != {v}" for k, v in rows[n].items() if own[n][k] != v]
    return out


def test_a_run_with_other_settings_is_not_resumed(cluster, tape_topic, start, tmp_path):
    init_db_dir(tmp_path, 1)
    settings = {"kafka.bootstrap": cluster.bootstrap, "kafka.topic": "", "tape.topic": tape_topic, "features.path": ""}
    recovery = ("-r", tmp_path, "-s", 0, "-b", 0)
    assert start(settings, *MODULE, *recovery).wait(60) == 0
    process = start({**settings, "features.sampling": "1s"}, *MODULE, *recovery)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, len(told(stderr))) == (2, 1)
    assert "features.sampling was 100ms, and is 1s" in stderr
