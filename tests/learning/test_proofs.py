"""Tape → features → labels → purged validation, on markets whose answer is known: planted, null, cheater, displaced."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import tickwax as tw
from dataflows.command_line.verbs import app
from learning.evaluation.errors import Measured, stretches
from learning.evaluation.leakage import leakage
from learning.evaluation.luck import luck, side_returns
from learning.evaluation.metrics import rank_correlation, worth
from learning.rows import TrainingRows, read_rows
from learning.splits import PurgedKFold
from learning.training import FITS, Plan, forecast_from
from synthetic.planted import DWELL_MS
from synthetic.skill import expected_r2

SECOND = 1_000_000_000
COLUMNS = ("ofi_l5_1s", "ofi_l5_5s", "trade_imbalance_1s", "trade_imbalance_5s", "volatility")
PLAN = Plan(kind="ridge", parameters={"penalty": 0.1})
LENGTHS = (SECOND, 5 * SECOND)


def labelled(root: Path, edge: float, seed: int, span: str = "10m") -> TrainingRows:
    tape = tw.synthetic_tape(root / "tape", symbols="okx_swap:A-USDT-SWAP", span=span, edge=edge, seed=seed)
    tw.replay(tape, to=root / "features", windows=["1s", "5s"])
    flags = ["--tape", tape, "--features", root / "features", "--out", root / "labels", "--columns", ",".join(COLUMNS)]
    more = ["--horizons", "1s,5s", "--barrier", "5s"]
    CliRunner().invoke(app, ["dataset", *map(str, flags), *more], catch_exceptions=False)
    return read_rows(root / "labels")


def foretold(rows: TrainingRows):
    """Quantiles of every row by ridge regressions that have not seen it."""
    out = np.empty((len(rows), len(rows.horizons), 5))
    for train, test in PurgedKFold(5, rows.ts, rows.end, "5s").split(rows.ts):
        out[test] = forecast_from(rows, train, test, FITS["ridge"], PLAN).quantiles
    return out


def ranks(rows: TrainingRows) -> list[Measured]:
    q = foretold(rows)
    return [rank_correlation(q[:, h, 2], rows.returns[:, h], stretches(rows.ts, ns)) for h, ns in enumerate(LENGTHS)]


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return labelled(tmp_path_factory.mktemp("planted"), 0.6, 7)


@pytest.fixture(scope="module")
def nulls(tmp_path_factory):
    return [labelled(tmp_path_factory.mktemp("null"), 0.0, seed) for seed in (1, 2, 3)]


@pytest.mark.slow
def test_a_planted_edge_is_found_and_no_more_than_was_planted(planted):
    q = foretold(planted)
    for h, ns in enumerate(LENGTHS):
        y, stretch = planted.returns[:, h], stretches(planted.ts, ns)
        found = worth(y, q[:, h], np.zeros_like(q[:, h]), stretch)
        attainable = expected_r2(0.6, 1 - 100 / DWELL_MS, ns // (SECOND // 10))
        assert found.rank.value > 5 * found.rank.error
        assert 0.3 * attainable < found.r2.value < attainable + 3 * found.r2.error


@pytest.mark.slow
def test_on_the_null_nothing_is_found(nulls):
    for rows in nulls:
        for found in ranks(rows):
            assert found.value < 3 * found.error


@pytest.mark.slow
def test_a_cheater_gets_rich(nulls):
    """With the return itself among the inputs, else the pipeline loses what it is given."""
    rows = nulls[0]
    cheating = replace(rows, columns=(*rows.columns, "future"), inputs=np.hstack([rows.inputs, rows.returns[:, 1:]]))
    q = foretold(cheating)
    returns = side_returns(cheating, {"ridge": q[:, 1, 2], "other": -q[:, 1, 2]}, 1, 5 * SECOND)
    found = luck("5s", "ridge", returns)
    assert ranks(cheating)[1].value > 0.95
    assert found.sharpe > 1
    assert found.deflated > 0.99


@pytest.mark.slow
def test_displaced_labels_give_nothing(planted):
    away = 2 * int(DWELL_MS) // 100 * 3  # rows: six times as long as a signal lasts
    n = len(planted) - away
    parts = {name: getattr(planted, name)[:n] for name in ("instrument", "ts", "end", "ordinal", "group", "weight")}
    displaced = replace(planted, **parts, inputs=planted.inputs[:n], returns=planted.returns[away:])
    for found in ranks(displaced):
        assert found.value < 3 * found.error


@pytest.mark.slow
def test_shuffled_folds_find_on_the_null_what_purged_ones_do_not(nulls):
    for rows in nulls:
        long = leakage(rows, LENGTHS, embargo="5s")[1]
        assert long.shuffled.value > 5 * long.shuffled.error
        assert long.shuffled.value > long.purged.value + 0.1
        assert long.purged.value < 3 * long.purged.error


@pytest.mark.slow
def test_choosing_the_best_on_the_null_is_worth_nothing(nulls):
    """Of 16 sides that follow mixtures of the inputs, on three markets."""
    random, found = np.random.default_rng(1), []
    for rows in nulls:
        z = (rows.inputs - rows.inputs.mean(0)) / rows.inputs.std(0)
        sides = {str(n): z @ random.normal(size=z.shape[1]) for n in range(16)}
        found.append(luck("1s", "0", side_returns(rows, sides, 0, SECOND)).pbo)
    assert 0.2 < np.mean(found) < 0.8


@pytest.mark.soak
def test_twenty_nulls_are_nulls(tmp_path):
    """No more is found than chance finds, and choosing among 16 random sides overfits about half of the time.

    Without an edge forecasts lean to the wrong side: what a block has more of, the others, which train, have less of.
    """
    random, found, pbo = np.random.default_rng(2), [], []
    for seed in range(20):
        rows = labelled(tmp_path / str(seed), 0.0, 100 + seed)
        found += [each.value / each.error for each in ranks(rows)]
        z = (rows.inputs - rows.inputs.mean(0)) / rows.inputs.std(0)
        sides = {str(n): z @ random.normal(size=z.shape[1]) for n in range(16)}
        pbo.append(luck("1s", "0", side_returns(rows, sides, 0, SECOND)).pbo)
    assert len(found) == 40
    assert sum(each > 2 for each in found) <= 3
    assert max(found) < 3
    assert np.mean(found) < 0.5
    assert 0.35 < np.mean(pbo) < 0.65
