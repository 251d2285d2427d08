"""Checks of settings that several dataclasses share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real

from ising.arguments import as_choice, refuse


def number(name: str, value: object) -> float:
    """The value as a float; ValueError if it is not a real number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        refuse(name, "a number", value)
    try:
        return float(value)
    except OverflowError:
        refuse(name, "a number", value)


def pair(name: str, value: object) -> tuple[float, float]:
    """Two real numbers; ValueError for anything else."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        refuse(name, "two numbers", value)
    return number(name, value[0]), number(name, value[1])


def positive(settings: object, names: Iterable[str]) -> None:
    """ValueError unless each of these settings is finite and above 0."""
    for name in names:
        if not 0.0 < number(name, getattr(settings, name)) < math.inf:
            raise ValueError(f"{name} must be finite and positive, got {getattr(settings, name)}")


def not_negative(settings: object, names: Iterable[str]) -> None:
    """ValueError unless each of these settings is finite and 0 or above."""
    for name in names:
        if not 0.0 <= number(name, getattr(settings, name)) < math.inf:
            raise ValueError(f"{name} must be finite and >= 0, got {getattr(settings, name)}")


def fraction(settings: object, names: Iterable[str]) -> None:
    """ValueError unless each of these settings is in [0, 1)."""
    for name in names:
        if not 0.0 <= number(name, getattr(settings, name)) < 1.0:
            raise ValueError(f"{name} must be in [0, 1), got {getattr(settings, name)}")


def ascending(settings: object, names: Iterable[str], lowest: float = 0.0, highest: float = math.inf) -> None:
    """ValueError unless each of these settings is two numbers in order, in [lowest, highest]."""
    for name in names:
        low, high = pair(name, getattr(settings, name))
        if not lowest <= low <= high <= highest:
            raise ValueError(
                f"{name} must be two numbers in [{lowest:g}, {highest:g}], the smaller first, "
                f"got {getattr(settings, name)}"
            )


def choice(settings: object, name: str, allowed: tuple[str, ...]) -> None:
    """ValueError unless the setting is one of the allowed words."""
    as_choice(name, getattr(settings, name), allowed)
