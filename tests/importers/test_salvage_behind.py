"""Files of several members of which some are damaged: what stands before and behind is taken, and nothing else."""

import gzip
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sources.errors import TickwaxError
from sources.importers import binance_vision, files, hftbacktest, tardis
from sources.importers.stats import ImportStats
from sources.tape.batch import KINDS, TRADE, TapeBatch
from tests.importers.captures import BTC, check_invariants, rows_of, run
from tests.importers.kinds import (
    KINDS_OF_FILE,
    LOST,
    PARTS,
    gz,
    hft,
    plain,
    prints_of_binance,
    tardis_books,
    text,
    zipped,
)


def only(reader: Callable[..., object], paths: Sequence[Path], stats: ImportStats | None = None) -> TapeBatch:
    (batch,) = rows_of(reader, paths, stats).values()  # type: ignore[arg-type]
    return batch


def told(batch: TapeBatch) -> list[tuple[object, ...]]:
    """Rows but for resets and numbers that count the rows before."""
    names = [KINDS[kind] for kind in batch.kind]
    columns = (batch.exchange_ts, batch.receive_ts, batch.side, batch.price, batch.size, batch.last)
    rows = zip(names, *(column.tolist() for column in columns), strict=True)
    return [row for row in rows if row[0] != "reset"]


@pytest.mark.parametrize("pack", [gz, zipped])
@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_packed_in_several_members_it_is_the_same_capture(tmp_path: Path, kind: str, pack: Callable[..., Path]) -> None:
    make, read, _ = KINDS_OF_FILE[kind]
    parts = make()
    want = only(read, [plain(tmp_path / "a.csv", parts)])
    got = only(read, [pack(tmp_path / "b", parts)])
    for column, other in zip(got, want, strict=True):
        assert column.tolist() == other.tolist()


@pytest.mark.parametrize("block", [1 << 20, 1500])
@pytest.mark.parametrize("pack", [gz, zipped])
@pytest.mark.parametrize("broken", [(1,), (1, 2), (1, 3), (3, 4)])
@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_what_stands_before_and_behind_a_damaged_member_is_taken(
    tmp_path: Path,
    kind: str,
    broken: tuple[int, ...],
    pack: Callable[..., Path],
    block: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "BLOCK_BYTES", block)
    make, read, books = KINDS_OF_FILE[kind]
    parts = make()
    stats = ImportStats()
    got = only(partial(read, salvage=True), [pack(tmp_path / "b", parts, broken)], stats)
    check_invariants(got)
    kept = [part for n, part in enumerate(parts) if n not in broken]
    if kind in ("tardis, books", "tardis, whole books"):  # rows beside the damage may be no whole message
        head = LOST if kind == "tardis, books" else 0
        kept = [
            part[head if n - 1 in broken else 0 : -1 if n + 1 in broken else None]
            for n, part in enumerate(parts)
            if n not in broken
        ]
    assert told(got) == told(only(read, [plain(tmp_path / "a.csv", kept)]))
    assert bool((got.kind != TRADE).any()) == books
    assert 1 <= len(stats.salvaged) <= len(broken)
    assert all(damage.lost > 300 for damage in stats.salvaged)
    if books:
        resets = np.flatnonzero(got.kind == KINDS.index("reset"))
        if broken[-1] == PARTS - 1:
            assert resets[-1] == got.rows - 1
        else:
            assert len(resets) >= 1


@pytest.mark.parametrize("kind", ["hftbacktest", "tardis-raw", "binance-vision", "bybit-archive"])
@pytest.mark.parametrize("pack", [gz, zipped])
def test_what_stands_behind_a_damaged_first_member_is_taken(
    tmp_path: Path, kind: str, pack: Callable[..., Path]
) -> None:
    """Of gzip the first line behind it is left out: nothing tells whether it has its beginning."""
    make, read, _ = KINDS_OF_FILE[kind]
    parts = make()
    path = pack(tmp_path / "b", parts, (0,))
    with pytest.raises(TickwaxError, match=r"member 1|zip member '0'.*--salvage takes what stands behind it$"):
        run(tmp_path / "tape", [path], read, BTC)  # type: ignore[arg-type]
    kept = [line for part in parts[1:] for line in part][pack is gz :]
    got = only(partial(read, salvage=True), [path])
    assert told(got) == told(only(read, [plain(tmp_path / "a", [kept])]))


def test_a_line_of_which_the_damage_took_the_beginning_is_left_out(tmp_path: Path) -> None:
    """The members of a file that was packed in pieces end anywhere."""
    content = text([line for part in prints_of_binance() for line in part])
    cuts = [0, 4000, 8000, 12_000, len(content)]
    members = [bytearray(gzip.compress(content[a:b])) for a, b in pairwise(cuts)]
    members[1][500] ^= 0xFF
    path = tmp_path / "a.gz"
    path.write_bytes(b"".join(members))
    stats = ImportStats()
    got = only(partial(binance_vision.read, symbol="BTCUSDT", salvage=True), [path], stats)
    whole = [*content[:4000].split(b"\n")[:-1], *content[8000:].split(b"\n")[1:-1]]
    assert got.sequence.tolist() == [int(line.split(b",")[0]) for line in whole]
    assert stats.bad == 0


def test_rows_of_a_snapshot_that_lost_its_beginning_make_no_book(tmp_path: Path) -> None:
    parts = tardis_books()
    moved, parts[2] = parts[2][:2], parts[2][2:]  # two of three levels are in the damaged member
    parts[1] += moved
    stats = ImportStats()
    got = only(partial(tardis.read, salvage=True), [gz(tmp_path / "b", parts, (1,))], stats)
    kept = [parts[0][:-1], parts[2][LOST - 2 :], *parts[3:]]
    assert told(got) == told(only(tardis.read, [plain(tmp_path / "a.csv", kept)]))
    assert stats.ignored["rows of a snapshot whose beginning is lost"] == 1


def test_the_summary_says_what_is_lost(tmp_path: Path) -> None:
    path = gz(tmp_path / "b", hft(), (1,))
    result = run(tmp_path / "tape", [path], partial(hftbacktest.read, instrument=BTC, salvage=True), BTC)
    (damage,) = result.stats.salvaged
    assert str(damage).startswith(f"{path}: is damaged: gzip member 2: it")
    lost = len(gzip.compress(text(hft()[1]), mtime=0))
    assert damage.taken == (
        f"taken is what stands before and behind that, which is proved; lost are {lost:,} bytes of the packed file; "
        "a reset stands in its place"
    )


def test_bytes_that_begin_like_a_member_are_none(tmp_path: Path) -> None:
    """Behind the damage only a member goes on that agrees with its checksum."""
    parts = hft()
    false = b"\x1f\x8b\x08\x00" + bytes(6) + b"\x1f\x8b\x08" + gzip.compress(text(parts[2]), mtime=0)[:300]
    members = [bytearray(gzip.compress(text(part), mtime=0)) for part in parts]
    members[1][len(members[1]) // 2] ^= 0xFF
    path = tmp_path / "b.gz"
    path.write_bytes(bytes(members[0] + members[1]) + false + bytes(members[3]))
    got = only(partial(hftbacktest.read, instrument=BTC, salvage=True), [path])
    kept = plain(tmp_path / "a", [parts[0], parts[3]])
    assert told(got) == told(only(partial(hftbacktest.read, instrument=BTC), [kept]))
