"""How a verdict follows from numbers: pure functions, and the only place where verdicts are made."""

from __future__ import annotations

import math
from collections.abc import Sequence

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
INCONSISTENT = "inconsistent"
NOT_TESTABLE = "not testable here"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, INCONSISTENT, NOT_TESTABLE)
SEVEREST_FIRST = (INCONSISTENT, NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED)

TWO_SIDED = 1.96  # standard deviations of a 95 % interval
SIGNIFICANT = 3.0  # standard deviations by which physics may miss an exact value


def in_range(number: float, low: float, high: float, half: float) -> str:
    """Whether the 95 % interval number +- half supports low <= number <= high.

    Reproduced: all of the interval lies in the range; or the number does, and the interval is no wider than a range
    that has two ends. Not reproduced: interval and range have nothing in common. Everything else is undecided: the
    number has too large an error, or is missing (nan), and the claim is not testable here.

    Examples
    --------
    >>> in_range(0.4, 0.35, 0.52, 0.02), in_range(0.1, 0.35, 0.52, 0.02), in_range(0.4, 0.35, 0.52, 0.3)
    ('reproduced', 'not reproduced', 'not testable here')
    """
    _check_range(low, high)
    if not (math.isfinite(number) and half >= 0.0):
        return NOT_TESTABLE
    if number + half < low or number - half > high:
        return NOT_REPRODUCED
    inside = low <= number - half and number + half <= high
    narrow = low <= number <= high and 2.0 * half <= high - low < math.inf
    return REPRODUCED if inside or narrow else NOT_TESTABLE


def equal(number: float, error: float, value: float, resolution: float = math.inf) -> str:
    """Whether a measured number is an exact value: within 3 standard deviations, which must not exceed ``resolution``.

    Examples
    --------
    >>> equal(0.4405, 0.0002, 0.4407), equal(0.43, 0.0002, 0.4407), equal(0.4, 0.1, 0.4407, resolution=0.01)
    ('reproduced', 'not reproduced', 'not testable here')
    """
    if not (math.isfinite(number) and error >= 0.0):
        return NOT_TESTABLE
    if abs(number - value) > SIGNIFICANT * error:
        return NOT_REPRODUCED
    return REPRODUCED if SIGNIFICANT * error <= resolution else NOT_TESTABLE


def follows(computed: Sequence[float], claimed: Sequence[float], rounding: float) -> str:
    """Whether claimed figures are what their own formula gives: each within the rounding it was printed with.

    A claim that fails contradicts itself: inconsistent. A figure that cannot be computed (nan) is not testable here.

    Examples
    --------
    >>> follows([820.0], [819.0], 0.0), follows([437_500.0], [437_500.0], 50.0)
    ('inconsistent', 'reproduced')
    """
    if len(computed) != len(claimed) or not computed:
        raise ValueError(f"there must be one claimed figure for each computed one, got {computed} and {claimed}")
    if not all(map(math.isfinite, computed)):
        return NOT_TESTABLE
    tolerance = rounding * (1.0 + 1e-9)
    return REPRODUCED if all(abs(a - b) <= tolerance for a, b in zip(computed, claimed)) else INCONSISTENT


def reachable(computed: tuple[float, float], claimed: tuple[float, float], rounding: float) -> str:
    """Whether both ends of a claimed range can be had from the ranges of its inputs, within the printed rounding.

    A claimed range narrower than the computed one chooses among the inputs and contradicts nothing.

    Examples
    --------
    >>> reachable((0.243, 0.388), (0.28, 0.38), 0.005), reachable((0.358, 0.496), (0.35, 0.52), 0.005)
    ('reproduced', 'inconsistent')
    """
    _check_range(*computed)
    _check_range(*claimed)
    tolerance = rounding * (1.0 + 1e-9)
    held = computed[0] - tolerance <= claimed[0] and claimed[1] <= computed[1] + tolerance
    return REPRODUCED if held else INCONSISTENT


def joined(verdicts: Sequence[str]) -> str:
    """The verdict on a claim of several rows: the severest of them, so reproduced only if all rows are.

    Examples
    --------
    >>> joined(["reproduced", "not testable here"]), joined(["reproduced", "inconsistent"])
    ('not testable here', 'inconsistent')
    """
    if unknown := set(verdicts) - set(VERDICTS):
        raise ValueError(f"verdicts must be of {VERDICTS}, got {sorted(unknown)}")
    return next(verdict for verdict in SEVEREST_FIRST if verdict in verdicts)


def _check_range(low: float, high: float) -> None:
    if not low <= high:
        raise ValueError(f"a claimed range needs low <= high, got {low} and {high}")
