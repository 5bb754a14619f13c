"""A damaged or foreign message is refused with its place; none ends the process with a signal or takes its memory."""

from random import Random

import pytest

from tests.damage.child import Child
from tests.damage.messages import PACKED, Messages
from tests.damage.wounds import GOOD


@pytest.fixture(scope="module")
def child():
    child = Child()
    yield child
    child.close()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["ours", "others", *PACKED])
def test_a_damaged_message_is_refused_with_its_place(tmp_path, child, what):
    subject = Messages(tmp_path, child, what)
    for n in range(60):
        found = subject.hurt(Random(f"{what}-{n}"))
        assert found.outcome in GOOD, found


@pytest.mark.slow
def test_no_bit_of_a_messages_metadata_ends_the_process(tmp_path, child):
    found = Messages(tmp_path, child, "others").flips()
    assert [finding for finding in found if finding.outcome not in GOOD] == []
