"""What a step of trading works on: a `Recording` for kernels, an agent's account, and what is asked for."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from learning.environment.recording import Recording
from operators.execution.state import Resting, Rules, make_rules
from sources.tape.batch import Float64s, Int64s

Float32s = npt.NDArray[np.float32]

# Indices into `Account.clock` behind those of `operators.execution.state`.
_FIRST = 32
ROW, START, STEPS, SENT, LOTS, ACTED, SEEN_AT, OPENED, FILLED, SHORT = range(_FIRST, _FIRST + 10)
# Indices into `Account.money` behind those of `operators.execution.state`.
EQUITY, CAPITAL, MEAN, SQUARE, OPENED_AT = range(8, 13)
NO_ORDER = -1
OWN = 4  # numbers of an observation behind the features: position, unrealised return, time in position, spread
BPS = 1e4
_MOST_TAKEN = 256


class Account(NamedTuple):
    """What one agent has; a part of an `Exchange` where the kernels of the exchange look at it."""

    clock: Int64s  # (42,)
    money: Float64s  # (13,)
    resting: Resting  # nothing ever rests
    taken: Float64s  # (256, 4): side, price, lots taken, decision whose order took them; `TAKEN` entries
    taken_count: Int64s  # (1,)
    fills: Float64s  # (2 · depth, 4): price, lots with their sign, fee, act time of the newest order's fills


class Market(NamedTuple):
    """A `Recording` for kernels, its features as they are seen."""

    features: Float32s
    local_ts: Int64s
    mid: Float64s
    quote: Float64s
    spread: Float64s
    act: Int64s
    next_decision: Int64s
    known: npt.NDArray[np.bool_]
    price: Float64s
    size: Float64s
    since: Int64s
    last: Int64s
    settled: Int64s
    funding: Float64s
    first_funding: Int64s  # of those settled after the decision


class Terms(NamedTuple):
    """What an environment is asked for."""

    lots: int  # of a whole position
    episode: int  # steps, at most
    eta: float  # of the differential Sharpe ratio; 0: the reward is the profit


def make_account(depth: int) -> Account:
    """One that has nothing."""
    resting = Resting(np.zeros(2, np.int64), np.zeros((5, 2, 1), np.int64), np.zeros((3, 2, 1)))
    return Account(
        np.zeros(_FIRST + 10, np.int64), np.zeros(13), resting, np.zeros((_MOST_TAKEN, 4)), np.zeros(1, np.int64),
        np.zeros((2 * depth, 4)),
    )  # fmt: skip


def make_market(recording: Recording, mean: Float64s, scale: Float64s) -> tuple[Market, Rules]:
    """Args:
    mean, scale: of the features, shape ``(columns,)``: what is seen is ``(x − mean)/scale`` within ±10, 0 where it is
        not known.
    """
    scaled = np.nan_to_num((recording.features - mean) / scale, nan=0.0, posinf=10.0, neginf=-10.0)
    market = Market(
        np.clip(scaled, -10, 10).astype(np.float32), recording.local_ts, recording.mid, recording.quote,
        recording.spread, recording.act, recording.next_decision, recording.known, recording.price, recording.size,
        recording.since, recording.last, recording.settled, recording.funding,
        np.searchsorted(recording.settled[0], np.arange(1, len(recording) + 1)),
    )  # fmt: skip
    return market, make_rules(recording.execution, recording.grid, reports=True)
