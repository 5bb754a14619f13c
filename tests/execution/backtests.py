"""Backtests by the command `tickwax backtest`: writes tape, schedule and settings, reads orders, fills and equity."""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sources.tape.batch import tape_batch
from sources.tape.schema import to_arrow
from tests.commands import tickwax
from tests.oracle.exchange_cases import LOTS, MS, WHOLE, Case, case
from tests.oracle.independent_backtest import Backtest
from tests.oracle.independent_orders import Request, Rules, TapeRow

DATE = "2026-01-05"
VENUES = ("binance_futures", "bybit_linear")


@dataclass(frozen=True)
class Profile:
    """Settings of a run."""

    queue: str = "power"
    power: int = 3
    entry: int = 10 * MS
    response: int = 10 * MS
    maker: float = 2.0
    taker: float = 5.0
    max_position: float | None = None
    max_order: float | None = None
    one_clock: bool = False
    sampling: int = 100 * MS
    max_hold: int = 1000 * MS

    def case(self, seed: int) -> Case:
        lots = LOTS if self.max_position is None else WHOLE  # a limit is a number of units
        return case(seed, entry=self.entry, max_hold=self.max_hold, lots=lots)

    def toml(self, cases: Mapping[tuple[str, str], Case]) -> str:
        lines = [
            "[features]",
            f'sampling = "{f"{self.sampling}ns" if self.sampling else "update"}"',
            f'max_hold = "{self.max_hold}ns"',
            "[execution]",
            f'queue = "{self.queue}"',
            f"queue_power = {self.power}",
            f'latency_entry = "{self.entry}ns"',
            f'latency_response = "{self.response}ns"',
            f"maker = {self.maker}",
            f"taker = {self.taker}",
            f"one_clock = {str(self.one_clock).lower()}",
            *([] if self.max_position is None else [f"max_position = {self.max_position}"]),
            *([] if self.max_order is None else [f"max_order = {self.max_order}"]),
            "[execution.grids]",
        ]
        for (venue, symbol), made in cases.items():
            if made.given:
                least = f", min = {float(made.least)!r}" if made.least else ""
                grid = f"tick = {float(made.tick)!r}, lot = {float(made.lot)!r}{least}"
                lines.append(f'"{venue}:{symbol}" = {{ {grid} }}')
        return "\n".join(lines) + "\n"

    def rules(self, venue: str, made: Case) -> Rules:
        maker, taker = (2.0, 5.5) if venue == "bybit_linear" else (self.maker, self.taker)
        limits = [None if x is None else Fraction(repr(x)) for x in (self.max_position, self.max_order)]
        return Rules(
            made.tick,
            made.lot,
            made.least,
            maker,
            taker,
            self.queue,
            self.power,
            *limits,
            entry=self.entry,
            response=self.response,
            one_clock=self.one_clock,
        )


def write_tape(root: Path, venue: str, symbol: str, rows: Sequence[TapeRow], file_rows: int) -> None:
    """The rows as files of a tape, cut without regard to messages."""
    table = pa.Table.from_batches(
        [
            to_arrow(
                tape_batch(
                    ordinal=range(len(rows)),
                    **{name: [getattr(row, name) for row in rows] for name in TapeRow.__dataclass_fields__},
                )
            )
        ]
    )
    folder = root / f"exchange={venue}" / f"symbol={symbol}" / f"date={DATE}"
    folder.mkdir(parents=True)
    for n, start in enumerate(range(0, len(rows), file_rows)):
        pq.write_table(table.slice(start, file_rows), folder / f"{n:06}.parquet", row_group_size=max(1, file_rows // 3))


SCHEDULE = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("exchange", "symbol")),
        pa.field("local_ts", pa.timestamp("ns", tz="UTC")),
        pa.field("action", pa.string()),
        *(pa.field(name, pa.int64()) for name in ("order_id", "side")),
        *(pa.field(name, pa.string()) for name in ("kind", "tif")),
        *(pa.field(name, pa.float64()) for name in ("price", "size")),
    ]
)


def write_schedule(path: Path, cases: Mapping[tuple[str, str], Sequence[tuple[int, Request]]]) -> None:
    rows = [
        {
            "exchange": venue,
            "symbol": symbol,
            "local_ts": at,
            **{name: getattr(request, name) for name in Request.__dataclass_fields__},
        }
        for (venue, symbol), decided in cases.items()
        for at, request in decided
    ]
    pq.write_table(pa.Table.from_pylist(rows, SCHEDULE), path)


def backtest(tape: Path, out: Path, *arguments: object, cwd: Path | None = None) -> None:
    done = tickwax("backtest", "--tape", tape, "--out", out, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr


def rows_of(out: Path, name: str, venue: str, symbol: str) -> list[dict[str, Any]]:
    files = sorted((out / name / f"exchange={venue}" / f"symbol={symbol}").rglob("*.parquet"))
    result: list[dict[str, Any]] = []
    for file in files:
        table = pq.ParquetFile(file).read()
        for at, column in enumerate(table.column_names):
            if pa.types.is_timestamp(table.schema.field(column).type):
                table = table.set_column(at, column, table[column].cast(pa.int64()))
        result += table.to_pylist()
    return result


def bits(value: object) -> object:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    return value


def first_difference(found: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> str | None:
    for n, (a, b) in enumerate(zip(found, wanted, strict=False)):
        if {k: bits(v) for k, v in a.items()} != {k: bits(v) for k, v in b.items()}:
            wrong = [k for k in {**a, **b} if bits(a.get(k)) != bits(b.get(k)) or (k in a) != (k in b)]
            return f"row {n}, columns {wrong}:\n found  {dict(a)}\n wanted {dict(b)}"
    if len(found) != len(wanted):
        n = min(len(found), len(wanted))
        more = "found" if len(found) > n else "wanted"
        return f"{len(found)} rows, wanted {len(wanted)}; first beyond, {more}: {dict(max(found, wanted, key=len)[n])}"
    return None


def differences(out: Path, venue: str, symbol: str, wanted: Backtest) -> Iterable[str]:
    sets = {"orders": wanted.exchange.orders, "fills": wanted.exchange.fills, "equity": wanted.equity}
    for name, rows in sets.items():
        difference = first_difference(rows_of(out, name, venue, symbol), rows)
        if difference:
            yield f"{venue}:{symbol} {name}: {difference}"


def market_of(folder: Path, profile: Profile, seeds: Iterable[int]) -> dict[tuple[str, str], Case]:
    """Writes the cases of some seeds as one tape, one schedule and one file of settings."""
    cases = {(VENUES[seed % 2], f"S{seed}USDT"): profile.case(seed) for seed in seeds}
    for n, ((venue, symbol), made) in enumerate(cases.items()):
        write_tape(folder / "tape", venue, symbol, made.rows, (17, 100, 1000)[n % 3])
    write_schedule(folder / "schedule.parquet", {key: made.schedule for key, made in cases.items()})
    (folder / "settings.toml").write_text(profile.toml(cases))
    return cases
