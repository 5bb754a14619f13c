"""The time of day as numbers: sine and cosine of the share of a day, and of an hour, that is over.

Own polynomials: a library's sine differs between versions and processors.
"""

from operators.models.jit import kernel
from sources.tape.batch import Float64s

DAY = 86_400_000_000_000  # ns
HOUR = 3_600_000_000_000
_HALF_PI = 1.5707963267948966


@kernel
def sine_and_cosine(quarter: int, part: float) -> tuple[float, float]:
    """Sine and cosine of ``(quarter + part) · π/2``, within 3e-16.

    Taylor's polynomials of degree 15 and 16 on ``|part| ≤ ½``.

    Args:
        quarter: of a turn, 0 to 4.
        part: of a quarter turn, −½ to ½.
    """
    x = part * _HALF_PI
    z = x * x
    s = -1.0 / 1307674368000.0
    s = s * z + 1.0 / 6227020800.0
    s = s * z - 1.0 / 39916800.0
    s = s * z + 1.0 / 362880.0
    s = s * z - 1.0 / 5040.0
    s = s * z + 1.0 / 120.0
    s = s * z - 1.0 / 6.0
    s = x + x * (z * s)
    c = 1.0 / 20922789888000.0
    c = c * z - 1.0 / 87178291200.0
    c = c * z + 1.0 / 479001600.0
    c = c * z - 1.0 / 3628800.0
    c = c * z + 1.0 / 40320.0
    c = c * z - 1.0 / 720.0
    c = c * z + 1.0 / 24.0
    c = c * z - 0.5
    c = 1.0 + z * c
    if quarter == 1:
        return c, -s
    if quarter == 2:
        return -s, -c
    if quarter == 3:
        return -c, s
    return s, c


@kernel
def phases(ts: int, out: Float64s) -> None:
    """Sine and cosine of the phase of the day, then of the hour, UTC.

    Args:
        ts: ns since 1970.
        out: shape ``(4,)``.
    """
    for i in range(2):
        period = DAY if i == 0 else HOUR
        since = ts % period
        quarter = (4 * since + period // 2) // period  # to the nearest
        part = (4 * since - quarter * period) / period
        out[2 * i], out[2 * i + 1] = sine_and_cosine(quarter, part)
