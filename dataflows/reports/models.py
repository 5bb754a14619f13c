"""Models on the disk, side by side."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataflows.reports.text_table import TextTable
from sources.errors import TickwaxError
from sources.model_folder import CARD, Card, ModelFolder, read_model

REPORT = "report.json"
_SHOWN = 12  # digits of an identity
_NS = 1_000_000_000


def models_in(folder: Path) -> Iterator[tuple[Path, ModelFolder | TickwaxError]]:
    """Every model in the folders directly below one, or that it is itself, by name; of one that is damaged, why.

    Raises:
        TickwaxError: it is no folder.
    """
    if not folder.is_dir():
        raise TickwaxError(f"{folder}: no folder of models")
    for path in [folder, *sorted(child for child in folder.iterdir() if child.is_dir())]:
        if (path / CARD).exists():
            try:
                yield path, read_model(path)
            except TickwaxError as e:
                yield path, e


def list_table(models: Sequence[ModelFolder]) -> TextTable:
    """A line a model."""
    out = TextTable(("model", "identity", "kind", "columns", "horizons", "rows", "trained until"), left=("identity",))
    for path, card, *_ in models:
        until = _time(card.trained_until)
        row = (
            card.identity[:_SHOWN],
            card.kind,
            str(len(card.columns)),
            ", ".join(card.horizons),
            f"{card.rows:,}",
            until,
        )
        out.add(str(path), *row)
    return out


def card_lines(folder: ModelFolder) -> list[str]:
    """What a model says of itself."""
    card = folder.card
    said = {
        "identity": card.identity,
        "kind": card.kind,
        "columns": ", ".join(card.columns),
        "horizons": f"{', '.join(card.horizons)}, from {card.latency} after a row" if card.horizons else "",
        "instruments": ", ".join(card.instruments),
        "trained on": f"{card.rows:,} rows, {_time(card.trained_from)} to {_time(card.trained_until)}",
        "planted": "yes: a synthetic market, whose edge somebody put there" if card.planted else "",
        "seed": str(card.seed),
        **{name: _text(value) for name, value in sorted(card.parameters.items())},
        "packages": ", ".join(f"{name} {version}" for name, version in sorted(card.packages.items())),
        **dict(sorted(card.features.items())),
    }
    return [f"{name}: {text}" for name, text in said.items() if text]


def compare_table(models: Sequence[ModelFolder]) -> TextTable:
    """Skill by horizon, means over the folds of each report; `-` where a model has none."""
    horizons = list(dict.fromkeys(horizon for model in models for horizon in model.card.horizons))
    titles = [f"{name} {horizon}" for horizon in horizons for name in ("skill", "rank", "coverage")]
    out = TextTable(("model", "identity", "validated by", "test rows", *titles), left=("identity", "validated by"))
    for model in models:
        report = _report(model.path)
        folds = report.get("folds", [])
        cells = []
        for horizon in horizons:
            for name in ("pinball_skill", "rank_correlation", "coverage"):
                values = [fold["horizons"][horizon][name] for fold in folds if horizon in fold["horizons"]]
                cells.append(f"{sum(values) / len(values):.4f}" if values else "-")
        rows = f"{sum(fold['rows'] for fold in folds):,}"
        out.add(str(model.path), model.card.identity[:_SHOWN], str(report.get("validate", "-")), rows, *cells)
    return out


def different(models: Sequence[ModelFolder]) -> TextTable | None:
    """What the models' cards differ in; None if in nothing."""
    said = [_flat(model.card) for model in models]
    names = sorted({name for each in said for name in each})
    differing = [name for name in names if len({each.get(name, "-") for each in said}) > 1]
    if not differing:
        return None
    out = TextTable(("differs", *(model.card.identity[:_SHOWN] for model in models)))
    for name in differing:
        out.add(name, *(each.get(name, "-") for each in said))
    return out


def _flat(card: Card) -> dict[str, str]:
    own = {"kind": card.kind, "columns": ", ".join(card.columns), "horizons": ", ".join(card.horizons),
           "instruments": ", ".join(card.instruments), "seed": str(card.seed), "rows": f"{card.rows:,}",
           "trained_from": _time(card.trained_from), "trained_until": _time(card.trained_until)}  # fmt: skip
    return own | {name: _text(value) for name, value in card.parameters.items()} | card.features | card.packages


def _report(path: Path) -> dict[str, Any]:
    """The report of a model; empty if there is none that can be read."""
    try:
        found = json.loads((path / REPORT).read_text())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns // _NS, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
