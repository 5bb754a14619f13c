"""Predictions to Kafka: the messages are the rows."""

import math

import pytest

from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_predictions import model_folder
from tests.dataflows.test_replay import MODULE
from tests.kafka.test_dataflows import received, recorded


@pytest.mark.slow
def test_messages_are_the_rows(cluster, topic, read, start, synthetic_tape_root, tmp_path):
    name = topic(2)
    settings = {
        "kafka.bootstrap": cluster.bootstrap, "kafka.topic": "", "predict.topic": name,
        "predict.model": model_folder(tmp_path / "model"), "tape.path": synthetic_tape_root,
        "features.path": tmp_path / "f", "predict.path": tmp_path / "p",
    }  # fmt: skip
    _, stderr = (process := start(settings, *MODULE)).communicate(timeout=120)
    assert process.returncode == 0, stderr
    written = {str(i): [in_json(row) for row in recorded(tmp_path / "p", i)] for i in INSTRUMENTS}
    assert received(read(name)) == written


def in_json(row: dict) -> dict:
    """JSON has no infinity: an end of an interval that is open is null."""
    return {name: None if isinstance(value, float) and math.isinf(value) else value for name, value in row.items()}
