"""Which features have their whole history (docs/features.md, 4.8)."""

from operators.config import FeatureConfig
from tests.oracle.book import TOP, BookView
from tests.oracle.fracdiff import weights

WINDOWS, ZSCORES, PRICE_FFD, VOLUME_FFD, FDI, VOLATILITY, DEPTH, INTEGRATED = 1, 2, 4, 8, 16, 32, 64, 128


def warm(config: FeatureConfig, *, ts: int, first_update: int, rows: int, fdi_samples: int, covered: bool) -> int:
    """Bits of a row; `rows` and `fdi_samples` count since the restart, this row included."""
    holds = {
        WINDOWS: ts >= first_update + max(ns for _, ns in config.windows),
        ZSCORES: rows >= config.zscore_window,
        PRICE_FFD: rows >= len(weights(config.price_d, config.ffd_threshold)),
        VOLUME_FFD: rows >= len(weights(config.volume_d, config.ffd_threshold)),
        FDI: fdi_samples >= config.fdi_window,
        VOLATILITY: rows >= config.volatility_window + 1,
        DEPTH: covered,
        INTEGRATED: config.integrated_ofi > 0 and rows > config.zscore_window,
    }
    return sum(bit for bit, is_set in holds.items() if is_set)


def whole(book: BookView, full_depth: bool, cut_levels: int) -> bool:
    """Whether the 20 best levels of both sides, or those there are, are known."""
    if 0 < cut_levels < TOP:
        return all(len(side) < cut_levels for side in (book.bids, book.asks))
    return full_depth or book.covered
