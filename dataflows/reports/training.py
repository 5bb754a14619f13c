"""What a trained model was worth on rows that it had not seen."""

from pathlib import Path
from typing import Any

from dataflows.reports.agents import agent_lines, agent_table
from dataflows.reports.text_table import TextTable

_OF_BARRIER = ("log_loss", "log_loss_unconditional", "right", "right_unconditional")
_COLUMNS = {
    "pinball_skill": "pinball skill",
    "r2": "R² against no change",
    "r2_mean": "R² against training mean",
    "rank_correlation": "rank correlation",
    "hit_rate": "hit rate",
    "coverage": "coverage at 90 %",
}


def table(report: dict[str, Any]) -> TextTable:
    """A line a horizon: means over the folds. Of an agent, a line a path."""
    if "judged" in report:
        return agent_table(report)
    out = TextTable(("horizon", "test rows", *_COLUMNS.values()))
    for horizon in report["folds"][0]["horizons"]:
        rows = sum(fold["rows"] for fold in report["folds"])
        out.add(horizon, f"{rows:,}", *(f"{_mean(report, horizon, name):.4f}" for name in _COLUMNS))
    return out


def lines(report: dict[str, Any], path: Path) -> list[str]:
    """Where the model is, what it was made of, and in words where it is worth nothing."""
    if "judged" in report:
        return agent_lines(report, path)
    rows, folds = report["rows"], len(report["folds"])
    said = [
        f"{path}: model {report['identity'][:12]}, trained on {rows['training']:,} rows, intervals calibrated on "
        f"{rows['calibration']:,}; judged by {report['validate']}, {folds} {'fold' if folds == 1 else 'folds'}",
        "A drift through few test rows looks like skill: tickwax evaluate judges over many splits, beside baselines.",
    ]
    for horizon in report["folds"][0]["horizons"]:
        if _mean(report, horizon, "r2") > 0 >= _mean(report, horizon, "r2_mean"):
            said.append(
                f"{horizon}: the model beats no change and not the mean of the training returns: what it foretells is "
                "a drift that went on"
            )
        skill = [fold["horizons"][horizon]["pinball_skill"] for fold in report["folds"]]
        if sum(skill) <= 0:
            said.append(
                f"{horizon}: the model does not beat the quantiles of the training returns, which foretell nothing"
            )
        elif folds > 1 and min(skill) <= 0:
            worse = sum(each <= 0 for each in skill)
            said.append(
                f"{horizon}: in {worse} of {folds} folds the model does not beat the quantiles of the training returns"
            )
    if "barrier" in report["folds"][0]:
        each = [fold["barrier"] for fold in report["folds"]]
        loss, nothing, right, most = (sum(one[name] for one in each) / folds for name in _OF_BARRIER)
        said.append(
            f"barrier: log loss {loss:.4f}, of the shares of the classes {nothing:.4f}; the likeliest class was right "
            f"in {right:.1%} of the rows, the commonest in {most:.1%}"
        )
        if loss >= nothing:
            said.append("barrier: the model does not beat the shares of the classes, which foretell nothing")
    return said


def _mean(report: dict[str, Any], horizon: str, name: str) -> float:
    values = [float(fold["horizons"][horizon][name]) for fold in report["folds"]]
    return sum(values) / len(values)
