"""What a run came to, by hand."""

import math

import numpy as np
import pytest

from operators.execution.run_statistics import STATISTICS, annual_sharpe, run_statistics

SECOND = 1_000_000_000
WORDS = ("kind", "status", "liquidity")


def columns(**lists):
    return {name: np.array(values, object if name in WORDS else None) for name, values in lists.items()}


ORDERS = columns(
    order_id=[1, 1, 2, 3, 3, 4, 4, 3],
    kind=["limit", "limit", "limit", "market", "market", "limit", "amend", "cancel"],
    status=["accepted", "filled", "rejected", "accepted", "part", "accepted", "rejected", "rejected"],
)
FILLS = columns(
    ts=[1 * SECOND, 2 * SECOND, 2 * SECOND], order_id=[1, 3, 3], side=np.array([1, -1, -1], np.int8),
    price=[100.0, 101.0, 102.0], liquidity=["maker", "taker", "taker"], position=[2.0, 1.0, -1.0],
)  # fmt: skip
EQUITY = columns(
    ts=[0, 1 * SECOND, 2 * SECOND, 3 * SECOND], equity=[0.0, 4.0, 1.0, 3.0], mid=[100.0, 100.0, 101.0, 99.0],
    fees=[0.0, 0.1, 0.5, 0.5], volume=[0.0, 200.0, 500.0, 503.0],
)  # fmt: skip


def test_by_hand():
    found = run_statistics(ORDERS, FILLS, EQUITY)
    assert list(found) == [s.name for s in STATISTICS]
    assert {name: found[name] for name in ("net_pnl", "fees", "turnover", "max_drawdown")} == {
        "net_pnl": 3.0, "fees": 0.5, "turnover": 503.0, "max_drawdown": -3.0,
    }  # fmt: skip
    # Orders 1 to 4 arrived, 1 and 3 have fills; what was rejected of 3 and 4 are a cancel and an amend.
    assert {name: found[name] for name in ("orders", "fills", "rejects", "fill_ratio")} == {
        "orders": 4, "fills": 3, "rejects": 1, "fill_ratio": 0.5,
    }  # fmt: skip
    assert (found["position_min"], found["position_max"]) == (-1.0, 2.0)
    assert found["markout_maker_1s"] == pytest.approx(100.0)
    assert found["markout_maker_1s_error"] is None  # one fill
    taker = [1e4 * 2 / 101, 1e4 * 3 / 102]
    assert found["markout_taker_1s"] == pytest.approx(np.mean(taker))
    assert found["markout_taker_1s_error"] == pytest.approx(np.std(taker, ddof=1) / math.sqrt(2))
    assert found["markout_taker_10s"] is None  # the rows end before


def test_nothing_traded():
    none = {name: values[:0] for name, values in FILLS.items()}
    flat = EQUITY | {name: np.zeros(4) for name in ("equity", "fees", "volume")}
    found = run_statistics({name: values[:0] for name, values in ORDERS.items()}, none, flat)
    assert {name for name, value in found.items() if value is None} == {
        "sharpe", "sharpe_error", "fill_ratio", *(s.name for s in STATISTICS if s.name.startswith("markout")),
    }  # fmt: skip
    assert {value for value in found.values() if value is not None} == {0}
    assert not any(isinstance(value, float) and math.isnan(value) for value in found.values())


def test_a_sharpe_ratio_is_annualised_by_the_mean_step():
    changes = np.array([1.0, 2.0, 4.0])
    ts = np.array([0, 2, 3, 6]) * SECOND
    per_row = changes.mean() / changes.std(ddof=1)
    found = annual_sharpe(ts, np.array([0.0, *changes.cumsum()]))
    scale = math.sqrt(365 * 86_400 / 2)
    assert found.value == pytest.approx(per_row * scale)
    assert found.error == pytest.approx(math.sqrt((1 + per_row**2 / 2) / 3) * scale)
    assert math.isnan(annual_sharpe(ts[:2], np.array([0.0, 1.0])).value)
