"""tickwax from Python: replays, data sets, books and the operators of notebooks, under one name.

    >>> import tickwax as tw
    >>> tape = tw.synthetic_tape("tape", span="5s")
    >>> frame = tw.replay(tape, sampling="1s")
    >>> frame.num_rows, frame["mid"][0].as_py() > 0
    (5, True)

A tape is named by its folder, an instrument by ``venue:SYMBOL``, a length of time by a text such as ``100ms``, a time
by a `datetime` or an ISO 8601 text, UTC unless it says otherwise. Frames are Arrow tables unless ``as_`` asks for
``"polars"`` or ``"pandas"``, which must be installed then. Neither the environment nor a file of settings is read:
the arguments are all there is.

A bad argument raises a `ValueError` that begins with its name; a tape or a data set that cannot be read, or a disk that
is full, raises a `TickwaxError` of one line. What was left out, say for damage, is a `TickwaxWarning`.
"""

import gc
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from operators.fracdiff import FractionalDifferentiator, find_optimal_d
    from operators.fractal import FractalDimensionIndex
    from operators.ofi import OrderFlowImbalance
    from sources.errors import TickwaxError, TickwaxWarning
    from tickwax._books import Book, BookArrays, book_arrays, books
    from tickwax._dictionary import features_dictionary
    from tickwax._reading import read_features, read_tape
    from tickwax._replay import replay
    from tickwax._synthetic import synthetic_tape

__all__ = [
    "Book",
    "BookArrays",
    "FractalDimensionIndex",
    "FractionalDifferentiator",
    "OrderFlowImbalance",
    "TickwaxError",
    "TickwaxWarning",
    "book_arrays",
    "books",
    "features_dictionary",
    "find_optimal_d",
    "read_features",
    "read_tape",
    "replay",
    "synthetic_tape",
]

# Numba, Arrow and Bytewax take two seconds to import: each name brings its own when it is first used (PEP 562).
_HOMES = {
    "Book": "tickwax._books",
    "BookArrays": "tickwax._books",
    "FractalDimensionIndex": "operators.fractal",
    "FractionalDifferentiator": "operators.fracdiff",
    "OrderFlowImbalance": "operators.ofi",
    "TickwaxError": "sources.errors",
    "TickwaxWarning": "sources.errors",
    "book_arrays": "tickwax._books",
    "books": "tickwax._books",
    "features_dictionary": "tickwax._dictionary",
    "find_optimal_d": "operators.fracdiff",
    "read_features": "tickwax._reading",
    "read_tape": "tickwax._reading",
    "replay": "tickwax._replay",
    "synthetic_tape": "tickwax._synthetic",
}


if not TYPE_CHECKING:  # or type checkers would believe in any name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'tickwax' has no attribute {name!r}; it has {', '.join(__all__)}")
        collecting = gc.isenabled()
        gc.disable()  # what imports make stays: to look for garbage meanwhile is a sixth of their time
        try:
            value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
        finally:
            if collecting:
                gc.enable()
        return value


def __dir__() -> list[str]:
    return list(__all__)
