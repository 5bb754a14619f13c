"""What an import tells at its end."""

from dataflows.assembly.importing import ImportResult
from dataflows.reports.summary import latency_lines
from dataflows.reports.terminal import line, prose
from dataflows.reports.text_table import TextTable, show
from sources.importers.stats import utc_text

_COUNTS = ("frames", "rows", "trades", "snapshots", "gaps", "resets", "bad", "dropped")


def print_summary(result: ImportResult) -> None:
    """A table with a row per instrument, then what was ignored, what was bad, and what was there already."""
    stats = result.stats
    if stats.instruments:
        table = TextTable(("instrument", *_COUNTS, "first received", "last received"))
        for instrument, of in stats.instruments.items():
            counts = (getattr(of, name) for name in _COUNTS)
            times = ("" if ts is None else utc_text(ts) for ts in (of.first_receive_ts, of.last_receive_ts))
            table.add(str(instrument), *(f"{count:,}" for count in counts), *times)
        show(table)
    for text in latency_lines(stats.latencies):
        prose(text)
    if stats.ignored:
        prose("ignored: " + ", ".join(f"{name} {n:,}" for name, n in stats.ignored.most_common()))
    if stats.notes:
        prose("noted: " + ", ".join(f"{name} {n:,}" for name, n in stats.notes.most_common()))
    for instrument, of in stats.instruments.items():
        if of.back:
            seconds = of.farthest_back / 1e9
            prose(f"times run back: {of.back:,} messages of {instrument} were received before the one before them, "
                  f"by up to {seconds:,.6g} s")  # fmt: skip
    if stats.bad:
        line(f"bad: {stats.bad:,}, the first:")
        for excerpt in stats.excerpts:
            line(f"  {excerpt}")
    for damage in stats.salvaged:
        line(f"salvaged: {damage}; {damage.taken}")
    for path in result.skipped:
        line(f"already imported: {path}")
