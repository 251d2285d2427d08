"""Entropies under a reference count: ln N_ref - depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .. import arguments as rules
from .. import attention


@rules.checked(visible_keys=rules.numbers, depth=rules.number)
def entropy_below(visible_keys: ArrayLike, depth: float) -> float:
    """Mean of max(0, ln n - depth) over the rows with n >= 8 visible keys, in nats; ``visible_keys`` holds n by row."""
    n = np.asarray(visible_keys)
    n = n[n >= attention.MINIMUM_VISIBLE]
    if n.size == 0:
        raise ValueError(f"no row has {attention.MINIMUM_VISIBLE} visible keys; use a longer context")
    return float(np.maximum(np.log(n) - depth, 0.0).mean())


@rules.checked(
    kind=rules.one_of("visible", "initial"),
    visible_keys=rules.numbers,
    initial_entropy=rules.readings,
    depth=rules.number,
)
def reference_level(kind: str, visible_keys: ArrayLike, initial_entropy: np.ndarray, depth: float) -> np.ndarray:
    """The entropy ln N_ref - depth of every head, floored at 0, in nats.

    Parameters
    ----------
    kind : str
        "visible": N_ref = n, row by row, as in ``entropy_below``. "initial": N_ref = exp(H) of the head at step 0.
    visible_keys : array_like of int
    initial_entropy : ndarray
        H at step 0; its shape is that of the result.
    depth : float
    """
    if kind == "visible":
        return np.full_like(initial_entropy, entropy_below(visible_keys, depth))
    return np.maximum(initial_entropy - depth, 0.0)
