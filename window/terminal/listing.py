"""The table of all instruments as a widget: only the lines in sight are drawn, whatever there are."""

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from typing_extensions import override

from window.terminal.table import Cell, Column, Table

_GAP = 2


class Listing(ScrollView, can_focus=True):
    """Scrolls, and has a cursor that stays on its instrument whatever the order."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(0)", "First", show=False),
        Binding("end,G", "edge(1)", "Last", show=False),
        Binding("s", "sort(1)", "Sort by next"),
        Binding("S", "sort(-1)", "Sort by the one before", show=False),
        Binding("r", "turn", "Reverse"),
    ]

    class Opened(Message):
        """Somebody wants to see an instrument."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table = table
        self.current = ""  # name of the instrument under the cursor

    def renew(self) -> None:
        """Draw what the table holds now."""
        table = self.table
        width = sum(column.width + _GAP for column in table.columns)
        size = Size(width, len(table.order) + 1)
        if size != self.virtual_size:
            self.virtual_size = size
        if table.order and self.place is None:
            self.current = table.names[table.order[0]]
        self.refresh()

    @property
    def place(self) -> int | None:
        """The line of the cursor."""
        names = self.table.names
        return next((at for at, i in enumerate(self.table.order) if names[i] == self.current), None)

    @override
    def render_line(self, y: int) -> Strip:
        scroll_x, scroll_y = self.scroll_offset
        table = self.table
        if y == 0:
            segments = [part for column in table.columns for part in self._title(column)]
        elif (at := scroll_y + y - 1) < len(table.order):
            i = table.order[at]
            here = table.names[i] == self.current
            back = self.get_component_rich_style("listing--cursor") if here else Style()
            segments = [part for c in table.columns for part in _parts(table.cell(i, c.name), c, back)]
        else:
            segments = []
        strip = Strip(segments)
        return strip.crop_extend(scroll_x, scroll_x + self.size.width, Style()).apply_style(self.rich_style)

    COMPONENT_CLASSES: ClassVar[set[str]] = {"listing--cursor", "listing--title"}
    DEFAULT_CSS = """
    Listing { height: 1fr; scrollbar-size-horizontal: 0; }
    Listing > .listing--cursor { background: $primary 40%; }
    Listing > .listing--title { text-style: bold; color: $text-muted; }
    """

    def _title(self, column: Column) -> list[Segment]:
        style = self.get_component_rich_style("listing--title")
        mark = ("▼" if self.table.falling else "▲") if column.name == self.table.sorted_by else ""
        return _parts(Cell(column.title + mark), column, style)

    def action_open(self) -> None:
        """Show the instrument under the cursor."""
        if self.place is not None:
            self.post_message(self.Opened(self.current))

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._go((self.place or 0) + by)

    def action_page(self, by: int) -> None:
        """Move it by what is in sight."""
        self._go((self.place or 0) + by * max(1, self.size.height - 2))

    def action_edge(self, end: int) -> None:
        """To the first or the last."""
        self._go(end * len(self.table.order))

    def _go(self, place: int) -> None:
        order = self.table.order
        if not order:
            return
        place = min(max(place, 0), len(order) - 1)
        self.current = self.table.names[order[place]]
        height = max(1, self.size.height - 1)
        top = min(max(self.scroll_offset.y, place - height + 1), place)
        self.scroll_to(y=top, animate=False)
        self.refresh()

    def action_sort(self, by: int) -> None:
        """Order by the next column, or the one before."""
        names = [column.name for column in self.table.columns if column.name != "spark"]
        self.sort(names[(names.index(self.table.sorted_by) + by) % len(names)])

    def action_turn(self) -> None:
        """The other way round."""
        self.table.sort(self.table.sorted_by, not self.table.falling)
        self._follow()

    def sort(self, name: str) -> None:
        """Order by a column: names from A, numbers from the largest."""
        self.table.sort(name, name not in ("name", "regime"))
        self._follow()

    def _follow(self) -> None:
        self.renew()
        self._go(self.place or 0)

    def on_click(self, event: events.Click) -> None:
        """A title orders, a line is chosen, and opened when it is chosen already."""
        x = event.x + self.scroll_offset.x
        if event.y == 0:
            for column in self.table.columns:
                if x < column.width + _GAP and column.name != "spark":
                    same = column.name == self.table.sorted_by
                    self.action_turn() if same else self.sort(column.name)
                    return
                x -= column.width + _GAP
            return
        place = self.scroll_offset.y + event.y - 1
        if place < len(self.table.order):
            if place == self.place:
                self.action_open()
            self._go(place)

    def watch_scroll_y(self, old: float, new: float) -> None:
        """The title stays where it is, so all lines are drawn anew."""
        super().watch_scroll_y(old, new)
        self.refresh(Region(0, 0, *self.size))


def _parts(cell: Cell, column: Column, back: Style) -> list[Segment]:
    text = cell.text
    if cell_len(text) > column.width:
        text = set_cell_size(text, column.width - 1) + "…"
    room = " " * (column.width - cell_len(text))  # Chinese signs take two columns
    padded = text + room if column.left else room + text
    return [Segment(padded, Style.parse(cell.style) + back), Segment(" " * _GAP, back)]
