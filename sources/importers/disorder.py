"""Files whose rows are in no order of time, though files of their kind are."""

from pathlib import Path

import numpy as np

from sources.errors import TickwaxError
from sources.importers.stats import utc_millis
from sources.tape.batch import Int64s

_LEAST = 10  # rows of a block that step back
_SHARE = 0.1  # and of all its rows


def check_order(path: Path, line: Int64s, time: Int64s, of: str) -> None:
    """Let pass rows that step back in time now and then, as an exchange's do, and refuse rows that are not sorted.

    Args:
        path: the file.
        line: number of each row's line, shape ``(rows,)``.
        time: of each row, ns.
        of: what the file is to be sorted by.

    Raises:
        TickwaxError: a tenth of the rows, and ten, are earlier than the row before.
    """
    back = np.flatnonzero(time[1:] < time[:-1]) + 1
    if len(back) >= _LEAST and len(back) >= _SHARE * len(time):
        row = int(back[0])
        raise TickwaxError(
            f"{path}:{line[row]}: is of {utc_millis(int(time[row]))}, the row before of "
            f"{utc_millis(int(time[row - 1]))}, and {len(back):,} of {len(time):,} rows there step back; "
            f"sort the file by {of}"
        )
