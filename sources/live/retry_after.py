"""How long an exchange asks to stay away."""

import math

_LONGEST_WAIT = 86_400.0  # seconds; whoever asks to stay away for longer is asked again after a day


def retry_after(text: str | None, default: float = 0.0) -> float:
    """Seconds of a ``Retry-After`` header, a day at the most; ``default`` when there is none, or it is a date."""
    try:
        seconds = float(text) if text else default
    except ValueError:
        return default
    return min(max(0.0, seconds), _LONGEST_WAIT) if math.isfinite(seconds) else default
