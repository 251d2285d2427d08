"""Head means from the layers of a forward pass."""

from __future__ import annotations

import numpy as np

from .. import attention
from ..transformer import Layer


def observe(layers: list[Layer], beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """H, Var_p[s] and sigma_qk, means over the queries with at least 8 visible keys, each of shape (layer, head).

    The same numbers as ``attention.head_mean`` over ``Layer.scores()``, but from the weights that the forward pass has
    already, in its precision; beta must be positive.
    """
    first = attention.MINIMUM_VISIBLE - 1
    moments = np.empty((3, *beta.shape))
    for i, layer in enumerate(layers):
        scaled, weights = layer.scaled_scores[:, :, first:], layer.weights[:, :, first:]
        mean = np.einsum("bhqk,bhqk->bhq", weights, scaled)
        square = np.einsum("bhqk,bhqk,bhqk->bhq", weights, scaled, scaled)
        seen = scaled * np.tri(scaled.shape[-2], scaled.shape[-1], first, dtype=scaled.dtype)
        count = np.arange(first + 1, scaled.shape[-1] + 1, dtype=scaled.dtype)
        spread = np.einsum("bhqk,bhqk->bhq", seen, seen) / count - (seen.sum(axis=-1) / count) ** 2
        moments[0, i] = (layer.log_partition[:, :, first:] - mean).mean(axis=(0, 2))
        moments[1, i] = (square - mean * mean).mean(axis=(0, 2)) / beta[i] ** 2
        moments[2, i] = np.sqrt(np.maximum(spread, 0.0)).mean(axis=(0, 2)) / beta[i]
    return moments[0], moments[1], moments[2]
