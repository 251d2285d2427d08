"""One way to check each kind of argument: a refusal names it, says what was given and what is allowed.

The twin of `ising.arguments`, because neither package imports the other; here also tables.
"""

from __future__ import annotations

import operator
from collections.abc import Collection
from math import inf
from numbers import Real
from typing import Any, NoReturn

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Array = NDArray[np.float64]
LONGEST = 80  # characters of a value in a message
FEW = 6  # entries of an array that are quoted
LARGEST = 1e60  # of a measured value: fourth powers stay doubles
LARGEST_INTEGER = 2**63 - 1


def shown(value: Any) -> str:
    """The value as a message quotes it: one line, cut where it is long."""
    if isinstance(value, np.ndarray) and value.size > FEW:
        return f"an array of {value.dtype}, shape {value.shape}"
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a foreign object may raise anything, an int of 5,000 digits has no repr
        text = f"an object of type {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def refuse(name: str, allowed: str, value: Any) -> NoReturn:
    """Raise the ValueError of an argument."""
    raise ValueError(f"{name} must be {allowed}, got {shown(value)}") from None


def as_numbers(name: str, values: Any, least: float = -inf, above: float = -inf, most: float = inf) -> Array:
    """A float64 array of finite real numbers, not empty; no booleans, text, dates, complex or masked arrays."""
    array = real(values)
    if array is None or array.size == 0:
        refuse(name, "a non-empty array of numbers", values)
    low, high = array.min(), array.max()  # NaN where there is one
    if not (-inf < low and high < inf and low >= least and low > above and high <= most):
        good = np.isfinite(array) & (array >= least) & (array > above) & (array <= most)
        limits = ((">=", least, -inf), (">", above, -inf), ("<=", most, inf))
        allowed = " and ".join(["finite", *(f"{sign} {limit:g}" for sign, limit, none in limits if limit != none)])
        raise ValueError(f"{name} must be {allowed}, got {array[~good].flat[0]}")
    return array


def as_number(name: str, value: Any, least: float = -inf, above: float = -inf, most: float = inf) -> float:
    """A finite float in range.

    Examples
    --------
    >>> as_number("nu", 0, above=0)
    Traceback (most recent call last):
    ValueError: nu must be finite and > 0, got 0.0
    """
    array = real(value)
    if array is None or array.ndim:
        refuse(name, "a number", value)
    return float(as_numbers(name, array, least, above, most))


def as_integer(name: str, value: Any, least: int) -> int:
    """An integer that is at least `least`; bool, float and text are refused."""
    try:
        integer = operator.index(value)
    except Exception:  # TypeError; a foreign object may raise anything
        refuse(name, f"an integer >= {least}", value)
    if isinstance(value, bool) or integer < least:
        refuse(name, f"an integer >= {least}", value)
    if integer > LARGEST_INTEGER:
        refuse(name, f"an integer >= {least} and below 2^63", value)
    return integer


def as_flag(name: str, value: Any) -> bool:
    """True or False (or 1 or 0)."""
    if not isinstance(value, (bool, np.bool_, int, np.integer)) or value not in (0, 1):
        refuse(name, "True or False", value)
    return bool(value)


def as_choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """One of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        refuse(name, f"one of {', '.join(map(str, allowed))}", value)
    return value


def as_table(name: str, value: Any, source: str, needs: Collection[str] = ()) -> xr.Dataset:
    """A Dataset with the variables named, which hold real numbers."""
    if not isinstance(value, xr.Dataset):
        refuse(name, f"a Dataset from {source}", value)
    missing = [need for need in needs if need not in value]
    if missing:
        given = sorted(map(str, value.variables))
        raise ValueError(f"{name} must hold {', '.join(missing)}, as that of {source} does, got {shown(given)}")
    for need in needs:
        if value[need].dtype.kind not in "biuf":
            raise ValueError(f"{name} must hold real numbers, got {need} of dtype {value[need].dtype}")
    return value


def real(values: Any) -> Array | None:
    """The numbers as float64, or None where they are none."""
    try:
        array = np.asarray(values)
    except Exception:  # ragged lists; a foreign object may raise anything
        return None
    if isinstance(values, np.ma.MaskedArray) or array.dtype.kind not in "iufO":
        return None
    if array.dtype.kind == "O" and not all(isinstance(x, Real) and not isinstance(x, bool) for x in array.flat):
        return None
    try:
        return array.astype(np.float64, copy=False)
    except (OverflowError, TypeError, ValueError):
        return None
