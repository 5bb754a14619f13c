"""What a backtest and paper trading have in common: strategy, exchange, and what their data sets say of themselves."""

import math
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import partial
from hashlib import file_digest
from importlib import import_module
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.operators import KeyedStream

from dataflows.assembly.identities import Edges, identity_of
from dataflows.assembly.trained_strategies import check_features
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.execution.grid import Grid
from operators.execution.state import ExecutionConfig
from operators.execution.strategy import CompiledStrategy, Strategy, StrategyError
from operators.row_batch import NO_MORE_ROWS, RowBatch
from operators.strategies import LEARNED, STRATEGIES
from operators.trade_engine import TooManyOrdersError, Traded
from sinks.identity import Identity
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.model_folder import CARD


def rows_in(name: str, traded: KeyedStream[Traded], step: str = "") -> KeyedStream[RowBatch]:
    """The rows of a data set, or of the features, where there are any; ``step`` names the step if ``name`` does not."""
    return op.filter_map(step or name, traded, partial(_rows_of, name))


def _rows_of(name: str, item: tuple[str, Traded]) -> tuple[str, RowBatch] | None:
    rows: RowBatch = getattr(item[1], name)
    return (item[0], rows) if rows.rows or rows is NO_MORE_ROWS else None


def in_words(error: Exception, settings: Settings) -> Exception:
    """What a strategy did wrong, as a line; the traceback of one that raised is printed."""
    if isinstance(error, StrategyError):
        traceback.print_exception(error.__cause__)
        return TickwaxError(f"strategy.name: {error}")
    if isinstance(error, TooManyOrdersError):
        return TickwaxError(f"strategy.name: {settings.strategy.name} sent {error}")
    return error


def trading_identity(
    data_set: str,
    settings: Settings,
    config: FeatureConfig,
    grids: Mapping[Instrument, Grid],
    edges: Edges | None = None,
    consulted: Mapping[str, str] | None = None,
) -> Identity:
    """What the files of a data set of trading say of themselves: every setting that decides a value.

    Args:
        edges: as of `edges_of`; None: of no tape.
        consulted: rules and a model, as settings (`TradeEngines.identity`).

    Raises:
        TickwaxError: as `identity_of`.
    """
    # Of files what is in them decides.
    execution = settings.execution.model_dump(exclude={"grids", "grid_file", "latency_file"})
    execution["latency_file"] = content_identity("execution.latency_file", settings.execution.latency_file)
    features = identity_of("features", settings, config, edges)
    decided = {f"execution.{key}": str(value) for key, value in execution.items()}
    decided |= {f"strategy.{key}": str(value) for key, value in settings.strategy.model_dump().items()}
    if settings.strategy.name in LEARNED:
        decided["strategy.path"] = content_identity("strategy.path", _card_in(settings))
    decided["backtest.orders"] = content_identity("backtest.orders", settings.backtest.orders)
    own = {str(i): {**features.own.get(str(i), {}), "execution.grid": str(grid)} for i, grid in grids.items()}
    return Identity(data_set, {**features.settings, **decided, **(consulted or {})}, own)


def _card_in(settings: Settings) -> Path | None:
    """The file that names all that a trained strategy is made of, with their hashes."""
    folder = Path(str((settings.strategy.model_extra or {}).get("path", "")))
    return next((file for name in ("agent.json", CARD) if (file := folder / name).is_file()), None)


def content_identity(key: str, path: Path | None) -> str:
    """What is in a file, in a few signs; empty without one.

    Raises:
        TickwaxError: it cannot be read; the text begins with ``key``.
    """
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return f"sha256 {file_digest(file, 'sha256').hexdigest()[:16]}"
    except OSError as e:
        raise TickwaxError(f"{key}: {path}: {e.strerror}") from None


def execution_config(settings: Settings, venue: str) -> ExecutionConfig:
    """How the exchange is simulated for instruments of a venue.

    Raises:
        TickwaxError: a value is out of its range.
    """
    e = settings.execution
    fees = e.fees.get(venue)
    try:
        return ExecutionConfig(
            queue=e.queue,
            queue_power=e.queue_power,
            latency_entry_ns=e.latency_entry.ns,
            latency_response_ns=e.latency_response.ns,
            maker=e.maker if fees is None else fees.maker,
            taker=e.taker if fees is None else fees.taker,
            one_clock=e.one_clock,
            max_position=math.inf if e.max_position is None else e.max_position,
            max_order=math.inf if e.max_order is None else e.max_order,
        )
    except ValueError as error:
        raise TickwaxError(f"execution.{error}") from None


def strategy_factory(settings: Settings) -> Callable[[], Strategy | CompiledStrategy | None]:
    """What makes the strategy of an instrument; None where there is none.

    Raises:
        TickwaxError: there is no such strategy, or a parameter is none of its own, or out of its range.
    """
    name = settings.strategy.name
    if not name:
        return lambda: None
    kind = STRATEGIES.get(name) or LEARNED.get(name) or _own(name)
    given = dict((settings.strategy.model_extra or {}).items())
    known = [field.name for field in fields(kind)] if hasattr(kind, "__dataclass_fields__") else None
    if known is not None and (odd := next((key for key in given if key not in known), None)):
        there = ", ".join(known) or "none"
        raise TickwaxError(f"strategy.{odd}: {name} has no such parameter; it has: {there}")

    def make() -> Any:
        try:
            return kind(**{key: _number(value) for key, value in given.items()})
        except ValueError as e:
            raise TickwaxError(f"strategy.{e}") from None
        except TypeError as e:  # of Python, about the arguments
            raise TickwaxError(f"strategy.name: {name} cannot be made of its parameters: {e}") from None

    check_features(make(), settings)
    return make


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _own(name: str) -> type[Any]:
    """The class that ``module:Class`` names."""
    module, separator, attribute = name.partition(":")
    if not separator:
        there = [*STRATEGIES, *LEARNED]
        close = get_close_matches(name, there, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise TickwaxError(f"strategy.name: '{name}' is none of {', '.join(there)}, and no module:Class{hint}")
    if (here := str(Path.cwd())) not in sys.path:  # a console script does not look there
        sys.path.append(here)
    try:
        found: type[Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as e:
        raise TickwaxError(f"strategy.name: '{name}' cannot be imported: {e}") from None
    return found
