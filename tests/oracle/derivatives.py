"""Mark and index price, funding, open interest and liquidations at a row (docs/features.md, 4.10)."""

import math
from fractions import Fraction
from typing import Any

from operators.config import FeatureConfig
from sources.tape.batch import FUNDING, LIQUIDATION, MARK, OPEN_INTEREST, RESET, TapeBatch
from tests.oracle.order_flow import windowed
from tests.oracle.sampling import Tick

Row = dict[str, Any]


def columns(config: FeatureConfig) -> list[str]:
    """Names in the order in which the columns stand."""
    return [
        *("mark_price", "index_price", "mark_basis", "funding_rate", "funding_in", "open_interest"),
        *(f"liquidation_{w}" for w, _ in config.windows),
    ]


def market(whole: TapeBatch) -> TapeBatch:
    """The tape without the rows that stand beside book and trades."""
    return TapeBatch._make(column[whole.kind <= RESET] for column in whole)


def derivatives(
    whole: TapeBatch, batch: TapeBatch, stretch: list[Tick], included: int, row: Row, config: FeatureConfig
) -> Row:
    """The columns of a row that is formed from the first `included` ticks of a stretch of `batch`, the market of
    `whole`."""
    first = stretch[0].index
    begins_anew = first == 0 or batch.kind[first - 1] == RESET
    # After a hole what came before the row that ended it is forgotten.
    since = int(batch.ordinal[first]) if not begins_anew else int(batch.ordinal[first - 1]) if first else -1
    if config.sampling_ns:
        until = int(batch.ordinal[stretch[included].index])  # the row that moved the clock past the grid time
    else:
        until = int(batch.ordinal[stretch[included - 1].index])
    known = [i for i in range(whole.rows) if whole.kind[i] > RESET and since < whole.ordinal[i] < until]

    def newest(kind: int) -> tuple[float, float, int] | None:
        of_kind = [i for i in known if whole.kind[i] == kind]
        i = of_kind[-1] if of_kind else None
        return None if i is None else (float(whole.price[i]), float(whole.size[i]), int(whole.sequence[i]))

    mark, funding, interest = newest(MARK), newest(FUNDING), newest(OPEN_INTEREST)
    liquidations = []
    for i in known:
        before = [tick.clock for tick in stretch if batch.ordinal[tick.index] < whole.ordinal[i]]
        if whole.kind[i] == LIQUIDATION and before:
            liquidations.append((before[-1], float(whole.side[i] * whole.size[i])))
    out = {
        "mark_price": mark[0] if mark else math.nan,
        "index_price": mark[1] if mark and mark[1] else math.nan,
        "mark_basis": mark[0] / row["mid"] - 1 if mark else math.nan,
        "funding_rate": funding[0] if funding else math.nan,
        "funding_in": math.nan,
        "open_interest": interest[1] if interest else math.nan,
    }
    if funding and funding[2]:
        out["funding_in"] = float(max(Fraction(0), (funding[2] * 10**6 - Fraction(row["ts"])) / 10**9))
    for text, ns in config.windows:
        out[f"liquidation_{text}"] = windowed(liquidations, row["ts"], ns)
    return out
