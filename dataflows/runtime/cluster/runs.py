"""A replay and a live run on several processes of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataflows.assembly.tapes import check_range, open_tape, recorded, weighed
from dataflows.reports.progress import ReplayProgress
from dataflows.reports.summary import latency_lines
from dataflows.runtime.cluster.messages import Verb, Written
from dataflows.runtime.cluster.supervisor import Supervisor
from dataflows.runtime.exit_codes import say
from dataflows.runtime.kernels import ready_features, ready_trading
from dataflows.runtime.replay_run import NOTHING
from dataflows.settings.local_paths import data_set_path
from dataflows.settings.model import Settings
from operators.execution.schemas import SCHEMAS
from operators.feature_engine import Quality
from operators.jit import CACHE as OPERATORS
from operators.placement.log import PLACEMENTS
from operators.rules.schemas import APPLIED
from sinks.disk import sweep
from sources.errors import TickwaxError
from sources.latency import Latencies


@dataclass
class WrittenTogether:
    """What all processes wrote to a data set."""

    root: Path
    rows_written: int = 0
    files: list[Path] = field(default_factory=list)


@dataclass
class ReplayedTogether:
    """A replay that has been carried out."""

    progress: ReplayProgress
    sinks: dict[str, WrittenTogether]
    quality: Quality


@dataclass
class LiveTogether:
    """A live run that has ended."""

    sinks: dict[str, WrittenTogether]
    left: str | None
    failure: str | None
    nothing: str | None
    latencies: Latencies

    def closing_lines(self) -> list[str]:
        """What there is to say at the end of the run, but for data sets."""
        return latency_lines(self.latencies)


def replay_together(
    settings: Settings, supervisor: Supervisor, workers: int, *, backtest: bool = False
) -> ReplayedTogether:
    """Replay to the end with a progress bar; an interruption or a failure leaves nothing.

    Args:
        workers: threads a process.
        backtest: somebody trades on the tape.

    Raises:
        TickwaxError: the tape cannot be read, or has none of the instruments asked for.
        Failure: a process has failed, or the run was interrupted; why has been said.
    """
    try:
        readers = [] if settings.tape.topic and not backtest else open_tape(settings)[1]
        check_range(readers, "replay.start", settings.replay.start, "replay.end", settings.replay.end)
        _compile_once(trading=backtest)
        weights = weighed(settings, readers).weights
        with ReplayProgress(sum(reader.rows for reader in readers)) as progress:
            verb: Verb = "backtest" if backtest else "replay"
            computed, written = supervisor.run(verb, workers, weights, progress.reached, progress.stop)
        astray = [key for each in computed for key in each.astray]
        if astray:
            say(f"{len(astray)} instruments, such as {astray[0]}, were computed away from where they were read; "
                "the rows are right, and took longer")  # fmt: skip
        for each in computed:
            progress.latencies.add_state(each.latencies)
        quality = Quality(*(sum(counts) for counts in zip(*(each.quality for each in computed), strict=True)))
        sets = _sets(written)
        if sets and not any(each.rows_written for each in sets.values()):
            raise TickwaxError(NOTHING.format(progress.rows))
        return ReplayedTogether(progress, sets, quality)
    finally:
        supervisor.close()
        folders = [settings.features.path, settings.books.path]
        if backtest:
            names = (*(schema.name for schema in SCHEMAS), "episodes", APPLIED.name, PLACEMENTS.name)
            folders = [settings.backtest.path / name for name in names]
        for path in filter(None, folders):
            sweep(path)  # a process that was killed could not


def live_together(settings: Settings, supervisor: Supervisor, workers: int, *, paper: bool = False) -> LiveTogether:
    """Run until a signal or the duration's end.

    Args:
        workers: threads a process.
        paper: a strategy trades on a simulated exchange.

    Raises:
        TickwaxError: an impossible combination of settings.
        Failure: as of `replay_together`.
    """
    wanted = settings.live_symbols()
    _compile_once(trading=paper)
    weights = recorded(settings.tape.path, wanted).weights
    _, written = supervisor.run("paper" if paper else "live", workers, weights)
    left = next((each.left for each in written if each.left), None)
    latencies = Latencies()
    for each in written:
        latencies.add_state(each.latencies)
    failure = next((each.failure for each in written if each.failure), None)
    # A process that has no instrument records nothing either.
    idle = [each.nothing for each in written if each.nothing]
    nothing = max(idle, key=len) if len(idle) == len(written) else None
    return LiveTogether(_sets(written), left, failure, nothing, latencies)


def _compile_once(*, trading: bool) -> None:
    """Not in every process at the same time."""
    if not OPERATORS.holds("tape_loop.run_packed") and not trading:
        ready_features()
    if trading and not OPERATORS.holds("loop.trade_packed"):
        ready_trading()


def _sets(written: Sequence[Written]) -> dict[str, WrittenTogether]:
    sets: dict[str, WrittenTogether] = {}
    for each in written:
        for name, part in each.sets.items():
            together = sets.setdefault(name, WrittenTogether(data_set_path(part.root)))
            together.rows_written += part.rows
            together.files += map(data_set_path, part.files)
    return sets
