"""The verdict on what is recorded, beside its features."""

import shutil
import time
from pathlib import Path

import numpy as np

from dataflows.assembly.attached_quality import Quality
from dataflows.settings.model import load_settings
from operators.config import FeatureConfig
from operators.inspection_verdict import BAD, GOOD, VERDICTS
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT
from tests.window.conftest import rows
from window.overview import GAPS, VERDICT
from window.tap import FEATURES, Tap

BTC, ETH = map(str, INSTRUMENTS[:2])


def told(tap: Tap, column: str) -> list[float]:
    names, values, _ = tap.newest()
    assert names == [BTC, ETH]
    return values[tap.overview.columns.index(column)].tolist()


def test_each_instrument_has_the_verdict_of_its_newest_minutes(synthetic_tape_root: Path, tmp_path: Path) -> None:
    root, lines, now = tmp_path / "tape", [], [MIDNIGHT + 10 * 10**9]
    shutil.copytree(synthetic_tape_root, root)
    tap = Tap(FeatureConfig(), time.time_ns, {})
    quality = Quality(load_settings({"tape.path": str(root)}), tap, lines.append, lambda: now[0])
    quality.look()  # nothing is known yet, and nobody is asked for
    for name in (BTC, ETH):
        tap.put(FEATURES, name, rows(0, 1))
    assert np.isnan(told(tap, VERDICT)).all()
    quality.look()
    assert told(tap, VERDICT) == [VERDICTS.index(GOOD)] * 2
    assert lines == []
    for path in root.rglob("*symbol=ETHUSDT/**/*.parquet"):
        path.write_bytes(path.read_bytes()[:1000])
    quality.look()
    quality.look()  # what is still so is not told again
    assert told(tap, VERDICT) == [VERDICTS.index(GOOD), VERDICTS.index(BAD)]
    assert len(lines) == 1
    assert lines[0].startswith(f"{ETH}: bad: ")
    assert told(tap, GAPS) == [0, 0]  # of those that look on
    now[0] += 3600 * 10**9
    quality.look()
    assert np.isnan(told(tap, VERDICT)[0])
