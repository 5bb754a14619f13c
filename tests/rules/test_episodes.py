"""Episodes against a brute-force oracle that reads finished lists, and for any split of the tape."""

import io
import math
from fractions import Fraction

import numpy as np
import pytest

from operators.config import MS, FeatureConfig
from operators.execution.grid import Grid
from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.execution.state import ExecutionConfig
from operators.row_batch import concat_rows
from operators.rules.episodes import EpisodeBuilder, MismatchError
from operators.rules.schemas import HORIZONS
from operators.schema import feature_schema
from operators.trade_engine import TradeEngine
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from synthetic.market import SyntheticMarket, synthetic_tape
from tests.execution.test_exchange import texts

CONFIG = FeatureConfig(sampling_ns=100 * MS)
START = 1_767_571_200_000_000_000
SPAN = 75_000_000_000
LATENCY = ExecutionConfig().latency_entry_ns


class Restless:
    """Sends orders of any kind at random: entries, exits, flips and what rests."""

    columns = ("bid_price", "ask_price")

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def decide(self, view, orders) -> None:
        bid, ask = view.columns
        what = self.random.integers(0, 40)
        side = 1 if self.random.random() < 0.5 else -1
        size = float(self.random.integers(1, 4)) * view.lot
        if view.working and what < 10:
            orders.cancel(view.working[0].order_id)
        elif what < 3:
            orders.market(side, size)
        elif what < 7:
            orders.limit(side, bid if side > 0 else ask, size)
        elif what == 8 and view.position:
            orders.market(-1 if view.position > 0 else 1, abs(view.position))


def traded(seed: int, rows_at_once: int | None):
    tape = list(synthetic_tape(SyntheticMarket(Instrument("v", "S"), seed, START), START + SPAN))
    engine = TradeEngine(CONFIG, ExecutionConfig(), Grid(Fraction(1, 10), Fraction(1, 1000)), strategy=Restless(seed))
    for batch in tape:
        step = rows_at_once or batch.rows
        for start in range(0, batch.rows, step):
            yield from engine.trade(TapeBatch._make(column[start : start + step] for column in batch))


def episodes(parts):
    builder = EpisodeBuilder.of(CONFIG, LATENCY)
    found = [builder.process(p.features, p.orders, p.fills, p.equity) for p in parts]
    return concat_rows([*found, builder.end()]), builder.schema


def oracle(features, orders, fills, equity):
    """Episodes from whole lists of rows as dictionaries."""
    arrived = {}
    for order in orders:
        if order["status"] == "accepted":
            arrived.setdefault(order["order_id"], order["ts"])
    cash, after = 0.0, [0.0]  # after each number of fills
    for f in fills:
        cash -= f["side"] * (f["price"] * f["size"]) + f["fee"]
        after.append(cash)
    known = [after.index(row["cash"]) for row in equity]  # fills that a row comes after
    found, now, position = [], None, 0.0
    for n, f in enumerate(fills):
        first_row = next((k for k, count in enumerate(known) if count > n), len(equity))
        pieces = [abs(position), abs(f["position"])] if position * f["position"] < 0 else [f["size"]]
        for size in pieces:
            if now is None:
                bound = arrived[f["order_id"]] - LATENCY
                rows = [k for k in range(first_row) if equity[k]["ts"] <= bound]
                now = {
                    "opened_ts": f["ts"], "order_id": f["order_id"], "side": f["side"], "liquidity": f["liquidity"],
                    "price": f["price"], "entry": features[rows[-1]] if rows else features[0] if first_row else None,
                    "first": first_row, "legs": [],
                }  # fmt: skip
            opens = f["side"] == now["side"]
            now["legs"].append((first_row, f["side"], f["price"], size, f["fee"] * size / f["size"], opens))
            total = sum(side * size for _, side, _, size, _, _ in now["legs"])
            if abs(total) < 1e-9:
                found.append({**now, "ts": f["ts"], "last": first_row})
                now = None
        position = f["position"]
    return [finished(e, equity) for e in found]


def finished(e, equity):
    def outcome(legs, mid):
        return sum(-s * p * q - fee + s * q * mid for _, s, p, q, fee, _ in legs)

    notional = sum(p * q for _, _, p, q, _, opens in e["legs"] if opens)
    held = [outcome([leg for leg in e["legs"] if leg[0] <= k], equity[k]["mid"]) for k in range(e["first"], e["last"])]
    out = {name: e[name] for name in ("ts", "opened_ts", "order_id", "side", "liquidity", "price")}
    net = outcome(e["legs"], 0.0)
    sizes = np.cumsum([s * q for _, s, _, q, _, _ in e["legs"]])
    out |= {
        "fills": len(e["legs"]), "size": float(np.abs(sizes).max()), "notional": notional,
        "fees": sum(leg[4] for leg in e["legs"]), "net": net, "net_bp": 1e4 * net / notional,
        "seconds": (e["ts"] - e["opened_ts"]) / 1e9,
        "best_bp": 1e4 * max(held) / notional if held else math.nan,
        "worst_bp": 1e4 * min(held) / notional if held else math.nan,
    }  # fmt: skip
    for name, horizon in HORIZONS.items():
        then = e["opened_ts"] + horizon
        rows = [row for row in equity if row["ts"] <= then]
        mark = 1e4 * e["side"] * (rows[-1]["mid"] - e["price"]) / e["price"] if rows else math.nan
        out[f"markout_{name}"] = mark if then <= equity[-1]["ts"] else math.nan
    if e["entry"] is not None:
        out |= {"entry_ts": e["entry"]["ts"], "regime": e["entry"]["regime"], "entry_spread": e["entry"]["spread"]}
        out["entry_volatility"] = e["entry"]["volatility"]
    return out


def rows_of(schema, rows):
    out = []
    for i in range(rows.rows):
        row = {}
        for column in schema.columns:
            x = getattr(rows, column.array)[column.row, i].item()
            row[column.name] = (column.words[x] if x >= 0 else None) if column.words else x
        out.append(row)
    return out


@pytest.mark.parametrize("seed", [1])
def test_as_the_oracle_says(seed):
    parts = list(traded(seed, None))
    lists = [
        rows_of(schema, concat_rows([getattr(p, name) for p in parts if getattr(p, name).rows]))
        for schema, name in (
            (feature_schema(CONFIG), "features"), (ORDERS, "orders"), (FILLS, "fills"), (EQUITY, "equity"),
        )
    ]  # fmt: skip
    rows, schema = episodes(parts)
    found, wanted = rows_of(schema, rows), oracle(*lists)
    assert len(wanted) > 15
    assert {e["side"] for e in wanted} == {1, -1}
    assert {e["liquidity"] for e in wanted} == {"maker", "taker"}
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        for name, value in theirs.items():
            if isinstance(value, float):
                assert ours[name] == pytest.approx(value, rel=1e-9, abs=1e-7, nan_ok=True), name
            else:
                assert ours[name] == value, name
    # Flat to flat, their outcomes are the account's.
    flat = [row for row in lists[3] if row["position"] == 0 and row["ts"] >= wanted[-1]["ts"]]
    if flat:
        assert sum(e["net"] for e in found) == pytest.approx(flat[0]["cash"], abs=1e-6)


@pytest.mark.parametrize("rows_at_once", [61, 1000])
def test_any_split_gives_the_same_bits(rows_at_once):
    whole, schema = episodes(traded(1, None))
    split, _ = episodes(traded(1, rows_at_once))
    assert texts(schema, [whole]) == texts(schema, [split])


def test_a_builder_that_is_resumed_after_every_part_gives_the_same_bits():
    whole, schema = episodes(traded(1, None))
    found, state = [], EpisodeBuilder.of(CONFIG, LATENCY).snapshot()
    for part in traded(1, 700):
        builder = EpisodeBuilder.of(CONFIG, LATENCY)
        builder.resume(state)
        found.append(builder.process(part.features, part.orders, part.fills, part.equity))
        state = builder.snapshot()
    builder = EpisodeBuilder.of(CONFIG, LATENCY)
    builder.resume(state)
    assert texts(schema, [concat_rows([*found, builder.end()])]) == texts(schema, [whole])


def test_states_that_cannot_be_taken_up():
    builder = EpisodeBuilder.of(CONFIG, LATENCY)
    state = builder.snapshot()
    with pytest.raises(ValueError, match="not a state of episodes"):
        builder.resume(state[: len(state) // 2])
    with pytest.raises(ValueError, match=r"state of \d+ columns, not of 1"):
        EpisodeBuilder(["mid"], 0, LATENCY).resume(state)
    with np.load(io.BytesIO(state)) as arrays:
        later = dict(arrays) | {"version": np.array(99)}
    out = io.BytesIO()
    np.savez(out, **later)
    with pytest.raises(ValueError, match="state of version 99; this build reads version 1"):
        builder.resume(out.getvalue())


def test_rows_of_two_runs_are_refused():
    parts = list(traded(1, None))
    odd = next(p for p in parts if p.fills.rows)
    with pytest.raises(MismatchError, match="rows of equity"):
        EpisodeBuilder.of(CONFIG, LATENCY).process(odd.features, odd.orders, odd.fills, odd.equity.slice(1))
    wrong = odd.fills._replace(value=odd.fills.value * 1.01)
    with pytest.raises(MismatchError, match="the fills come to a volume"):
        EpisodeBuilder.of(CONFIG, LATENCY).process(odd.features, odd.orders, wrong, odd.equity)
