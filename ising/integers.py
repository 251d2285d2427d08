"""One way to check an integer argument."""

from __future__ import annotations

import operator
from typing import Any


def as_integer(name: str, value: Any, least: int | None = None) -> int:
    """A Python int from anything that is an integer; bool, float and str are refused.

    Raises
    ------
    ValueError
        Not an integer, or below `least`.
    """
    allowed = "an integer" if least is None else f"an integer >= {least}"
    try:
        integer = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be {allowed}, got {value!r}") from None
    if isinstance(value, bool) or (least is not None and integer < least):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return integer
