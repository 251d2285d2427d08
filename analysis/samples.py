"""Measured series that are read piece by piece, and their sums with the bits that numpy gives the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .arguments import LARGEST
from .resampling import Array

AT_ONCE = 2**25  # bytes of a variable that is read whole
PIECE = 2**20  # values of a variable in memory at a time, but for planes
SUMMED = 2**22  # values summed in one go


class Samples:
    """One variable of a run, (disorder, beta, chain or pair of chains, draw), checked where it is read.

    Parameters
    ----------
    name
        Of the variable, for messages.
    variable
        With the dimensions named in any order; `disorder` may be missing.

    Attributes
    ----------
    shape
        (disorder, beta, chain or pair, draw).

    Raises
    ------
    ValueError
        If it is empty or holds no real numbers; at the latest when they are read, if a value is not finite.
    """

    def __init__(self, name: str, variable: xr.Variable) -> None:
        self.name, sizes = name, variable.sizes
        self.unit = next(dim for dim in ("pair", "chain") if dim in sizes)
        dims = ("disorder", "beta", self.unit, "draw")
        self.shape = (sizes.get("disorder", 1), sizes["beta"], sizes[self.unit], sizes["draw"])
        if variable.dtype.kind not in "biuf" or 0 in self.shape:
            raise ValueError(f"{name} must be real numbers and not empty, got {variable.dtype} of shape {self.shape}")
        self._variable, self._whole = variable, None
        if variable.nbytes <= AT_ONCE:
            values = variable.transpose(*(dim for dim in dims if dim in sizes)).values
            self._whole = self._checked(values.reshape(self.shape))

    def rows(self, disorder: int, beta: int, units: slice) -> Array:
        """Some chains (or pairs of chains) at one beta: (chain, draw)."""
        if self._whole is not None:
            return self._whole[disorder, beta, units]
        place = {"beta": beta, self.unit: units} | ({"disorder": disorder} if "disorder" in self._variable.dims else {})
        return self._checked(self._variable.isel(place).transpose(self.unit, "draw").values)

    def plane(self, disorder: int, beta: int, absolute: bool = False) -> Array:
        """All chains at one beta, or their absolute values: (chain, draw)."""
        if not absolute:
            return self.rows(disorder, beta, slice(None))
        plane = np.empty(self.shape[2:])
        for units in pieces(*self.shape[2:]):
            np.abs(self.rows(disorder, beta, units), out=plane[units])
        return plane

    def _checked(self, values: NDArray[Any]) -> Array:
        if not (values.min() >= -LARGEST and values.max() <= LARGEST):
            raise ValueError(f"{self.name} must be finite and at most {LARGEST:g} in size, got NaN, infinity or more")
        return values.astype(np.float64, copy=False)


def pieces(n_rows: int, n_draws: int, most: int = PIECE) -> Iterator[slice]:
    """Slices of so many rows that they hold at most so many values, one row at least."""
    step = max(1, most // n_draws)
    return (slice(first, min(first + step, n_rows)) for first in range(0, n_rows, step))


def pairwise_sum(read: Callable[[int, int], Array], start: int, stop: int) -> float:
    """Sum of the values start .. stop of a long series, halved as numpy halves it: the bits of `np.sum` of the whole.

    Parameters
    ----------
    read
        Gives the values of a range, (stop - start,).
    start, stop
        The range.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=5_000_001)
    >>> bool(pairwise_sum(lambda low, high: values[low:high], 0, len(values)) == values.sum())
    True
    """
    if stop - start <= SUMMED:
        return float(np.add.reduce(read(start, stop)))
    half = (stop - start) // 2
    middle = start + half - half % 8
    return pairwise_sum(read, start, middle) + pairwise_sum(read, middle, stop)


def flat(rows: Callable[[int, int], Array], n_draws: int) -> Callable[[int, int], Array]:
    """Reads a range of the values of rows that lie behind each other, each of so many draws."""

    def read(start: int, stop: int) -> Array:
        first = start // n_draws
        values = rows(first, -(-stop // n_draws)).reshape(-1)
        return values[start - first * n_draws : stop - first * n_draws]

    return read
