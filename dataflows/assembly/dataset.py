"""The dataflow of a data set for learning: recorded features, their tape, labels, Parquet."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import bytewax.operators as op
import pyarrow as pa
from bytewax.dataflow import Dataflow

from dataflows.assembly.feature_rows import FeatureFiles, FeatureSource
from dataflows.assembly.tapes import open_tape
from dataflows.reports.progress import ReplayProgress
from dataflows.runtime.engine_options import cluster
from dataflows.runtime.process_tuning import keep_freed_memory
from dataflows.runtime.replay_run import Replay
from dataflows.settings.groups import ReplaySettings
from dataflows.settings.model import Settings
from operators.fractal import REGIMES
from operators.label_step import label
from operators.labels.config import LabelConfig
from operators.labels.rows import HEAD, READ, WARM, Counts, RowLabeller, dataset_schema, needed_bits, read_schema
from operators.row_batch import Declared, Type
from sinks.identity import Identity, check_folder, data_set_of
from sinks.lock import check_writable
from sinks.replay_sink import ReplaySink
from sinks.target import check_target
from sources.durations import Duration
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.parquet import read_schema as file_schema
from sources.placement import Placement, plain
from sources.tape.layout import data_files, instruments
from sources.tape.reader import TapeReader
from sources.tape.schema import EDGE

_KINDS: dict[pa.DataType, Type] = {pa.float64(): "float64", pa.int64(): "int64", pa.uint8(): "uint8"}


@dataclass
class Labelling:
    """A run that is ready, and what became of each instrument's rows."""

    run: Replay
    labellers: dict[Instrument, RowLabeller]

    @property
    def counts(self) -> dict[Instrument, Counts]:
        """By instrument, those of this process."""
        return {instrument: self.labellers[instrument].counts for instrument in sorted(self.labellers)}


def prepare_dataset(settings: Settings) -> Labelling:
    """Put a data set together.

    Raises:
        TickwaxError: features or tape cannot be read, or do not belong together; a column is none of the features; a
            setting of the labels is out of its range; the rows are there already.
    """
    keep_freed_memory()
    root = settings.features.path
    if root is None:
        raise TickwaxError("features.path: empty; labels need features to stand beside")
    chosen, tapes = _tapes_of(settings, root)
    columns = _columns(root, chosen[0], settings.dataset.columns)
    names = [column.name for column in columns]
    read = read_schema(columns, settings.barrier.prices == "executable")
    features = [FeatureFiles(instrument, data_files(root, instrument), read) for instrument in chosen]
    told = features[0].settings or {}
    sampling, max_hold = (told[f"features.{name}"] for name in ("sampling", "max_hold"))
    config = label_config(settings, 0 if sampling == "update" else Duration.parse(sampling).ns)
    schema, needs = dataset_schema(columns, config), needed_bits(names)

    out, marks = settings.dataset.path, identity_of(settings, names, features)
    _check(out, marks, chosen, settings.dataset.overwrite)
    flow = Dataflow("tickwax_dataset")
    progress = ReplayProgress(sum(reader.rows for reader in tapes), None)
    labelling = Labelling(Replay(flow, progress, {}, {}, alone=not cluster()), {})
    run = labelling.run
    placement = Placement({str(files.instrument): files.rows for files in features})
    run.nothing = lambda rows: f"no row has labels: {left_out(list(labelling.counts.values()))}"

    def make(instrument: Instrument) -> RowLabeller:
        labelling.labellers[instrument] = RowLabeller(config, read, schema, needs)
        return labelling.labellers[instrument]

    def failed(error: Exception) -> None:
        if isinstance(error, ValueError):
            error = TickwaxError(f"features.path: {error}, where the tape has none that ends: they are of another tape")
        run.stop_with_error(error)

    source = FeatureSource(
        features, tapes, Duration.parse(max_hold).ns, placement, progress.add_rows, run.stop_with_error
    )
    labelled = label("label", op.input("features", flow, source), make, on_error=failed)
    named = op.map("instrument", labelled, lambda item: (plain(item[0]), item[1]))
    replaced = chosen if settings.dataset.overwrite else []
    run.sinks["dataset"] = ReplaySink(
        out, schema, "dataset", settings.tape.compression, replaced, run.stop_with_error, partial(run.hold, out),
        placement, marks,
    )  # fmt: skip
    op.output("dataset_parquet", named, run.sinks["dataset"])
    return labelling


def _tapes_of(settings: Settings, root: Path) -> tuple[list[Instrument], list[TapeReader]]:
    """Instruments that the settings ask for, and their tapes, whole: features tell where they begin and end.

    Raises:
        TickwaxError: the tape cannot be read, or an instrument has a tape and no features, or the other way round.
    """
    there = set(instruments(root))
    if not there:
        raise TickwaxError(f"features.path: {root} holds no features; write some with `tickwax replay`")
    on_tape, tapes = open_tape(settings.model_copy(update={"replay": ReplaySettings()}), there.__contains__)
    if "symbols" in settings.model_fields_set:
        if lost := next((i for i in on_tape if i not in there), None):
            raise TickwaxError(f"symbols: {root} holds no features of {lost}")
    elif lost := next((i for i in sorted(there) if i not in on_tape), None):
        raise TickwaxError(f"tape.path: {settings.tape.path} has no tape of {lost}, of which there are features")
    return [reader.instrument for reader in tapes], tapes


def label_config(settings: Settings, step_ns: int) -> LabelConfig:
    """Which labels the settings ask for, of rows that are ``step_ns`` apart; 0: updates.

    Raises:
        TickwaxError: a value is out of its range, or two do not fit.
    """
    try:
        return LabelConfig(
            step_ns=step_ns,
            horizons=tuple((horizon.text, horizon.ns) for horizon in settings.horizons),
            latency_ns=settings.label.latency.ns,
            barrier_ns=settings.barrier.horizon.ns,
            barrier_width=settings.barrier.width,
            executable=settings.barrier.prices == "executable",
        )
    except ValueError as e:
        raise TickwaxError(str(e)) from None


def identity_of(settings: Settings, columns: list[str], features: list[FeatureFiles]) -> Identity:
    """Every setting that decides a value: those of the labels, and those that the features were computed with."""
    own = {
        "horizons": ", ".join(map(str, settings.horizons)),
        "label.latency": str(settings.label.latency),
        "barrier.horizon": str(settings.barrier.horizon),
        "barrier.width": str(settings.barrier.width),
        "barrier.prices": settings.barrier.prices,
        "dataset.columns": ", ".join(columns),
    }
    first = {key: value for key, value in (features[0].settings or {}).items() if key != EDGE}
    return Identity("dataset", {**first, **own}, {str(each.instrument): each.settings or {} for each in features})


def left_out(counts: Sequence[Counts]) -> str:
    """How many rows there were, and why they have no labels, in words."""
    rows = sum(each.rows for each in counts)
    reasons = {name: sum(each.left_out[name] for each in counts) for each in counts for name in each.left_out}
    told = ", ".join(f"{n:,} {name}" for name, n in reasons.items() if n)
    bits = sorted({bit for each in counts for bit, lacking in each.missing.items() if lacking == each.rows})
    never = f"; no row of some instrument has the bits {', '.join(map(str, bits))} of warm" if bits else ""
    return f"{rows:,} feature rows, left out: {told}{never}"


def _columns(root: Path, instrument: Instrument, wanted: tuple[str, ...]) -> list[Declared]:
    """The feature columns that the data set has, in the order of the features."""
    first = data_files(root, instrument)[0]
    schema = file_schema(first)
    if (there := data_set_of(schema)) != "features":
        raise TickwaxError(f"features.path: {root} holds {there or 'files of another program'}, not features")
    always = {column.name for column in (*HEAD, WARM)}
    names = [name for name in schema.names if name not in always]
    for name in wanted:
        if name not in schema.names:
            close = get_close_matches(name, names, n=1) or names[:1]
            raise TickwaxError(f"dataset.columns: {name!r} is not in {first}; did you mean {close[0]}?")
    if lost := next((name for name in READ if name not in names), None):
        raise TickwaxError(f"features.path: {first} has no column {lost!r}, of which labels are made")
    found = [schema.field(name) for name in names if not wanted or name in wanted]
    return [_declared(first, field) for field in found]


def _declared(file: Path, field: pa.Field) -> Declared:
    if pa.types.is_dictionary(field.type):
        return Declared(field.name, "word", True, REGIMES)
    if field.type not in _KINDS:
        raise TickwaxError(f"features.path: {file}: column {field.name!r} is {field.type}")
    return Declared(field.name, _KINDS[field.type])


def _check(folder: Path, marks: Identity, chosen: list[Instrument], overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise TickwaxError(f"dataset.path: {folder} is not a folder")
    check_target(folder, marks.data_set, "dataset.path")
    check_writable(folder)
    if (there := next((i for i in chosen if data_files(folder, i)), None)) and not overwrite:
        raise TickwaxError(
            f"dataset.path: {folder} holds rows of {there} already; name another folder, or set dataset.overwrite=true"
        )
    check_folder(folder, marks, set(chosen), appended=False)
