"""One instrument on the whole screen."""

import math
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from operators.config import FeatureConfig
from window.tap import Tap
from window.terminal.account import Account, trades
from window.terminal.drawing import NONE, number, span
from window.terminal.log import LogLines
from window.terminal.panes import LogPane, StatusBar
from window.terminal.table import Cell, Table
from window.terminal.view import View

_SPARK_ROWS = 4


class InstrumentScreen(Screen[None]):
    """The ladder, the z-scores, mid over the last minutes, and what the table says of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,left", "app.pop_screen", "Back"),
        Binding("n,down", "step(1)", "Next"),
        Binding("p,up", "step(-1)", "Previous"),
    ]
    DEFAULT_CSS = f"""
    InstrumentScreen #facts {{ height: 2; padding: 0 1; }}
    InstrumentScreen #account {{ height: 1; padding: 0 1; display: none; }}
    InstrumentScreen #account.there {{ display: block; }}
    InstrumentScreen #book {{ height: 1fr; min-height: 8; }}
    InstrumentScreen #ladder {{ width: 1fr; height: 100%; padding: 0 1; }}
    InstrumentScreen #right {{ width: 1fr; overflow-y: auto; }}
    InstrumentScreen #mid {{ height: {_SPARK_ROWS + 1}; padding: 0 1; color: $accent; }}
    """

    def __init__(self, tap: Tap, config: FeatureConfig, table: Table, key: str, log: LogLines) -> None:
        super().__init__()
        self._tap = tap
        self._config = config
        self._table = table
        self._lines = log
        self.view = View(tap, config, key)
        self._account = Account(tap, key) if trades(tap) else None

    def compose(self) -> ComposeResult:
        """What is on it."""
        yield StatusBar()
        yield Static(id="facts")
        yield Static(id="account", classes="there" if self._account else "")
        with Horizontal(id="book"):
            yield Static(id="ladder")
            with Vertical(id="right"):
                yield Static(id="zscores")
        yield Static(id="mid")
        yield LogPane(self._lines)
        yield Footer()

    def on_mount(self) -> None:
        """Draw as soon as it is known how much room there is."""
        self.call_after_refresh(self.app.renew)  # type: ignore[attr-defined]

    def renew(self) -> None:
        """Take what has come, and draw it."""
        view = self.view
        view.read()
        self.query_one("#facts", Static).update(self._facts())
        if self._account is not None:
            self._account.read()
            self.query_one("#account", Static).update(self._account.line())
        ladder = self.query_one("#ladder", Static)
        ladder.update(view.ladder((ladder.size.height - 1) // 2))
        flow = self.query_one("#zscores", Static)
        flow.update(view.zscores(flow.size.width))
        mid = self.query_one("#mid", Static)
        low, high = (number(value, 8) for value in view.range)
        title = f"mid, the last {span(view.seconds)}: {low} to {high}; a gap: the book was unknown"
        mid.update(Text("\n".join([title, *view.mids(max(mid.size.width - 2, 2), _SPARK_ROWS)])))

    def _facts(self) -> Text:
        table, view = self._table, self.view
        if view.key not in table.names:
            return Text(f"{view.key}: nothing has come", "dim")
        i = table.names.index(view.key)
        out = Text.assemble((view.key, "bold"), "  ")
        for name, title in (("mid", "mid"), ("spread", "spread bp"), ("regime", "regime"), ("fdi", "FDI")):
            _add(out, title, table.cell(i, name))
        for name in ("gaps", "lag", "rows"):
            _add(out, name, table.cell(i, name))
        state = table.state(i)
        out.append("\n")
        out.append(state.text, state.style or "green")
        out.append("  ")
        for name, title in (("price_ffd", "price FFD"), ("volatility", "volatility"), ("imbalance", "imbalance")):
            if name in view.names:
                value = view.value(name)
                _add(out, title, Cell(NONE if math.isnan(value) else number(value, 4)))
        return out

    def action_step(self, by: int) -> None:
        """Show another instrument, in the order of the table."""
        table = self._table
        names = [table.names[i] for i in table.order]
        if names:
            at = names.index(self.view.key) if self.view.key in names else -by
            self.view = View(self._tap, self._config, names[(at + by) % len(names)])
            self._account = self._account and Account(self._tap, self.view.key)
            self.renew()


def _add(out: Text, title: str, cell: Cell) -> None:
    out.append(f"{title} ", "dim")
    out.append(cell.text, cell.style)
    out.append("  ")
