"""One way to check an integer argument."""

from __future__ import annotations

import operator
from typing import Any

from .arguments import refuse

LARGEST = 2**63 - 1  # what the files hold


def as_integer(name: str, value: Any, least: int | None = None, most: int = LARGEST) -> int:
    """A Python int from anything that is an integer; bool, float and str are refused.

    Raises
    ------
    ValueError
        Not an integer, below `least` or above `most`.
    """
    allowed = "an integer" if least is None else f"an integer >= {least}"
    try:
        integer = operator.index(value)
    except Exception:  # TypeError; a foreign object may raise anything
        refuse(name, allowed, value)
    if isinstance(value, bool) or (least is not None and integer < least):
        refuse(name, allowed, value)
    if not -LARGEST <= integer <= most:
        refuse(name, f"{allowed} and below 2^63" if most == LARGEST else f"{allowed}, at most {most}", value)
    return integer
