"""What a supervisor and its processes say to each other: JSON lines over the processes' standard input and output."""

from typing import Literal

import msgspec

LatencyStates = dict[str, tuple[int, int, dict[int, int]]]  # by venue, as of `sources.latency.Latencies`
Verb = Literal["replay", "backtest", "live", "paper"]


class Order(msgspec.Struct):
    """The first line to a process: its place in the cluster. Settings come with the environment."""

    verb: Verb
    index: int
    addresses: list[str]
    workers: int  # threads a process
    weights: dict[str, int]  # of a `sources.placement.Placement`


COMMIT = b"commit\n"  # the second line to a replay, when all have read and computed everything


class Moved(msgspec.Struct, tag=True):
    """How far a process is."""

    rows: int
    market_ns: int


class Computed(msgspec.Struct, tag=True):
    """A replay has read and computed its share; its rows are still unseen."""

    rows: int
    market_ns: int
    quality: list[int]
    astray: list[str]  # instruments that came from another process
    latencies: LatencyStates


class DataSet(msgspec.Struct):
    """What a process wrote to a data set."""

    root: str
    rows: int
    files: list[str]


class Written(msgspec.Struct, tag=True):
    """The last message: all that was written has appeared, unless ``left`` or ``failure`` say otherwise."""

    sets: dict[str, DataSet]
    latencies: LatencyStates = {}  # of a live run
    left: str | None = None
    failure: str | None = None
    nothing: str | None = None  # why no row was recorded


class Failed(msgspec.Struct, tag=True):
    """The traceback of what ends the process."""

    text: str


Message = Moved | Computed | Written | Failed
