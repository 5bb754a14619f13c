"""What a section of figures is, on a terminal and in Markdown; and how variants are timed beside one another."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.table import Table

COLUMNS = ("figure", "value", "beside", "by the wall clock", "aimed at")


@dataclass(frozen=True)
class Figure:
    """One line; ``met`` is None where nothing was aimed at."""

    what: str
    value: str
    beside: str = ""
    wall: str = ""
    aim: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """As the columns are."""
        verdict = "" if self.met is None else ": met" if self.met else ": **missed**"
        return self.what, self.value, self.beside, self.wall, self.aim + verdict


@dataclass
class Section:
    """Figures that were measured in the same rounds."""

    title: str
    text: str
    figures: list[Figure] = field(default_factory=list)

    def add(
        self, what: str, value: str, beside: str = "", aim: str = "", met: bool | None = None, wall: str = ""
    ) -> None:
        """One line more."""
        self.figures.append(Figure(what, value, beside, wall, aim, met))

    def table(self) -> Table:
        """For a terminal."""
        table = Table(*COLUMNS, title=self.title, caption=self.text)
        for figure in self.figures:
            table.add_row(*(cell.replace("**", "") for cell in figure.cells()))
        return table

    def markdown(self) -> str:
        """For a file."""
        lines = [f"## {self.title}", "", self.text, "", f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
        lines += [f"| {' | '.join(figure.cells())} |" for figure in self.figures]
        return "\n".join(lines) + "\n"


class Spent(NamedTuple):
    """The least that any round took, in seconds of three clocks."""

    wall: float
    processor: float  # of all threads, and of processes that have ended
    flow: float  # of the thread that called: what a replay is bound by where there are cores for its other threads


def fastest(runs: dict[str, Callable[[], object]], rounds: int, warm: bool = True) -> dict[str, Spent]:
    """Every round runs all of them, after one that is not counted."""
    for run in runs.values() if warm else ():
        run()
    least = {name: Spent(*3 * [float("inf")]) for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            before = _clocks()
            run()
            spent = [after - b for after, b in zip(_clocks(), before, strict=True)]
            least[name] = Spent(*map(min, least[name], spent))
    return least


def _clocks() -> Spent:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time() + children.ru_utime + children.ru_stime
    return Spent(time.perf_counter(), own, time.thread_time())


def rate(count: float, seconds: float) -> str:
    """So many a second."""
    speed = count / seconds
    return f"{speed / 1e6:.2f} M/s" if speed >= 1e6 else f"{speed / 1e3:.3g} k/s"


def times(ours: float, theirs: float, name: str) -> str:
    """How many times as fast as another that took ``theirs`` for what took us ``ours``."""
    ratio = theirs / ours
    return f"{ratio:.2f} × {name}" if ratio < 10 else f"{ratio:.0f} × {name}"


def flatness(costs: Sequence[float]) -> float:
    """The dearest over the cheapest."""
    return max(costs) / min(costs)
