"""The newest features of every instrument as a table that is printed."""

from dataflows.reports.text_table import TextTable
from operators.config import FeatureConfig
from window.tap import Tap
from window.terminal.table import Table


def newest(tap: Tap, config: FeatureConfig) -> TextTable:
    """What the tap knows now, as the screen would show it but for the sparkline."""
    table = Table(tap, config)
    table.read()
    columns = [column for column in table.columns if column.name != "spark"]
    shown = TextTable([column.title for column in columns])
    for i in table.order:
        shown.add(*(table.cell(i, column.name).text for column in columns))
    return shown
