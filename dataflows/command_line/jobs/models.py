"""Models on the disk."""

from collections.abc import Sequence
from pathlib import Path

from dataflows.reports.models import card_lines, compare_table, different, list_table, models_in
from dataflows.reports.terminal import line, prose
from dataflows.reports.text_table import show
from sources.errors import TickwaxError
from sources.model_folder import read_model


def list_models(folder: Path) -> None:
    """Show every model of a folder, and say what is wrong with others.

    Raises:
        TickwaxError: there is no model.
    """
    found = list(models_in(folder))
    if not found:
        raise TickwaxError(f"{folder}: holds no model; `tickwax train` writes them")
    whole = [model for _, model in found if not isinstance(model, TickwaxError)]
    if whole:
        show(list_table(whole))
    for _, model in found:
        if isinstance(model, TickwaxError):
            prose(str(model))


def show_model(path: Path) -> None:
    """Show what a model says of itself.

    Raises:
        TickwaxError: it cannot be read.
    """
    for text in card_lines(read_model(path)):
        line(text)


def compare_models(paths: Sequence[Path]) -> None:
    """Show models side by side.

    Raises:
        TickwaxError: one of them cannot be read.
    """
    models = [read_model(path) for path in paths]
    show(compare_table(models))
    table = different(models)
    if table is not None:
        print()
        show(table)
