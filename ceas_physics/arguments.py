"""Arguments of public functions checked before the call, each by a rule; the rules are those of `ising.arguments`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

import numpy as np
import xarray as xr

from ising.arguments import as_choice, as_flag, as_kind, as_number, as_numbers, as_path, real_numbers, refuse
from ising.arguments import shown as shown
from ising.integers import as_integer

P = ParamSpec("P")
T = TypeVar("T")
Rule = Callable[[str, Any], Any]

LARGEST = 1e100  # of a number whose square is taken
number, numbers, flag = partial(as_number, least=-LARGEST, most=LARGEST), partial(as_numbers, most=LARGEST), as_flag
positive = partial(as_number, above=0, most=LARGEST)
not_negative = partial(as_number, least=0, most=LARGEST)
exponent = partial(as_number, above=0, most=100)
count, index, seed = partial(as_integer, least=1), partial(as_integer, least=0), partial(as_integer, least=0)


def checked(**rules: Rule) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Pass each argument named through its rule, ``rule(name, value)``, before the call.

    What the rule returns takes the value's place, but for float arrays, which keep their precision.

    Examples
    --------
    >>> @checked(beta=positive)
    ... def temperature(beta):
    ...     return 1 / beta
    >>> temperature(-2)
    Traceback (most recent call last):
    ValueError: beta must be finite and > 0 and <= 1e+100, got -2.0
    """

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        places = {name: place for place, name in enumerate(signature(function).parameters)}

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            given, named = list(args), dict(kwargs)
            for name, rule in rules.items():
                if places[name] < len(given):
                    given[places[name]] = _checked(rule, name, given[places[name]])
                elif name in named:
                    named[name] = _checked(rule, name, named[name])
            return function(*given, **named)  # type: ignore[arg-type]

        return call

    return decorated


def _checked(rule: Rule, name: str, value: Any) -> Any:
    result = rule(name, value)
    return value if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind == "f" else result


def optional(rule: Rule) -> Rule:
    """The rule, or None."""
    return lambda name, value: None if value is None else rule(name, value)


def kind(of: type, example: str) -> Rule:
    """An instance of a class."""
    return partial(as_kind, kind=of, example=example)


def one_of(*allowed: str) -> Rule:
    """One of these words."""
    return partial(as_choice, allowed=allowed)


def shaped(*shape: str, rule: Rule = numbers) -> Rule:
    """An array with these axes, such as ``shaped("rows", "keys")``."""

    def check(name: str, value: Any) -> Any:
        array = rule(name, value)
        if np.ndim(array) != len(shape):
            raise ValueError(f"{name} must have the axes ({', '.join(shape)}), got shape {np.shape(array)}")
        return array

    return check


def readings(name: str, value: Any) -> Any:
    """Real numbers of which some may be NaN or infinite: a head of which nothing was seen."""
    array = real_numbers(value)
    if array is None or array.size == 0:
        refuse(name, "a non-empty array of numbers", value)
    if (np.abs(array) > LARGEST).any() and np.isfinite(array[np.abs(array) > LARGEST]).any():
        raise ValueError(f"{name} must be at most {LARGEST:g} in size")
    return array


def array(name: str, value: Any) -> np.ndarray:
    """An array of real numbers, whatever they are: for what is large and made by this package."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or isinstance(value, np.ma.MaskedArray):
        refuse(name, "an array of real numbers", value)
    return value


def integers(name: str, value: Any) -> np.ndarray:
    """An array of whole numbers, empty or not."""
    if array(name, value).dtype.kind not in "iu":
        refuse(name, "an array of integers", value)
    return value


def reading(name: str, value: Any) -> float:
    """One real number, which may be NaN or infinite."""
    array = real_numbers(value)
    if array is None or array.ndim:
        refuse(name, "a number", value)
    return float(array)


def tokens(name: str, value: Any) -> Any:
    """Whole numbers >= 0, in an array."""
    try:
        array = np.asarray(value)
    except Exception:  # ragged, or a foreign object, which may raise anything
        refuse(name, "an array of integers >= 0", value)
    if array.dtype.kind not in "iu" or array.size == 0 or (array < 0).any() or isinstance(value, np.ma.MaskedArray):
        refuse(name, "a non-empty array of integers >= 0", value)
    return array


def table_with(*needs: str, source: str) -> Rule:
    """A Dataset of this source with these variables."""

    def check(name: str, value: Any) -> xr.Dataset:
        if not isinstance(value, xr.Dataset):
            refuse(name, f"a Dataset from {source}", value)
        missing = [need for need in needs if need not in value]
        if missing:
            raise ValueError(f"{name} must hold {', '.join(missing)}, as that of {source} does")
        kinds = {need: "biufSUT" if need in value.coords else "biuf" for need in needs}
        odd = [need for need in needs if value[need].dtype.kind not in kinds[need] or value[need].size == 0]
        if odd:
            raise ValueError(f"{name} must hold real numbers, got {odd[0]} of dtype {value[odd[0]].dtype}")
        return value

    return check


def function(name: str, value: Any) -> Any:
    """Something to call."""
    if not callable(value):
        refuse(name, "a function", value)
    return value


def path(name: str, value: Any) -> Any:
    """A path, not empty."""
    as_path(name, value)
    return value


def yes_or_no(name: str, value: Any) -> np.ndarray:
    """An array of booleans, or of 0 and 1."""
    try:
        found = np.asarray(value)
    except Exception:  # ragged, or a foreign object, which may raise anything
        refuse(name, "an array of True and False", value)
    if found.dtype.kind not in "biuf" or isinstance(value, np.ma.MaskedArray) or not np.isin(found, (0, 1)).all():
        refuse(name, "an array of True and False, or 1 and 0", value)
    return found.astype(bool)


def text(name: str, value: Any) -> str:
    """A string."""
    return as_kind(name, value, str, "'name'")


def pair(name: str, value: Any) -> tuple[float, float]:
    """Two finite numbers."""
    array = as_numbers(name, value)
    if array.shape != (2,):
        refuse(name, "two numbers", value)
    return float(array[0]), float(array[1])


def check_fields(settings: object, **rules: Rule) -> None:
    """Check fields of a dataclass, each by its rule."""
    for name, rule in rules.items():
        rule(name, getattr(settings, name))


def check_broadcast(**values: Any) -> None:
    """ValueError unless the shapes of these arrays fit together."""
    shapes = {name: np.shape(value) for name, value in values.items()}
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise ValueError(f"{', '.join(values)} must have shapes that broadcast, got {shapes}") from None


def check_targets(logits: np.ndarray, targets: np.ndarray) -> None:
    """ValueError unless there is one target a row of the logits, and all are classes of theirs."""
    if np.size(targets) != len(logits) or np.max(targets) >= logits.shape[1]:
        raise ValueError(
            f"targets must be one class below {logits.shape[1]} for each of the {len(logits)} rows of logits, "
            f"got shape {np.shape(targets)} up to {np.max(targets)}"
        )
