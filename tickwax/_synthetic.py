"""A market to try things on."""

import pathlib

from dataflows.assembly.synthetic_tape import write_synthetic_tape
from sources.durations import Duration
from sources.errors import TickwaxError
from sources.instrument import Instrument
from tickwax._arguments import Path, Symbols, as_settings, naming_arguments


def synthetic_tape(
    tape: Path,
    *,
    symbols: Symbols = "binance_futures:BTCUSDT",
    span: str = "1m",
    seed: int = 7,
    edge: float | None = None,
    derivatives: bool = False,
) -> pathlib.Path:
    """Write the tape of a synthetic market, order books and trades from a seed, as ``tickwax synth`` does.

        >>> import tickwax as tw
        >>> tape = tw.synthetic_tape("market", symbols=["binance_futures:BTCUSDT", "bybit_linear:ETHUSDT"], span="2s")
        >>> tw.read_tape(tape, symbols="bybit_linear:ETHUSDT")["kind"][0].as_py()
        'snapshot'

    Args:
        tape: folder of the tape, which must not hold the instruments yet.
        symbols: one or more of ``venue:SYMBOL``.
        span: market time, such as ``10m``, from 2026-01-05 on.
        seed: the same integer gives the same tape, to the bit.
        edge: plant a price that can be foretold, from 0, not at all, to 1 (docs/learning.md, 5); None: the market whose
            order flow makes its price.
        derivatives: mark prices, funding, open interest and liquidations too (of Binance and Bybit).

    Returns:
        The folder.

    Raises:
        ValueError: an argument is out of range.
        TickwaxError: the tape holds an instrument already, or cannot be written to.
    """
    settings = as_settings({"tape.path": tape, "symbols": symbols}, {})
    if settings.tape.path is None:
        raise ValueError("tape: '' is not the path of a folder")
    try:
        instruments = [Instrument.parse(symbol) for symbol in settings.symbols]
    except TickwaxError as e:
        raise ValueError(f"symbols: {e}") from None
    try:
        length = Duration.parse(span).ns
    except ValueError as e:
        raise ValueError(f"span: {e}") from None
    if not isinstance(seed, int):
        raise ValueError(f"seed: {seed!r} is not an integer")
    with naming_arguments():
        write_synthetic_tape(settings.tape.path, instruments, length, seed, edge=edge, derivatives=derivatives)
    return settings.tape.path
