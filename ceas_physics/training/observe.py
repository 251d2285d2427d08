"""Head means from the layers of a forward pass."""

from __future__ import annotations

import numpy as np

from ..transformer import Layer, head_observables


def observe(layers: list[Layer], beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """H, Var_p[s] and sigma_qk of every head, each (layer, head); see ``transformer.head_observables``."""
    return head_observables(layers)
