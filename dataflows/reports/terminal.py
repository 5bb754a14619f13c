"""What is printed: literally, whole, and never the reason why a run fails.

A terminal may have no encoding for a sign, a pipe may be closed, the disk behind a redirection full. None of that says
anything of the work that is told of.
"""

import codecs
import errno
import io
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any, TextIO

_ERRORS = "tickwax"  # how signs are replaced that an encoding lacks
_PLAIN = {"·": "-", "…": "...", "–": "-", "—": "-", "−": "-", "×": "x", "’": "'", "“": '"', "”": '"'}
# Signs that move the cursor, colour the terminal or turn the direction of writing.
_CONTROL = {
    sign: f"\\u{sign:04x}"
    for sign in (
        *(*range(32), *range(127, 160), 0x061C, 0x200E, 0x200F),
        *(*range(0x2028, 0x202F), *range(0x2066, 0x206A)),
    )
    if sign != ord("\t")
}


class _Stream(io.FileIO):
    """A file descriptor that is written to if it can be."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)
        self.error: OSError | None = None  # the first

    def write(self, data: Any, /) -> int:
        """Write, or remember why not."""
        try:
            return super().write(data) or 0
        except OSError as e:
            self.error = self.error or e
            return len(data)


_streams: dict[int, _Stream] = {}


def ready_streams() -> None:
    """Call first in a process: standard output and error then take everything and raise nothing.

    Where one is closed, what the process opens next would get its number, and what a library prints would be written
    into that file: it becomes the null device.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            if nowhere != number:
                os.close(nowhere)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(2, sys.stderr)


def _text(number: int, before: IO[str] | None) -> TextIO:
    stream = _streams[number] = _Stream(number)
    if before is not None:
        before.flush()
    encoding = getattr(before, "encoding", None) or "utf-8"
    at_once = number == 2 or stream.isatty()
    return io.TextIOWrapper(io.BufferedWriter(stream), encoding, _ERRORS, line_buffering=at_once)


def output_error() -> OSError | None:
    """Why not all of standard output could be written; None if it was, or if its reader wanted no more."""
    sys.stdout.flush()
    stream = _streams.get(1)
    error = stream.error if stream else None
    return None if error is None or error.errno == errno.EPIPE else error


UNKNOWN_SIGNS = "signs that the encoding of this locale does not know; LC_ALL=C.UTF-8 sets one that does"


def literal(text: str) -> str:
    """The text with signs that would do something to a terminal written out."""
    return text.translate(_CONTROL)


def line(text: str) -> None:
    """Print one line, as it is."""
    print(shown(text), flush=True)


def prose(text: str) -> None:
    """Print a sentence: on a terminal broken between words, in a pipe one line."""
    columns = width()
    if columns is None:
        line(text)
        return
    print("\n  ".join(wrapped(shown(text).split(), columns - 2, " ")), flush=True)


def shown(text: str) -> str:
    """What standard output will show of a text: control signs written out, and signs that its encoding lacks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return literal(text).encode(encoding, _ERRORS).decode(encoding)


def cells(text: str) -> int:
    """Columns of a terminal that a text takes: Chinese signs take two."""
    from rich.cells import cell_len

    return cell_len(text)


def wrapped(parts: Sequence[str], columns: int, gap: str) -> Iterator[str]:
    """The parts in lines of so many columns, broken only between them."""
    line = ""
    for part in parts:
        longer = f"{line}{gap}{part}" if line else part
        if line and cells(longer) > columns:
            yield line
            longer = part
        line = longer
    if line:
        yield line


def width() -> int | None:
    """Columns of the terminal, or those that ``COLUMNS`` names; None where output goes to none: lines stay whole."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(s) or _escaped(ord(s)) for s in signs), error.end


def _escaped(sign: int) -> str:
    """As TOML and JSON write it, since settings are printed to be read again."""
    return f"\\u{sign:04x}" if sign < 1 << 16 else f"\\U{sign:08x}"


codecs.register_error(_ERRORS, _replaced)
