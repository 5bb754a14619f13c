"""What is said of results on a synthetic market: whatever is found there was put there, or is luck."""

from collections.abc import Mapping
from pathlib import Path

from sinks.identity import settings_in
from sources.tape.layout import data_files, instruments
from sources.tape.schema import EDGE, UNMEASURED

_NAMED = 5  # instruments


def planted_lines(root: Path) -> list[str]:
    """A line for each edge of a synthetic market in a data set; none where all rows are of real markets.

    Raises:
        TickwaxError: a file cannot be read.
    """
    return edge_lines({str(i): (settings_in(data_files(root, i)[0]) or {}).get(EDGE, "") for i in instruments(root)})


def edge_lines(edges: Mapping[str, str]) -> list[str]:
    """The same of instruments whose edges are known; an empty one is that of a real market.

    >>> for line in edge_lines({"okx_swap:A": "0.0", "okx_swap:B": "0.3", "okx_swap:C": ""}):
    ...     print(line)
    NULL: okx_swap:A is a synthetic market without an edge: what is found there is luck, or a leak.
    PLANTED: okx_swap:B is a synthetic market with an edge of 0.3: what is found there was put there.
    """
    out = []
    for edge in sorted({edge for edge in edges.values() if edge}):
        names = sorted(name for name, its in edges.items() if its == edge)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        are = "is a synthetic market" if len(names) == 1 else "are synthetic markets"
        subject = f"{', '.join(names[:_NAMED])}{more} {are}"
        out.append(f"{planted_word(edge)}: {subject} {_WHAT.get(edge, f'with an edge of {edge}')}: {_found(edge)}.")
    return out


def planted_word(edge: str) -> str:
    """The label of one edge; empty of a real market."""
    return "" if not edge else "NULL" if edge == "0.0" else "PLANTED"


_WHAT = {"0.0": "without an edge", UNMEASURED: "whose order flow makes the price"}


def _found(edge: str) -> str:
    return "what is found there is luck, or a leak" if edge == "0.0" else "what is found there was put there"
