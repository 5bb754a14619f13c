"""Damage to Parquet files: those of a tape, of ours and of others, and the file of fractional orders."""

import hashlib
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow.parquet as pq

from dataflows.assembly.fractional_orders import read_fractional_orders
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from operators.fractional_order import FractionalOrder
from sinks.identity import Identity, settings_in
from sinks.optimal_d import write_fractional_orders
from sources.errors import DamagedError
from sources.parquet import END, MARK
from sources.tape.files import ParquetFile
from sources.tape.layout import data_files
from sources.tape.reader import TapeReader
from tests.damage.child import Child, DiedError
from tests.damage.wounds import Finding, Outcome, wound
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND

_ROWS = 1000  # of a batch

# How a file of the tape was written: with what checksums.
WRITERS: dict[str, Callable[[Path], None]] = {
    "ours": lambda path: None,
    "pages": lambda path: _again(path, write_page_checksum=True),
    "none": lambda path: _again(path),
}


def _again(path: Path, **options: bool) -> None:
    table = pq.ParquetFile(path).read()
    pq.write_table(table, path, row_group_size=1500, use_dictionary=["kind"], compression="snappy", **options)


def read_tape(root: Path) -> tuple[str, str]:
    """Digest of all that a tape's reader makes of it, or how it refuses; runs in a child."""

    def read() -> str:
        digest = hashlib.sha256()
        reader = TapeReader(root, INSTRUMENTS[0])
        digest.update(repr((reader.rows, reader.span)).encode())
        batches = list(reader.batches(_ROWS))
        for name in batches[0]._fields:
            for batch in batches:
                digest.update(getattr(batch, name).tobytes())
        later = TapeReader(root, INSTRUMENTS[0], start_ns=reader.span[0] + SECOND)  # goes by statistics
        digest.update(repr((later.first_ordinal, sum(b.rows for b in later.batches(_ROWS)))).encode())
        for path in data_files(root, INSTRUMENTS[0]):
            digest.update(repr((settings_in(path), ParquetFile.open(path).left_open())).encode())
        return digest.hexdigest()

    return _told(read)


def read_order_file(path: Path) -> tuple[str, str]:
    """The same of a file of fractional orders."""
    return _told(lambda: repr((read_fractional_orders(path), settings_in(path))))


def _told(read: Callable[[], str]) -> tuple[str, str]:
    try:
        return "read", read()
    except DamagedError as e:
        return "damaged", str(e)
    except Exception as e:  # judged by whoever asked
        return type(e).__name__, str(e) if type(e).__name__ == "TickwaxError" else traceback.format_exc()


class Files:
    """Parquet files that a reader is given in a process of its own."""

    def __init__(self, folder: Path, child: Child, written: str = "ours", what: str = "tape") -> None:
        """Args:
        child: reads the files.
        written: one of `WRITERS`: which checksums the files have.
        what: ``tape`` or ``orders``.
        """
        self.name = f"{what}: {written}"
        self._written = written
        self._child = child
        folder.mkdir(parents=True, exist_ok=True)
        if what == "tape":
            self._root, self._read = folder / "tape", read_tape
            write_synthetic_tape(self._root, INSTRUMENTS[:1], 4 * SECOND, 7, start_ns=MIDNIGHT - 2 * SECOND)
            self.files = data_files(self._root, INSTRUMENTS[0])
        else:
            self._root, self._read = folder / "orders.parquet", read_order_file
            write_fractional_orders(
                self._root, list(_orders()), "100ms", Identity("optimal_d", {"features.sampling": "100ms"})
            )
            self.files = [self._root]
        for path in self.files:
            WRITERS[written](path)
        how, self._sound = self._child.ask(self._read, self._root)
        assert how == "read", self._sound

    def hurt(self, random: Random) -> Finding:
        """Damage one file somewhere: its pages, its footer or its end are equally likely."""
        path = random.choice(self.files)
        sound = path.read_bytes()
        length, _ = END.unpack(sound[-END.size :])
        footer = len(sound) - END.size - length
        regions = {
            "pages": (0, footer),
            "footer": (footer, len(sound)),
            "end": (len(sound) - len(MARK) - 2 * END.size, len(sound)),
        }
        region = random.choice(list(regions))
        what = f"{region}: {wound(path, random, span=regions[region])}"
        try:
            if path.read_bytes() == sound:
                return Finding(Outcome.SAME, what)
            how, said = self._child.ask(self._read, self._root)
        except DiedError as e:
            return Finding(Outcome.SIGNAL, what, str(e))
        finally:
            path.write_bytes(sound)
        return Finding(self._judge(path, how, said), what, said)

    def _judge(self, path: Path, how: str, said: str) -> Outcome:
        if how == "read":
            other = Outcome.WRONG if self._written == "ours" else Outcome.UNKNOWABLE
            return Outcome.SAME if said == self._sound else other
        if how == "damaged" or (how == "TickwaxError" and self._written != "ours"):
            return Outcome.REFUSED if str(path) in said and "\n" not in said else Outcome.TRACEBACK
        return Outcome.TRACEBACK


def _orders() -> list[FractionalOrder]:
    return [
        FractionalOrder(i.venue, i.symbol, series, 100, 0, MIDNIGHT, d, "", -3.0, 0.01, 0.9, True)
        for i in INSTRUMENTS
        for series, d in (("price", 0.35), ("volume", 0.5))
    ]
