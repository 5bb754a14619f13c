"""Training of an agent: from a tape to a model's folder, judged over paths that it has not seen by backtests.

`learning` is imported here, and when it is asked for.
"""

import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from difflib import get_close_matches
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from dataflows.assembly.agent_paths import AgentPaths
from dataflows.assembly.engines import own_config
from dataflows.assembly.forecasting import Forecasting, forecasting_of, refuse_in_sample
from dataflows.assembly.grids import grids_of
from dataflows.assembly.identities import edges_of, identity_of
from dataflows.assembly.learn_extra import learn_extra
from dataflows.assembly.tapes import check_range, open_tape
from dataflows.assembly.trading import execution_config, trading_identity
from dataflows.assembly.trials import tried
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.dictionary import describe
from operators.execution.grid import Grid
from operators.features.feature import PRICE_UNIT
from operators.identity import feature_settings
from operators.models.agent import KIND, arrays_of_members
from operators.models.predictions import FORECAST
from operators.schema import feature_columns
from sinks.trials import FOLDER, write_trials
from sources.errors import TickwaxError
from sources.model_folder import VERSION, Card, settings_hash
from sources.tape.batch import TapeBatch
from sources.tape.reader import TapeReader
from sources.tape.schema import EDGE
from sources.venues.names import FIXED_DEPTH

if TYPE_CHECKING:
    from learning.agents.plan import AgentPlan
    from learning.agents.training import TrainedMembers
    from learning.environment.recording import Recording

AGENT = KIND
_WORTH = 1_000.0  # quote currency, of a position whose size nobody named
_NULL = "0.0"  # edge of a synthetic market without one
_NAMES = {"n_quantiles": "quantiles"}  # of parameters whose setting has another name


def train_agent(settings: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """Train the agent that the settings ask for, judge it, write it, and return the report.

    Args:
        say: told in lines how far it is.

    Raises:
        TickwaxError: a setting is out of its range, the tape is too short, has several instruments or cannot be read,
            or the model cannot be written.
    """
    s = settings.train
    with learn_extra(f"train.model: {s.model!r}"):
        from learning.agents.plan import Blocks, need, split_paths, splitter
        from learning.agents.training import Clock, train_members
        from learning.model_writer import check_model_path, write_model
        from learning.work import Work
    check_model_path(s.path, s.overwrite)
    if "validate_by" in s.model_fields_set and s.validate_by != "cpcv":
        raise TickwaxError(f"train.validate_by: '{s.validate_by}'; an agent is judged by cpcv")
    if settings.execution.latency_file is not None:
        raise TickwaxError("execution.latency_file: an agent is trained with constant latencies; leave it empty")
    reader = _only_tape(settings)
    instrument = reader.instrument
    config = own_config(settings, settings.feature_config())(instrument)
    forecasting = _asked(settings, reader, config, say)
    columns = _columns(config, s.columns, () if forecasting is None else forecasting.columns)
    grid = grids_of(settings, [reader], say)[instrument]
    recording = _recorded(settings, reader, config, columns, grid, forecasting)
    plan = _plan(settings, recording, say)
    cv = splitter(recording, s.blocks, s.test_blocks, str(s.embargo))
    checkpoints = s.path.with_name(f".{s.path.name}.checkpoints")
    trainings = (cv.get_n_splits() + 1) * plan.members
    clock, work = Clock(trainings, plan.steps, say), Work(checkpoints, say)
    every, found = np.arange(len(recording)), []
    splits = [Blocks(*rows) for rows in cv.split(recording.ts)]
    for blocks in splits:
        need(blocks)
    say(
        f"{instrument}: {len(recording):,} decisions, {len(columns)} columns; {trainings} networks are trained for "
        f"{plan.steps:,} steps each; after Ctrl-C the same command goes on where it was"
    )
    for number, blocks in enumerate(splits):
        found.append(train_members(recording, blocks.training, plan, number, clock, work))
    last = train_members(recording, every, plan, len(splits), clock, work)
    say("backtests of the paths …")
    paths = split_paths(cv, [blocks.test for blocks in splits])
    judged = AgentPaths(settings, reader, config, grid, recording.ts, plan.size, forecasting).judge(
        [each.model(recording, plan) for each in found], paths
    )
    report: dict[str, Any] = {
        "validate": "cpcv",
        "splits": len(splits),
        "rows": {"training": len(recording)},
        "size": plan.size,
        "judged": [one.told() for one in judged],
        "equity": [one.curve() for one in judged],
        "training": [_curve(at, number) for at, each in enumerate([*found, last]) for number in each.curves],
        "most_doubt": _finite(last.most_doubt),
    }
    card = _card(settings, config, reader, recording, plan, last, forecasting)
    report["planted"] = card.planted
    arrays = arrays_of_members(last.arrays)
    report["identity"] = write_model(s.path, card, arrays, report=report, overwrite=s.overwrite)
    shutil.rmtree(checkpoints, ignore_errors=True)
    identity = trading_identity("equity", settings, config, {instrument: grid}, edges_of([reader]))
    recipe = {**identity.of(instrument), **asdict(plan), "columns": columns, "train.model": AGENT}
    kept = s.path.parent / FOLDER
    write_trials(kept, [tried("train", instrument, recipe, judged[0].periods)], time.time_ns())
    return report


def _only_tape(settings: Settings) -> TapeReader:
    _, readers = open_tape(settings)
    check_range(readers, "replay.start", settings.replay.start, "replay.end", settings.replay.end)
    if len(readers) != 1:
        there = ", ".join(str(reader.instrument) for reader in readers[:4])
        raise TickwaxError(f"symbols: an agent trades one instrument, and the tape has {there}; name one")
    return readers[0]


def _asked(
    settings: Settings, reader: TapeReader, config: FeatureConfig, say: Callable[[str], None]
) -> Forecasting | None:
    """The model of forecasts that the agent looks at; None: it looks at none."""
    doubt, seen = settings.agent.doubt, settings.train.columns
    if not doubt and not any(name.startswith(FORECAST) for name in seen):
        if settings.predict.model is not None:
            say("predict.model: is not consulted, since neither train.columns nor agent.doubt names a forecast")
        return None
    forecasting = forecasting_of(settings, config, say)
    if forecasting is None:
        what = f"agent.doubt: {doubt!r}" if doubt else "train.columns: a forecast is named"
        raise TickwaxError(f"{what}, and no model foretells: name one with predict.model")
    if doubt and doubt not in forecasting.columns:
        there = ", ".join(name for name in forecasting.columns if "epistemic" in name)
        raise TickwaxError(f"agent.doubt: {doubt!r} is no column of the forecasts; {there} tell the doubt")
    refuse_in_sample(settings, forecasting, [reader])
    return forecasting


def _columns(config: FeatureConfig, wanted: tuple[str, ...], forecasts: tuple[str, ...]) -> tuple[str, ...]:
    """The inputs in the order of the features, then the forecasts that are named."""
    numbers = [column.name for column in feature_columns(config) if column.array == "value"]
    if wanted:
        numbers += forecasts
    for name in wanted:
        if name not in numbers:
            close = get_close_matches(name, numbers, n=1) or numbers[:1]
            raise TickwaxError(f"train.columns: {name!r} is no number among the features; did you mean {close[0]}?")
    return tuple(name for name in numbers if (name in wanted if wanted else not _is_price(name)))


def _is_price(name: str) -> bool:
    return describe(name, "features").unit == PRICE_UNIT and name != "spread"


def _recorded(
    settings: Settings, reader: TapeReader, config: FeatureConfig, columns: tuple[str, ...], grid: Grid,
    forecasting: Forecasting | None,
) -> "Recording":  # fmt: skip
    from learning.environment.recording import record

    execution = execution_config(settings, reader.instrument.venue)
    full = reader.instrument.venue in FIXED_DEPTH
    step = settings.agent.step.ns
    if step < config.sampling_ns or (config.sampling_ns and step % config.sampling_ns):
        raise TickwaxError(f"agent.step: '{settings.agent.step}' is no multiple of features.sampling")
    forecasts = None if forecasting is None else forecasting.make(reader.instrument)
    try:
        return record(
            _rows(reader), config, execution, grid, columns, step_ns=step, full_depth=full,
            forecasts=forecasts, doubt=settings.agent.doubt,
        )  # fmt: skip
    except ValueError as e:
        raise TickwaxError(f"{'agent' if str(e).startswith('depth') else 'tape.path'}: {e}") from None


def _rows(reader: TapeReader) -> Iterator[tuple[TapeBatch, int]]:
    yield from reader.cut_batches()


def _plan(settings: Settings, recording: "Recording", say: Callable[[str], None]) -> "AgentPlan":
    from learning.agents.plan import AgentPlan

    told, size = settings.agent, settings.agent.size
    if size is None:
        grid = recording.grid
        lot = float(grid.lot)
        size = max(round(_WORTH / recording.mid[0] / lot), 1) * lot
        size = float(f"{max(size, grid.least):.12g}")
        say(f"agent.size: {size:g} of the base currency")
    names = [field.name for field in fields(AgentPlan) if field.name not in ("size", "seed")]
    try:
        plan = AgentPlan(size=size, seed=settings.train.seed, **{n: getattr(told, _NAMES.get(n, n)) for n in names})
        plan.task().terms(recording)
    except ValueError as e:
        key, _, rest = str(e).partition(":")
        raise TickwaxError(f"agent.{_NAMES.get(key, key)}:{rest}") from None
    return plan


def _card(
    settings: Settings, config: FeatureConfig, reader: TapeReader, recording: "Recording", plan: "AgentPlan",
    last: "TrainedMembers", forecasting: Forecasting | None,
) -> Card:  # fmt: skip
    own = {name: dict(told) for name, told in identity_of("features", settings, config, edges_of([reader])).own.items()}
    parameters = {**asdict(plan), "step_ns": recording.step_ns, "most_doubt": _finite(last.most_doubt)}
    if forecasting is not None:
        parameters["predict.model"] = forecasting.card.identity
    told = feature_settings(config)
    packages = ("numpy", "jax", "optax")
    return Card(
        version=VERSION,
        kind=KIND,
        columns=recording.columns,
        mean=tuple(last.scaling.mean.tolist()),
        scale=tuple(last.scaling.scale.tolist()),
        horizons=(),
        quantiles=(),
        features=told,
        features_hash=settings_hash(told),
        own=own,
        instruments=(str(reader.instrument),),
        trained_from=int(recording.ts[0]),
        trained_until=int(recording.ts[-1]) + 1,
        rows=len(recording),
        seed=plan.seed,
        parameters=parameters,
        packages={"python": platform.python_version(), **{name: version(name) for name in packages}},
        planted=any(each.get(EDGE, _NULL) != _NULL for each in own.values()),
    )


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None


def _curve(split: int, points: list[Any]) -> dict[str, Any]:
    """A network's learning curve, as JSON can hold it."""
    return {
        "split": split,
        "steps": [point.steps for point in points],
        "mean_return": [_finite(point.mean_return) for point in points],
        "loss": [_finite(point.loss) for point in points],
    }
