"""What settings may be: finite numbers in their range, sizes that fit into memory."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import Any

MOST_BYTES = 8 * 2**30


def as_number(name: str, value: Any, least: float | None = None, most: float | None = None) -> float:
    """A finite float from any real number, `least` and `most` included; bool and str are refused.

    Raises
    ------
    ValueError
        Not a finite number, or out of range.
    """
    if least is None:
        allowed = "a finite number"
    else:
        allowed = f"a finite number >= {least:g}" if most is None else f"in [{least:g}, {most:g}]"
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    number = float(value)
    if (least is not None and number < least) or (most is not None and number > most):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return number


def as_positive(name: str, value: Any) -> float:
    """A finite float > 0.

    Raises
    ------
    ValueError
        Anything else.
    """
    if as_number(name, value) <= 0.0:
        raise ValueError(f"{name} must be > 0, got {value!r}")
    return float(value)


def check_memory(needed: float, what: str) -> None:
    """Refuse what would need more than 8 GiB.

    Raises
    ------
    ValueError
        Naming the size.
    """
    if needed > MOST_BYTES:
        raise ValueError(f"{what} would need {needed / 2**30:.3g} GiB, more than {MOST_BYTES / 2**30:g} GiB; use less")
