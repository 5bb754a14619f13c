"""Tables of text that are readable at any width: no value is cut, and none is broken."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dataflows.reports import terminal

_GAPS = (2, 1)  # spaces between columns, the wider where there is room
_INDENT = "  "
_MOST_SECTIONS = 2  # of one table; with more, its rows cannot be read across


@dataclass
class TextTable:
    """Rows of text under titles.

    Where a line is too long for the terminal, the columns are laid out in two sections, each with the key columns, the
    first, which say what a row is of. Where that is not enough, a row is a paragraph: its first value, then the others
    with their titles.
    """

    titles: Sequence[str]
    left: Sequence[str] = ()  # titles of the columns that begin, not end, under each other; the keys do anyway
    keys: int = 1
    rows: list[Sequence[str]] = field(default_factory=list)

    def add(self, *values: str) -> None:
        """Add a row.

        Raises:
            ValueError: there are more or fewer values than titles.
        """
        if len(values) != len(self.titles):
            raise ValueError(f"{len(values)} values for {len(self.titles)} titles")
        self.rows.append(values)

    def lines(self, width: int | None, shown: Callable[[str], str] = terminal.literal) -> list[str]:
        """The lines for a terminal of so many columns; None: each row is one line, however long.

        Args:
            shown: what the terminal shows of a text.
        """
        grid = [[shown(value) for value in row] for row in (self.titles, *self.rows)]
        widths = [max(map(terminal.cells, column)) for column in zip(*grid, strict=True)]
        for most in range(1, _MOST_SECTIONS + 1):
            for gap in _GAPS:
                sections = _sections(widths, self.keys, gap, width)
                if len(sections) <= most and (width is None or all(_total(widths, s, gap) <= width for s in sections)):
                    blocks = ["\n".join(self._line(row, s, widths, gap) for row in grid) for s in sections]
                    return "\n\n".join(blocks).split("\n")
        return list(self._paragraphs(grid, width or 0))

    def _line(self, row: Sequence[str], section: Sequence[int], widths: Sequence[int], gap: int) -> str:
        padded = []
        for c in section:
            space = " " * (widths[c] - terminal.cells(row[c]))
            padded.append(row[c] + space if c < self.keys or self.titles[c] in self.left else space + row[c])
        return (" " * gap).join(padded).rstrip()

    def _paragraphs(self, grid: Sequence[Sequence[str]], width: int) -> Iterable[str]:
        titles, *rows = grid
        for row in rows:
            pairs = [f"{title} {value}".strip() if value else "" for title, value in zip(titles, row, strict=True)]
            yield from terminal.wrapped([row[0], *pairs[1 : self.keys]], width, _INDENT)
            values = terminal.wrapped(list(filter(None, pairs[self.keys :])), width - len(_INDENT), _INDENT)
            yield from (_INDENT + line for line in values)


def show(table: TextTable) -> None:
    """Print a table on standard output."""
    print("\n".join(table.lines(terminal.width(), terminal.shown)), flush=True)


def _sections(widths: Sequence[int], keys: int, gap: int, width: int | None) -> list[list[int]]:
    """Columns of each section: as many as fit, in order, behind the keys."""
    first = list(range(keys))
    sections = [list(first)]
    for c in range(keys, len(widths)):
        if width is not None and len(sections[-1]) > keys and _total(widths, [*sections[-1], c], gap) > width:
            sections.append(list(first))
        sections[-1].append(c)
    return sections


def _total(widths: Sequence[int], section: Sequence[int], gap: int) -> int:
    return sum(widths[c] for c in section) + gap * (len(section) - 1)
