"""What a frame of Binance is where the name of its stream does not say so."""

from typing import Any

import msgspec

DATA_EVENTS = ("depthUpdate", "trade", "aggTrade")  # `e` of what may be part of a book or of the prints


class Probe(msgspec.Struct, rename={"number": "lastUpdateId"}):
    """Enough of any object to tell what it is."""

    stream: Any = None
    number: Any = None
    e: Any = None
    event: Any = None
    data: Any = None

    def name(self) -> str | None:
        """The event's name, wherever it stands."""
        for holder in (self.data, self.event):
            if isinstance(holder, dict) and isinstance(holder.get("e"), str):
                return str(holder["e"])
        return self.e if isinstance(self.e, str) else None


_probe = msgspec.json.Decoder(Probe)


def probed(raw: bytes) -> Probe | None:
    """What a whole JSON text tells of itself; None when it is no object. Raises ValueError when it is not whole."""
    try:
        return _probe.decode(raw)
    except msgspec.ValidationError:
        msgspec.json.decode(raw)
        return None


def foreign_event(raw: bytes) -> str | None:
    """The name of the event in a stream's frame if it is one that the stream does not carry; else None."""
    try:
        probe = probed(raw)
    except (ValueError, RecursionError):
        return None
    event = probe.name() if probe else None
    return None if event in DATA_EVENTS else event
