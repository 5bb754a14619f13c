"""Draws `docs/frame.svg` and `docs/folders.svg`, the drawings of docs/architecture.md: ``python docs/drawings.py``."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
WIDTH = 760
FILL = {"sources": "#dbeafe", "operators": "#dcfce7", "sinks": "#fef3c7", "dataflows": "#f3e8ff", "": "#f1f5f9"}
FONT = "font-family='DejaVu Sans, Verdana, sans-serif'"
MONO = "font-family='DejaVu Sans Mono, Menlo, monospace'"


class Box(NamedTuple):
    """A step or a folder: what it is, what it does, where it is; lengths in pixels."""

    title: str
    text: str
    file: str
    x: int
    y: int


def box(b: Box, *, show_file: bool = True) -> str:
    """A box in the colour of its file's folder."""
    fill = FILL.get(b.file.partition("/")[0], FILL[""])
    x, height = b.x + 12, 62 if show_file else 46
    lines = [
        f"<rect x='{b.x}' y='{b.y}' width='350' height='{height}' rx='6' fill='{fill}' stroke='#64748b'/>",
        f"<text x='{x}' y='{b.y + 19}' {FONT} font-size='13' font-weight='bold'>{escape(b.title)}</text>",
        f"<text x='{x}' y='{b.y + 36}' {FONT} font-size='11'>{escape(b.text)}</text>",
    ]
    if show_file:
        lines.append(f"<text x='{x}' y='{b.y + 52}' {MONO} font-size='10' fill='#475569'>{escape(b.file)}</text>")
    return "\n".join(lines)


def arrow(*points: tuple[int, int], text: str = "") -> str:
    """A line through the points that ends in a head; a text beside its middle."""
    path = " ".join(f"{x},{y}" for x, y in points)
    line = f"<polyline points='{path}' fill='none' stroke='#334155' stroke-width='1.4' marker-end='url(#head)'/>"
    (x0, y0), (x1, y1) = points[-2:]
    at = f"x='{(x0 + x1) // 2 + 8}' y='{(y0 + y1) // 2 + 4}'"
    label = f"<text {at} {FONT} font-size='11' fill='#334155'>{escape(text)}</text>"
    return line + ("\n" + label if text else "")


def svg(height: int, parts: Sequence[str], title: str) -> str:
    """A whole drawing, on white, so that it can be read on a dark page too."""
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'>\n"
        f"<title>{escape(title)}</title>\n"
        "<defs><marker id='head' markerWidth='9' markerHeight='7' refX='8' refY='3.5' orient='auto'>"
        "<path d='M0,0 L9,3.5 L0,7 z' fill='#334155'/></marker></defs>\n"
        f"<rect width='{WIDTH}' height='{height}' fill='white'/>\n"
    )
    return head + "\n".join(parts) + "\n</svg>\n"


def frame() -> str:
    """A frame's way from the socket to Parquet."""
    left, right = 20, 390
    live = [
        Box("Socket", "reads a frame, notes the receive time", "sources/live/websocket.py", left, 20),
        Box("Protocol", "is it a book, a trade, an answer to us?", "sources/venues/<venue>/protocol.py", left, 112),
        Box(
            "Decoder",
            "JSON to messages: levels, prints, numbers, times",
            "sources/venues/<venue>/decoder.py",
            left,
            204,
        ),
        Box(
            "Sequencer",
            "does the message follow? else: reset, resync",
            "sources/venues/<venue>/sequencer.py",
            left,
            296,
        ),
        Box(
            "Recorder and builder",
            "tape rows with ordinals",
            "sources/live/recorder.py, sources/tape/builder.py",
            left,
            388,
        ),
        Box("Row buffer and source", "batches of one instrument, to the dataflow", "sources/live/source.py", left, 480),
    ]
    replay = Box("Tape reader", "replay: the same batches from Parquet", "sources/tape/reader.py", right, 480)
    compute = [
        Box("Keyed operator", "the state of one instrument", "operators/feature_step.py", right, 602),
        Box("Kernels", "book, windows, statistics; row by row, in Numba", "operators/tape_loop.py", right, 694),
        Box("Rows", "a batch of feature rows", "operators/row_batch.py", right, 786),
    ]
    tape = Box("Journal", "one write a batch; fsync after 10 s", "sinks/write_ahead_log.py", left, 694)
    files = Box("Parquet", "written aside, checksums, renamed into place", "sinks/compaction.py", left, 878)
    kafka = Box("Kafka", "JSON or Arrow, keyed venue:SYMBOL", "sinks/kafka/", right, 878)
    parts = [box(b) for b in (*live, replay, *compute, tape, files, kafka)]
    parts += [arrow((left + 175, b.y + 62), (left + 175, b.y + 92)) for b in live[:-1]]
    parts += [arrow((right + 175, b.y + 62), (right + 175, b.y + 92)) for b in compute[:-1]]
    parts += [
        arrow((left + 175, 542), (left + 175, 694), text="the tape"),
        arrow((left + 260, 542), (left + 260, 633), (right, 633)),
        arrow((right + 175, 542), (right + 175, 602)),
        arrow((left + 175, 756), (left + 175, 878), text="every hour, and at the end"),
        arrow((right + 90, 848), (right + 90, 862), (left + 340, 862), (left + 340, 756)),
        arrow((right + 220, 848), (right + 220, 878)),
    ]
    return svg(960, parts, "A frame's way from the socket to Parquet")


def folders() -> str:
    """The folders, and who imports whom."""
    boxes = [
        Box("tickwax/", "import tickwax as tw: the front door for Python", "", 205, 20),
        Box("dataflows/", "command line, settings, assembly, run-time, reports", "dataflows", 205, 112),
        Box("sinks/, window/", "journals, Parquet, Kafka; the page in a browser", "sinks", 20, 224),
        Box("operators/", "the mathematics: kernels, state, the keyed operator", "operators", 20, 316),
        Box("simulator/", "the exchanges on this machine, faults on demand", "", 390, 224),
        Box("synthetic/", "a seeded market", "", 390, 316),
        Box("sources/", "venues, the tape, importers, Kafka's reading side", "sources", 205, 428),
    ]
    parts = [box(b, show_file=False) for b in boxes]
    parts += [
        arrow((380, 66), (380, 112)),
        arrow((290, 158), (195, 224)),
        arrow((470, 158), (565, 224)),
        arrow((195, 270), (195, 316)),
        arrow((565, 270), (565, 316)),
        arrow((195, 362), (300, 428)),
        arrow((565, 362), (460, 428)),
    ]
    return svg(495, parts, "The folders: each may import those below it")


if __name__ == "__main__":
    (FOLDER / "frame.svg").write_text(frame())
    (FOLDER / "folders.svg").write_text(folders())
