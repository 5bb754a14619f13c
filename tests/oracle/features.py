"""Every feature column of a whole tape, row by row from the list of events since the last restart."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from operators.config import FeatureConfig
from sources.tape.batch import TRADE, TapeBatch
from tests.oracle import derivatives, fracdiff, fractal, integrated_ofi, normalised, trades, validity
from tests.oracle.book import BookView, label, message_ends, state, top
from tests.oracle.order_flow import ofi, windowed
from tests.oracle.sampling import Sample, Tick, samples, stretches
from tests.oracle.trades import Trade
from tests.oracle.volatility import volatility
from tests.oracle.zscore import zscore

Row = dict[str, Any]


@dataclass(frozen=True)
class Update:
    clock: int
    book: BookView
    flow: dict[int, float]  # OFI_D by depth


def columns(config: FeatureConfig) -> list[str]:
    """Names in the order in which the columns stand."""
    depths = [label(d) for d in config.depths]
    windows = [text for text, _ in config.windows]
    return [
        *("ts", "receive_ts", "ordinal", "bid_price", "bid_size", "ask_price", "ask_size"),
        *("mid", "spread", "microprice"),
        *(f"depth_imbalance_{d}" for d in depths),
        "vw_ofi",
        *(f"ofi_{d}" for d in depths),
        *(f"ofi_{d}_{w}" for d in depths for w in windows),
        *(f"ofi_z_{d}_{w}" for d in depths for w in windows),
        *(("ofi_momentum", "ofi_acceleration") if 1 in config.depths else ()),
        *(f"trade_imbalance_{w}" for w in windows),
        *("trade_volume", "trade_count", "vwap", "price_ffd", "volume_ffd", "fdi", "regime", "volatility"),
        *(("integrated_ofi", "integrated_ofi_share") if config.integrated_ofi else ()),
        *(normalised.columns(config) if config.normalised else ()),
        *(derivatives.columns(config) if config.derivatives else ()),
        "warm",
    ]


def features(
    batch: TapeBatch, config: FeatureConfig, *, full_depth: bool = False, cut_levels: int = 0
) -> dict[str, list[Any]]:
    """Feature rows of a tape, as lists by column.

    `full_depth`: the venue never hides a part of the book; `cut_levels`: but whoever recorded it did, beyond so many
    levels a side.
    """
    whole, batch = batch, derivatives.market(batch)
    views = message_ends(batch)
    rows: list[Row] = []
    for stretch in stretches(batch, config.max_hold_ns):
        rows += stretch_rows(whole, batch, config, stretch, views, full_depth, cut_levels)
    return {name: [row[name] for row in rows] for name in columns(config)}


def books(batch: TapeBatch, config: FeatureConfig) -> dict[str, list[Any]]:
    """The `books` rows of a tape, as lists by column (docs/features.md, 4.9)."""
    rows: list[Row] = []
    batch = derivatives.market(batch)
    views = message_ends(batch)
    for stretch in stretches(batch, config.max_hold_ns):
        for sample in planned(stretch, views, config):
            included = stretch[: sample.included]
            book = next(views[t.index] for t in reversed(included) if is_update(t, views))
            ordinal = int(batch.ordinal[included[-1].index])
            rows.append({"ts": sample.ts, "ordinal": ordinal} | top(book.bids, book.asks))
    return {name: [row[name] for row in rows] for name in ["ts", "ordinal", *top([], [])]}


def quality_events(batch: TapeBatch) -> int:
    """Message ends whose book is crossed, locked, one-sided or empty."""
    return sum(not view.is_update for view in message_ends(derivatives.market(batch)).values())


def is_update(tick: Tick, views: dict[int, BookView]) -> bool:
    return tick.index in views and views[tick.index].is_update


def planned(stretch: list[Tick], views: dict[int, BookView], config: FeatureConfig) -> list[Sample]:
    return samples(stretch, {i for i, view in views.items() if view.is_update}, config.sampling_ns)


def stretch_updates(stretch: list[Tick], views: dict[int, BookView], config: FeatureConfig) -> Iterator[Update]:
    before = None
    for tick in stretch:
        if is_update(tick, views):
            now = views[tick.index]
            yield Update(tick.clock, now, {d: ofi(before, now, d, config.ofi) for d in config.depths})
            before = now


def stretch_rows(
    whole: TapeBatch,
    batch: TapeBatch,
    config: FeatureConfig,
    stretch: list[Tick],
    views: dict[int, BookView],
    full_depth: bool,
    cut_levels: int,
) -> list[Row]:
    """The rows between two restarts; nothing of another stretch is read but the book."""
    all_updates = list(stretch_updates(stretch, views, config))
    all_trades = {
        n: Trade(tick.clock, *(column[tick.index].item() for column in (batch.side, batch.price, batch.size)))
        for n, tick in enumerate(stretch)
        if batch.kind[tick.index] == TRADE
    }
    rows: list[Row] = []
    flows: list[list[float]] = []  # x of every row since the restart
    included_before = 0
    for sample in planned(stretch, views, config):
        ts, included = sample.ts, stretch[: sample.included]
        updates = all_updates[: count_updates(included, views)]
        new_updates = all_updates[count_updates(stretch[:included_before], views) : len(updates)]
        some_trades = [t for n, t in all_trades.items() if n < sample.included]
        new_trades = [t for n, t in all_trades.items() if included_before <= n < sample.included]
        newest, book = included[-1].index, updates[-1].book

        row: Row = {
            "ts": ts,
            "receive_ts": int(batch.receive_ts[newest]),
            "ordinal": int(batch.ordinal[newest]),
            **state(book.bids, book.asks, config.depths),
            "trade_volume": trades.volume(new_trades),
            "trade_count": len(new_trades),
            "vwap": trades.vwap(new_trades),
        }
        rows.append(row)  # from here on `rows` are all rows since the restart, this row included
        for d in config.depths:
            row[f"ofi_{label(d)}"] = math.fsum(u.flow[d] for u in new_updates)
            for text, ns in config.windows:
                name = f"{label(d)}_{text}"
                row[f"ofi_{name}"] = windowed([(u.clock, u.flow[d]) for u in updates], ts, ns)
                row[f"ofi_z_{name}"] = zscore([r[f"ofi_{name}"] for r in rows[-config.zscore_window :]])
        if 1 in config.depths:
            row["ofi_momentum"] = rows[-1]["ofi_l0"] - rows[-2]["ofi_l0"] if len(rows) > 1 else 0.0
            row["ofi_acceleration"] = rows[-1]["ofi_momentum"] - rows[-2]["ofi_momentum"] if len(rows) > 1 else 0.0
        for text, ns in config.windows:
            row[f"trade_imbalance_{text}"] = trades.imbalance(some_trades, ts, ns)
        if config.normalised:
            row |= normalised.book(row, book, config)
            row |= normalised.flow(row, [u.flow for u in new_updates], [(u.clock, u.flow) for u in updates], ts, config)
            row |= normalised.trades(row, some_trades, ts, config)

        price_weights = fracdiff.weights(config.price_d, config.ffd_threshold)
        volume_weights = fracdiff.weights(config.volume_d, config.ffd_threshold)
        row["price_ffd"] = fracdiff.ffd([math.log(r["mid"]) for r in rows], price_weights)
        row["volume_ffd"] = fracdiff.ffd([math.log(1 + r["trade_volume"]) for r in rows], volume_weights)

        sampled = [r["mid"] for r in rows if fractal.is_sample(r["ts"], config.sampling_ns, config.fdi_interval_ns)]
        window = sampled[-config.fdi_window :]
        row["fdi"] = fractal.dimension(window, config.fdi_method) if len(window) == config.fdi_window else math.nan
        row["regime"] = fractal.regime(row["fdi"])
        row["volatility"] = volatility([r["mid"] for r in rows], config.volatility_window)
        if config.integrated_ofi:
            already = len(updates) - len(new_updates)
            before = all_updates[already - 1].book if already else None
            flows.append(integrated_ofi.scaled(before, [u.book for u in new_updates], config.integrated_ofi))
            value, share = integrated_ofi.integrated(flows, config.zscore_window)
            row |= {"integrated_ofi": value, "integrated_ofi_share": share}
        if config.derivatives:
            row |= derivatives.derivatives(whole, batch, stretch, sample.included, row, config)
        row["warm"] = validity.warm(
            config,
            ts=ts,
            first_update=all_updates[0].clock,
            rows=len(rows),
            fdi_samples=len(sampled),
            covered=validity.whole(book, full_depth, cut_levels),
        )
        included_before = sample.included
    return rows


def count_updates(ticks: list[Tick], views: dict[int, BookView]) -> int:
    return sum(is_update(tick, views) for tick in ticks)
