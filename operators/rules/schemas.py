"""The data sets ``episodes`` and ``applied`` (docs/reflecting.md, 2 and 4)."""

from collections.abc import Sequence

from operators.config import FeatureConfig
from operators.execution.words import LIQUIDITIES
from operators.fractal import REGIMES
from operators.row_batch import Declared, RowSchema, row_schema
from operators.schema import feature_columns

ENTRY = "entry_"  # begins the name of a feature column, as it was when the opening order was decided
HORIZONS = {"1s": 1_000_000_000, "10s": 10_000_000_000, "60s": 60_000_000_000}  # of markouts, ns

# Columns that are a price: they drift, so that a rule on them, or a distance in them, means nothing a day later.
PRICE_LEVELS = frozenset({"bid_price", "ask_price", "mid", "microprice", "vwap", "mark_price", "index_price"})

_TIME, _PRICE, _SIZE, _BP = "ns since 1970, UTC", "quote currency", "base currency", "basis points"

APPLIED: RowSchema = row_schema(
    "applied",
    [
        Declared("ts", "timestamp", unit=_TIME, definition="of the feature row at which the strategy decided"),
        Declared("local_ts", "timestamp", unit=_TIME, definition="local time of the decision"),
        Declared("rule", "int64", definition="number of the rule in its store"),
        Declared("orders", "int64", definition="new orders of the decision that it changed"),
        Declared("action", "word", words=("veto", "scale"), definition="what it did"),
        Declared("distance", "float64", definition="of the features to the mean of the rule's episodes"),
        Declared("scale", "float64", definition="share of new positions that was left"),
        Declared("before", "float64", unit=_SIZE, definition="sum of their sizes as the strategy sent them"),
        Declared("after", "float64", unit=_SIZE, definition="the same as the exchange got them"),
    ],
)


def entry_columns(config: FeatureConfig, forecasts: Sequence[str] = ()) -> list[str]:
    """Columns of which an episode keeps the value at its entry: features of float64, then ``forecasts``."""
    return [*(column.name for column in feature_columns(config) if column.array == "value"), *forecasts]


def episodes_schema(columns: Sequence[str]) -> RowSchema:
    """The data set of episodes.

    Args:
        columns: of the features and forecasts, that are kept.
    """
    return row_schema(
        "episodes",
        [
            Declared("ts", "timestamp", unit=_TIME, definition="when the position was flat again"),
            Declared("opened_ts", "timestamp", unit=_TIME, definition="when it was opened"),
            Declared(
                "entry_ts", "timestamp", unit=_TIME, definition="of the feature row that the entry columns are of"
            ),
            Declared("order_id", "int64", definition="of the order that opened it"),
            Declared("fills", "int64", definition="that it is made of"),
            Declared("side", "int8", unit="sign", definition="+1 long, -1 short"),
            Declared("liquidity", "word", words=LIQUIDITIES, definition="of the opening fill"),
            Declared("regime", "word", True, REGIMES, definition="at the entry row"),
            Declared("size", "float64", unit=_SIZE, definition="largest position"),
            Declared("price", "float64", unit=_PRICE, definition="of the opening fill"),
            Declared(
                "notional", "float64", unit=_PRICE, definition="sum of price * size of what increased the position"
            ),
            Declared("fees", "float64", unit=_PRICE, definition="of its fills"),
            Declared("net", "float64", unit=_PRICE, definition="what it earned after fees"),
            Declared("net_bp", "float64", unit=_BP, definition="net over notional"),
            Declared("seconds", "float64", unit="s", definition="from its opening to its end"),
            *(
                Declared(
                    f"markout_{name}", "float64", unit=_BP, definition="of the opening fill; NaN if rows end before"
                )
                for name in HORIZONS
            ),
            Declared(
                "best_bp", "float64", unit=_BP, definition="highest outcome at a feature row, at the mid; NaN if none"
            ),
            Declared(
                "worst_bp", "float64", unit=_BP, definition="lowest outcome at a feature row, at the mid; NaN if none"
            ),
            *(Declared(f"{ENTRY}{name}", "float64", definition=f"{name} at the entry row") for name in columns),
        ],
    )
