"""One way to check each kind of argument: a refusal names it, says what was given and what is allowed."""

from __future__ import annotations

from collections.abc import Collection
from math import inf
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind")
LONGEST = 80  # characters of a value in a message
FEW = 6  # entries of an array that are quoted


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


def as_numbers(
    name: str,
    values: Any,
    least: float = -inf,
    above: float = -inf,
    most: float = inf,
    below: float = inf,
    ndim: int | None = None,
    empty: bool = False,
) -> NDArray[np.float64]:
    """A float64 array of finite numbers, not empty unless it may be, from anything that holds real numbers.

    Booleans, complex numbers, text, dates and masked arrays are refused, and so is an array of other than `ndim` axes.

    Raises
    ------
    ValueError
        Not numbers, the wrong number of axes, or an entry that is not finite or out of range.
    """
    what = "a number" if ndim == 0 else "a non-empty array of numbers"
    array = real_numbers(values)
    if array is None or (array.size == 0 and not empty):
        refuse(name, what, values)
    if ndim is not None and array.ndim != ndim:
        refuse(name, what if ndim == 0 else f"{what} with {ndim} {'axis' if ndim == 1 else 'axes'}", values)
    good = np.isfinite(array) & (array >= least) & (array > above) & (array <= most) & (array < below)
    if not good.all():
        limits = ((">=", least, -inf), (">", above, -inf), ("<=", most, inf), ("<", below, inf))
        allowed = " and ".join(["finite", *(f"{sign} {limit:g}" for sign, limit, none in limits if limit != none)])
        raise ValueError(f"{name} must be {allowed}, got {array[~good].flat[0]}")
    return array


def as_number(
    name: str, value: Any, least: float = -inf, above: float = -inf, most: float = inf, below: float = inf
) -> float:
    """A finite float in range; see `as_numbers`.

    Examples
    --------
    >>> as_number("beta", 0.4, least=0)
    0.4
    >>> as_number("beta", -0.3, least=0)
    Traceback (most recent call last):
    ValueError: beta must be finite and >= 0, got -0.3
    """
    return float(as_numbers(name, value, least, above, most, below, ndim=0))


def as_spins(name: str, values: Any) -> NDArray[Any]:
    """An array of +1 and -1, of any numeric dtype.

    Raises
    ------
    ValueError
        Other entries.
    """
    array = real_numbers(values)
    if array is None or array.size == 0 or not (np.abs(array) == 1).all():
        refuse(name, "a non-empty array of +1 and -1", values)
    return array


def as_flag(name: str, value: Any) -> bool:
    """True or False (or 1 or 0)."""
    if not isinstance(value, (bool, np.bool_, int, np.integer)) or value not in (0, 1):
        refuse(name, "True or False", value)
    return bool(value)


def as_choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """One of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        refuse(name, f"one of {', '.join(map(repr, allowed))}", value)
    return value


def as_kind(name: str, value: Any, kind: type[Kind], example: str) -> Kind:
    """An instance of a class; `example` says how to get one."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIO" else "a"
        refuse(name, f"{article} {kind.__name__} such as {example}", value)
    return value


def as_path(name: str, value: Any) -> Path:
    """A path, not empty, of which a leading ~ is the home folder."""
    if not isinstance(value, str | PathLike) or not str(value) or "\0" in str(value):
        refuse(name, "a path", value)
    return Path(value).expanduser()


def real_numbers(values: Any) -> NDArray[np.float64] | None:
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
