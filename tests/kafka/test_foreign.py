"""What others write to a tape's topic: bounded, skipped and counted with its place, or the end, by setting."""

import gzip
import re
from types import SimpleNamespace

import lz4.frame
import numpy as np
import pyarrow as pa
import pytest
import zstandard
from bytewax.run import cli_main
from kafka import KafkaProducer

from dataflows.assembly.replay import prepare_replay
from dataflows.runtime.kafka_metrics import FOREIGN, ForeignMessages
from dataflows.settings.model import load_settings
from sinks.kafka.message import ipc_stream
from sources.errors import TickwaxError
from sources.kafka import batches, ipc
from sources.kafka.ipc import INFLATED_BYTES, MESSAGE_BYTES, MalformedError, read_batch
from sources.kafka.tape import ForeignMessageError, decode
from tests.damage.messages import BTC, PACKED, PLACE, digest, messages, packed, records
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_replay import MODULE, assert_same, table, told
from tests.kafka.test_tape import publish

ROWS = pa.schema([("x", pa.int64()), ("word", pa.dictionary(pa.int8(), pa.string()))])


def stream(batches: list[pa.RecordBatch], **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def rows(count: int, words: int = 2) -> pa.RecordBatch:
    texts = pa.array([str(n) for n in range(words)])
    codes = pa.array(np.arange(count) % 2, pa.int8())
    return pa.RecordBatch.from_arrays(
        [pa.array(np.zeros(count, np.int64)), pa.DictionaryArray.from_arrays(codes, texts)], schema=ROWS
    )


class TestStreams:
    @pytest.mark.parametrize(
        "options", [{}, {"compression": "zstd"}, {"compression": "lz4"}, {"use_legacy_format": True}]
    )
    def test_of_any_form_are_read(self, options):
        parts = [rows(10), rows(0), rows(5)]
        found = read_batch(stream(parts, **options), ROWS)
        assert found.num_rows == 15
        assert found.column("word").to_pylist() == [word for part in parts for word in part.column("word").to_pylist()]

    @pytest.mark.parametrize("codec", ["zstd", "lz4"])
    def test_that_would_fill_the_memory_are_refused_before_they_do(self, codec):
        value = stream([rows(1 + INFLATED_BYTES // 9)], compression=codec)
        assert len(value) < MESSAGE_BYTES
        before = pa.total_allocated_bytes()
        with pytest.raises(MalformedError, match="bytes in memory; 67,108,864 are allowed"):
            read_batch(value, ROWS)
        assert pa.total_allocated_bytes() == before

    def test_the_sizes_that_they_tell_are_added_up(self, monkeypatch):
        value = stream([rows(1000)] * 3, compression="zstd")
        monkeypatch.setattr(ipc, "INFLATED_BYTES", 3 * 9000)
        with pytest.raises(MalformedError, match="bytes in memory"):  # dictionaries, too
            read_batch(value, ROWS)
        monkeypatch.setattr(ipc, "INFLATED_BYTES", 3 * 9100)
        assert read_batch(value, ROWS).num_rows == 3000

    def test_too_long(self):
        with pytest.raises(MalformedError, match="16,777,217 bytes; 16,777,216 are allowed"):
            read_batch(bytes(MESSAGE_BYTES + 1), ROWS)

    def test_of_something_else(self):
        for value, line in (
            (stream([rows(0)]), "it has no rows"),
            (stream([rows(1, words=200)]), "a dictionary of 200 words; 128 are allowed"),
            (ipc_stream(rows(3))[:-40], "cannot be read: "),
            (ipc_stream(pa.RecordBatch.from_pydict({"y": [1]})), "its columns are not x, word"),
            (b"", "cannot be read: "),
        ):
            with pytest.raises(MalformedError, match=line):
                read_batch(value, ROWS)


class TestChecksum:
    def test_of_key_and_value(self):
        (message, _) = messages()
        record = SimpleNamespace(key=message.key, value=message.value, headers=message.headers)
        assert decode(record, PLACE).batch.rows > 0
        for change in (
            {"key": b"binance_futures:BTCUSDU"},
            {"value": message.value[:-900] + b"\1" + message.value[-899:]},
        ):
            with pytest.raises(ForeignMessageError, match=f"^{PLACE}: .* it does not have its checksum$"):
                decode(SimpleNamespace(**(vars(record) | change)), PLACE)

    def test_a_message_without_is_read(self):
        (message, _) = messages()
        headers = [header for header in message.headers if header[0] != "crc32"]
        assert decode(SimpleNamespace(key=message.key, value=message.value, headers=headers), PLACE).instrument == BTC


class TestBatches:
    @pytest.mark.parametrize("codec", PACKED)
    def test_are_read_as_they_were_sent(self, codec):
        sent = messages()
        found = records(packed(sent, codec), None)
        assert [(r.offset, r.key, r.value, list(r.headers)) for r in found] == [
            (n, m.key, m.value, m.headers) for n, m in enumerate(sent)
        ]
        assert digest([decode(r, PLACE) for r in found]) == digest([decode(m, PLACE) for m in sent])

    @pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
    @pytest.mark.parametrize("skip", [True, False])
    def test_that_unpack_to_more_than_is_allowed(self, codec, skip, monkeypatch):
        good = messages()
        monkeypatch.setattr(batches, "UNPACKED_BYTES", 1 << 20)
        bomb = packed([good[0]._replace(value=bytes(1 << 20))], codec)
        after = bytearray(packed(good, codec))
        after[:8] = (1).to_bytes(8, "big")  # its first offset
        line = "topic t: partition 3: offset 0: cannot be read, with the rest of its batch: more than 1,048,576 bytes"
        if skip:
            lines: list[str] = []
            assert [r.offset for r in records(bomb + bytes(after), lines.append)] == [1, 2]
            assert [text[: len(line)] for text in lines] == [line]
        else:
            with pytest.raises(TickwaxError, match=line):
                records(bomb + bytes(after), None)

    @pytest.mark.parametrize(
        ("codec", "pack"), [("gzip", gzip.compress), ("lz4", lz4.frame.compress), ("zstd", zstandard.compress)]
    )
    def test_the_unpackers_stop_at_the_bound(self, codec, pack, monkeypatch):
        unpack = batches._UNPACK[PACKED[codec]]
        assert unpack(pack(b"tape" * 1000)) == b"tape" * 1000
        monkeypatch.setattr(batches, "UNPACKED_BYTES", 4000)
        assert unpack(pack(b"tape" * 1000)) == b"tape" * 1000
        with pytest.raises(ValueError, match="more than 4,000 bytes"):
            unpack(pack(b"tape" * 1000 + b"."))


def test_many_are_told_of_by_number():
    now, lines = 0.0, []
    foreign = ForeignMessages("many", lambda: now, lines.append)
    for n in range(1000):
        foreign.add(f"topic many: partition 0: offset {n}: no message of a tape")
    foreign.tell()
    assert lines == [
        "topic many: partition 0: offset 0: no message of a tape; skipped",
        "topic many: 999 more messages that are none of a tape, skipped",
    ]
    assert FOREIGN.labels("many")._value.get() == 1000


@pytest.mark.slow
def test_between_the_messages_of_a_tape(cluster, topic, synthetic_tape_root, start, tmp_path):
    """They are skipped, and nothing of the tape is; or the first of them ends the run."""
    name = topic(1)
    publish_foreign(cluster, name)
    publish(synthetic_tape_root, cluster.bootstrap, name)
    publish_foreign(cluster, name)
    around = {"kafka.bootstrap": cluster.bootstrap, "kafka.topic": "", "tape.topic": name}
    process = start({**around, "features.path": tmp_path / "features"}, *MODULE)
    _, stderr = process.communicate(timeout=120)
    (first, rest) = told(stderr)
    assert process.returncode == 0
    # That of a whole batch is told of by the thread that fetches, so it may come first.
    assert re.match(rf"tickwax: topic {name}: partition 0: offset [03]: (no message|cannot be read).*; skipped$", first)
    assert rest == f"tickwax: topic {name}: 7 more messages that are none of a tape, skipped"
    replay = prepare_replay(
        load_settings({"tape.path": str(synthetic_tape_root), "features.path": str(tmp_path / "files")})
    )
    cli_main(replay.flow)
    replay.commit()
    for instrument in INSTRUMENTS:
        assert_same(table(tmp_path / "features", instrument), table(tmp_path / "files", instrument))

    process = start({**around, "tape.foreign": "stop", "features.path": tmp_path / "none"}, *MODULE)
    _, stderr = process.communicate(timeout=120)
    (line,) = told(stderr)
    assert (process.returncode, line) == (
        1,
        f"tickwax: topic {name}: partition 0: offset 0: no message of a tape: header schema is None, "
        "not b'tickwax.tape/1'",
    )
    assert not list((tmp_path / "none").rglob("*.parquet"))


def publish_foreign(cluster, name: str) -> None:
    """Four messages, one of them in a batch that unpacks to more than is allowed."""
    (message, _) = messages()
    for codec in (None, "zstd"):
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, compression_type=codec, max_request_size=1 << 30)
        try:
            if codec is None:
                producer.send(name, b"text")
                producer.send(name, key=b"no instrument", value=message.value, headers=[("schema", b"tickwax.tape/1")])
                producer.send(name, key=message.key, value=b"\xff" * 300, headers=[("schema", b"tickwax.tape/1")])
            else:
                producer.send(name, bytes(batches.UNPACKED_BYTES + 1))
            producer.flush(30)
        finally:
            producer.close()
