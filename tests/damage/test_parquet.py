"""Damaged Parquet is refused with a line that names the file; it never gives other rows, a traceback or a signal."""

from random import Random

import pytest

from tests.damage.child import Child
from tests.damage.parquet import WRITERS, Files
from tests.damage.wounds import GOOD, Outcome
from tests.dataflows.conftest import processes
from tests.dataflows.test_replay import MODULE


@pytest.fixture(scope="module")
def child():
    child = Child()
    yield child
    child.close()


@pytest.mark.slow
@pytest.mark.parametrize(("written", "what"), [*((w, "tape") for w in WRITERS), ("ours", "orders")])
def test_the_same_rows_or_a_line(tmp_path, child, written, what):
    files = Files(tmp_path, child, written, what)
    outcomes = []
    for n in range(60):
        found = files.hurt(Random(f"{files.name}-{n}"))
        assert found.outcome in GOOD, found
        outcomes.append(found.outcome)
    if files.name == "tape: ours":
        assert set(outcomes) == {Outcome.REFUSED}  # every byte of a tape is looked at


@pytest.mark.slow
@pytest.mark.parametrize(("place", "said"), [(3_000, "row group 0: column 'sequence': damaged: "), (-200, "damaged: ")])
def test_a_replay_ends_with_a_line_and_1(tmp_path, child, place, said):
    (path, *_) = Files(tmp_path, child).files
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)
    with processes() as start:
        process = start({"tape.path": tmp_path / "tape", "features.path": tmp_path / "features"}, *MODULE)
        _, stderr = process.communicate(timeout=60)
    (line,) = [line for line in stderr.splitlines() if not line.startswith("tickwax: compiling")]
    assert line.startswith(f"tickwax: {path}: {said}")
    assert process.returncode == 1
    assert not list((tmp_path / "features").rglob("*.parquet"))
