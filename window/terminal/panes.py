"""The line that tells how the run is, and the pane of its log."""

from rich.text import Text
from textual.widgets import RichLog, Static

from window.terminal.log import LogLines

_SHOWN = 300  # lines that one can scroll back to
_TONES = (("error", "red"), ("warning", "yellow"))


class StatusBar(Static):
    """One line above everything."""

    DEFAULT_CSS = "StatusBar { height: 1; padding: 0 1; background: $panel; }"


class LogPane(RichLog):
    """The newest lines of the log; as many as fit are in sight."""

    DEFAULT_CSS = """
    LogPane { height: 7; border-top: solid $panel; overflow-x: hidden; }
    LogPane.away { display: none; }
    """
    can_focus = False

    def __init__(self, lines: LogLines) -> None:
        super().__init__(max_lines=_SHOWN, wrap=False)
        self._lines = lines
        self._seen = 0

    def renew(self) -> None:
        """Show what has been logged meanwhile."""
        new = self._lines.since(self._seen)
        self._seen = self._lines.count
        for line in new[-_SHOWN:]:
            style = next((tone for word, tone in _TONES if f"[{word}" in line), "")
            self.write(Text(line, style))
