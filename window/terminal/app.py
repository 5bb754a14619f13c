"""The application: looks at the tap a few times a second, and nothing of the run ever waits for it."""

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.widgets import Footer, Input
from typing_extensions import override

from operators.config import FeatureConfig
from window.tap import Tap
from window.terminal.instrument import InstrumentScreen
from window.terminal.listing import Listing
from window.terminal.log import LogLines
from window.terminal.panes import LogPane, StatusBar
from window.terminal.table import Table

_A_SECOND = 4  # times that it is drawn anew


class Drawing(LinuxDriver):
    """Draws on standard output, so that standard error may be a file of the log."""

    def __init__(self, app: "Terminal", **options: object) -> None:
        super().__init__(app, **options)  # type: ignore[arg-type]
        self._file = sys.__stdout__


class OverviewScreen(Screen[None]):
    """All instruments."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("escape", "no_filter", "No filter", show=False),
    ]
    DEFAULT_CSS = "OverviewScreen Input { display: none; } OverviewScreen Input.asked { display: block; }"

    def __init__(self, table: Table, log: LogLines) -> None:
        super().__init__()
        self._table = table
        self._lines = log

    def compose(self) -> ComposeResult:
        """What is on it."""
        yield StatusBar()
        yield Input(placeholder="part of a name, such as btc", compact=True)
        yield Listing(self._table)
        yield LogPane(self._lines)
        yield Footer()

    def on_mount(self) -> None:
        """Keys are for the table."""
        self.query_one(Listing).focus()

    def renew(self) -> None:
        """Draw what the table holds."""
        self.query_one(Listing).renew()

    def action_filter(self) -> None:
        """Ask for a part of names."""
        asked = self.query_one(Input)
        asked.add_class("asked")
        asked.focus()

    def action_no_filter(self) -> None:
        """All instruments again."""
        asked = self.query_one(Input)
        asked.value = ""
        asked.remove_class("asked")
        self.query_one(Listing).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        self._table.filter = event.value
        self._table.arrange()
        self.renew()

    def on_input_submitted(self) -> None:
        """The filter stays, and keys are for the table."""
        self.query_one(Listing).focus()


class Terminal(App[None]):
    """Shows a run until it ends; asks it to end on a key."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "tickwax"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "log", "Log"),
        Binding("q,ctrl+q", "stop", "Quit", key_display="q"),
        Binding("ctrl+c", "stop", "Quit", show=False, priority=True),  # also where a text is typed
    ]

    def __init__(
        self,
        tap: Tap,
        config: FeatureConfig,
        log: LogLines,
        status: Callable[[], str],
        stop: Callable[[], None],
    ) -> None:
        """Args:
        log: what is logged, and printed by anybody meanwhile.
        status: the line above everything.
        stop: asks the run to end, in order; a second call at once.
        """
        super().__init__(driver_class=Drawing)
        self._tap = tap
        self._config = config
        self._lines = log
        self._status = status
        self._stop = stop
        self.table = Table(tap, config)
        self._loop: asyncio.AbstractEventLoop | None = None  # once it runs
        self._over = threading.Event()

    def leave(self) -> None:
        """The run is over: the screen goes. From any thread, and also before the screen is there."""
        self._over.set()
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(self.exit)

    @override
    def get_default_screen(self) -> Screen[None]:
        return OverviewScreen(self.table, self._lines)

    def on_mount(self) -> None:
        """Begin to look."""
        self._loop = asyncio.get_running_loop()
        # What is printed by other threads goes to the log, and not to Textual, which would drop it.
        sys.stdout = sys.stderr = self._lines
        self.set_interval(1 / _A_SECOND, self.renew)
        self.call_after_refresh(self.renew)
        if self._over.is_set():
            self.exit()

    def renew(self) -> None:
        """Look once: at what is in sight alone."""
        if not self.screen_stack:  # the timer ticks once more when the screen has gone
            return
        screen = self.screen
        self.table.read()
        if isinstance(screen, OverviewScreen | InstrumentScreen):
            with suppress(NoMatches):  # a screen that comes or goes lacks parts
                screen.query_one(StatusBar).update(self._status())
                screen.query_one(LogPane).renew()
                screen.renew()

    def on_listing_opened(self, event: Listing.Opened) -> None:
        """Show one instrument."""
        self.push_screen(InstrumentScreen(self._tap, self._config, self.table, event.name, self._lines))

    def action_log(self) -> None:
        """Show the log, or not."""
        self.screen.query_one(LogPane).toggle_class("away")

    def action_stop(self) -> None:
        """Ask the run to end; the screen goes when it has."""
        self._stop()
