"""A recording for the page: the features in files, with the settings that they say of themselves, and their tape."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dataflows.runtime.exit_codes import say
from dataflows.settings.model import Settings, settings_from
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.inspection_verdict import VERDICTS
from operators.schema import feature_schema
from sinks.identity import settings_in
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.journal_reader import TapeJournals
from sources.tape.layout import data_files, instruments
from sources.tape.reader import TapeReader
from sources.venues.names import FIXED_DEPTH
from window.feature_files import FeatureIndex
from window.recorded import Recording

_LISTS = {"features.windows": str, "features.depths": int}


def recording(settings: Settings) -> Recording:
    """What `features.path` holds of the instruments asked for, and of the tape at `tape.path` if it has them.

    Raises:
        TickwaxError: there are no features, they do not tell their settings, or an instrument asked for is not there.
    """
    root = settings.features.path
    if root is None:
        raise TickwaxError("features.path: empty; the page shows a recording of features")
    there = list(instruments(root))
    if not there:
        raise TickwaxError(f"features.path: {root} holds no features; tickwax replay computes them, or name a tape")
    chosen = there
    if "symbols" in settings.model_fields_set:
        chosen = [i for i in there if str(i) in settings.symbols or f"{i.venue}:*" in settings.symbols]
        missing = [s for s in settings.symbols if not s.endswith(":*") and Instrument.parse(s) not in there]
        if missing or not chosen:
            absent = missing[0] if missing else ", ".join(settings.symbols)
            raise TickwaxError(f"symbols: '{absent}' is not in {root}, which has: {', '.join(map(str, there[:10]))}")
    files = {instrument: data_files(root, instrument) for instrument in chosen}
    config = _config_of(settings_in(files[chosen[0]][0]), str(files[chosen[0]][0]))
    indices = {i: FeatureIndex(paths, feature_schema(config)) for i, paths in files.items()}
    tape = settings.tape.path
    journals = TapeJournals(tape) if tape is not None else None
    recorded = {*instruments(tape), *journals.instruments} if tape is not None and journals is not None else set()
    lacking = next((i for i in chosen if i not in recorded), None)
    if tape is not None and lacking and "path" in settings.tape.model_fields_set:
        raise TickwaxError(f"tape.path: {tape} lacks an instrument of {root}: {lacking}")
    about = {"run": uuid.uuid4().hex, "mode": "recorded", "speed": 1, "verdicts": VERDICTS}
    if lacking or tape is None:
        say("no tape: the page has no book and no trades")
        return Recording(indices, config, time.time_ns, about)

    def opened(instrument: Instrument, begin: int, end: int) -> TapeReader:
        return TapeReader(tape, instrument, begin, end, journals)

    def engine(instrument: Instrument) -> FeatureEngine:
        return FeatureEngine(config, full_depth=instrument.venue in FIXED_DEPTH, with_books=True, gil_rows=0)

    return Recording(indices, config, time.time_ns, about, opened, engine)


def _config_of(told: Mapping[str, str] | None, place: str) -> FeatureConfig:
    """The features' parameters, from what a file says of itself."""
    if told is None:
        raise TickwaxError(f"features.path: {place} does not tell its settings; compute the features anew")
    values: dict[str, Any] = {
        key: [_LISTS[key](part) for part in text.split(", ")] if key in _LISTS else text
        for key, text in told.items()
        if key.startswith("features.") and not key.startswith("features.d_file")
    }
    return replace(settings_from(values).feature_config())
