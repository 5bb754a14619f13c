"""A hole in the rows that is as long as a block of a validation: what it makes of the blocks is to be said."""

import numpy as np

from learning.rows import TrainingRows

_SECOND = 1_000_000_000


def hole_words(rows: TrainingRows, blocks: int) -> list[str]:
    """A line, if nothing is known of a time as long as a block takes without it; none otherwise.

    Blocks have equally many rows, so one that holds such a hole is of two times, and its hull is longer than the
    others': more rows are purged.

    Args:
        blocks: of the validation.
    """
    if len(rows) < 2:
        return []
    steps = np.diff(rows.ts)
    at = int(steps.argmax())
    hole, known = int(steps[at]), int(rows.ts[-1] - rows.ts[0] - steps[at])
    if hole * blocks < known or hole <= int(rows.end[at] - rows.ts[at]):
        return []
    when = np.datetime64(int(rows.ts[at]) // _SECOND, "s")
    return [
        f"dataset.path: after {when}Z no row follows for {hole / _SECOND:,.0f} s, as long as one of {blocks} blocks "
        f"({known / blocks / _SECOND:,.0f} s): a block around the hole is of two times, and what holds before it may "
        "not hold after it"
    ]
