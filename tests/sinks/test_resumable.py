"""The disk has a resumable run's rows when the recovery state counts them, and some before."""

import errno
import os

import numpy as np
import pytest

from operators.config import FeatureConfig
from operators.row_batch import RowBatch
from operators.schema import feature_schema, value_count
from sinks import resumable_sink
from sinks.resumable_sink import ResumableSink
from sources.errors import TickwaxError

FEATURES = feature_schema(FeatureConfig())
KEYS = [f"bybit_linear:S{n}" for n in range(6)]


def rows(count: int) -> RowBatch:
    values = value_count(FeatureConfig())
    return RowBatch(
        np.ones((4, count), np.int64), np.ones((2, count), np.int8), np.ones((values, count)), np.empty((0, 0))
    )


def partitions(sink: ResumableSink) -> list:
    return [sink.build_part("step", name, None) for name in sink.list_parts()]


def test_every_journal_is_on_the_disk_before_its_state_is_given(tmp_path, monkeypatch):
    synced: list[int] = []
    fsync = os.fsync

    def counting(handle: int) -> None:
        fsync(handle)
        synced.append(handle)

    (tmp_path / "features").mkdir()
    sink = ResumableSink(tmp_path / "features", FEATURES, "test")
    parts = partitions(sink)
    for epoch in range(3):
        monkeypatch.setattr(resumable_sink, "_AHEAD", 0 if epoch else 1 << 40)
        for key in KEYS:
            for _ in range(3):
                parts[sink.part_fn(key)].write_batch([(key, rows(10))])
        monkeypatch.setattr(os, "fsync", counting)
        synced.clear()
        for part in parts:
            part.snapshot()
            assert part._writer is None or part._writer.synced == part._writer.position
        monkeypatch.setattr(os, "fsync", fsync)
        if epoch == 0:
            assert len(set(synced)) >= len({sink.part_fn(key) for key in KEYS})
    sink.abort()


def test_a_disk_that_fails_early_is_not_forgotten(tmp_path, monkeypatch):
    """The system tells of it once: another fsync of the same file would succeed."""
    (tmp_path / "features").mkdir()
    sink = ResumableSink(tmp_path / "features", FEATURES, "test")
    parts = partitions(sink)
    fsync, failures = os.fsync, [OSError(errno.EIO, os.strerror(errno.EIO))]

    def failing(handle: int) -> None:
        if failures:
            raise failures.pop()
        fsync(handle)

    monkeypatch.setattr(os, "fsync", failing)
    monkeypatch.setattr(resumable_sink, "_AHEAD", 0)
    part = parts[sink.part_fn(KEYS[0])]
    part.write_batch([(KEYS[0], rows(10))])
    sink._disk.shutdown()
    assert not failures
    with pytest.raises(TickwaxError, match=r"cannot write to .*: Input/output error"):
        part.snapshot()
    with pytest.raises(TickwaxError, match=r"cannot write to .*: Input/output error"):
        part.close()
    sink.abort()
