"""How the state of a unit is put back: array by array, and only where everything fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fill(live: Mapping[str, NDArray[Any]], saved: Mapping[str, Any]) -> None:
    """Copy the contents of saved arrays into the arrays of a unit.

    Raises
    ------
    ValueError
        Other names, shapes or dtypes: the state is of another unit.
    """
    wanted = {name: (array.shape, array.dtype) for name, array in live.items()}
    given = {name: (np.shape(array), getattr(array, "dtype", None)) for name, array in saved.items()}
    if wanted != given:
        raise ValueError(f"the saved state is of another unit: it holds {given}, needed is {wanted}")
    for name, array in live.items():
        array[...] = saved[name]
