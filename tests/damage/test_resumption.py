"""A resumed run whose files were damaged ends with the same rows, or with a line that names the file."""

from random import Random

import pytest

from tests.damage.resumption import Resumption
from tests.damage.wounds import GOOD


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damage")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "state"])
def test_the_same_rows_or_a_line(folder, kind):
    subject = Resumption(folder / kind, kind)
    for n in range(6):
        found = subject.hurt(Random(f"{kind}-{n}"))
        assert found.outcome in GOOD, found
