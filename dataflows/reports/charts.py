"""Pictures: panels of curves, by plotly as a page to explore (.html) and by matplotlib as an image (.png, .svg).

plotly makes images with a browser only, which a server seldom has.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from dataflows.reports.chart_panels import Panel, Sheet
from sources.errors import TickwaxError

_PACKAGES = {".html": "plotly", ".png": "matplotlib", ".svg": "matplotlib"}


def check_chart_path(key: str, path: Path) -> None:
    """Refuse, before any work, a picture that could not be drawn.

    Raises:
        TickwaxError: another suffix than .html, .png or .svg, or the package that draws it is not installed.
    """
    package = _PACKAGES.get(path.suffix)
    if package is None:
        raise TickwaxError(f"{key}: '{path}' does not end with one of {', '.join(_PACKAGES)}")
    if importlib.util.find_spec(package) is None:
        raise TickwaxError(f"{key}: '{path}' needs {package}; pip install 'tickwax[plot]'")


def draw(path: Path, rows: Sequence[Sequence[Panel]], title: str = "", wide: bool = False) -> None:
    """Draw rows of panels into a file.

    Args:
        title: above all of them.
        wide: the panels stand one below the other and have one x axis.

    Raises:
        TickwaxError: the file cannot be written.
    """
    sheet = Sheet(rows, title, wide)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".html":
            from dataflows.reports.charts_plotly import figure_of

            figure_of(sheet).write_html(path, include_plotlyjs=True)
        else:
            from dataflows.reports.charts_matplotlib import write_image

            write_image(path, sheet)
    except OSError as e:
        raise TickwaxError(f"cannot write {path}: {e.strerror or e}") from None


def page_part(rows: Sequence[Sequence[Panel]]) -> str:
    """Rows of panels as a part of a page that needs nothing from anywhere else."""
    from dataflows.reports.charts_plotly import figure_of

    part: str = figure_of(Sheet(rows)).to_html(full_html=False, include_plotlyjs=True)
    return part


def write_page(path: Path, page: str) -> None:
    """Write a page.

    Raises:
        TickwaxError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as e:
        raise TickwaxError(f"cannot write {path}: {e.strerror or e}") from None
