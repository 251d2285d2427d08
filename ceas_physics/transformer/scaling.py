"""How beta of a row comes about, and the gradient of its parameters."""

from __future__ import annotations

import math

import numpy as np

from .config import TransformerConfig
from .parameters import Arrays

GIVEN, ADAPTIVE, ENTROPY = 0, 1, 2  # what the row kernel does with the beta it is given
KERNEL_MODE = {"adaptive": ADAPTIVE, "entropy": ENTROPY}


def row_beta(config: TransformerConfig, parameters: Arrays, layer: int, beta: np.ndarray) -> np.ndarray:
    """The beta of every row, (head, query), with which the row kernel starts; ``beta`` (head,) is the caller's.

    "learned": exp(log_beta). "log_n": s ln(n)/sqrt(d_k), after scalable softmax (Nakanishi 2025). Else the caller's.
    """
    if config.scaling == "log_n":
        per_scale = np.log(config.visible_keys) / math.sqrt(config.d_k)
        return parameters[f"log_n_scale_{layer}"][:, None] * per_scale
    start = np.exp(parameters[f"log_beta_{layer}"]) if config.scaling == "learned" else beta
    return np.broadcast_to(start[:, None], (config.n_heads, config.context))


def scaling_gradient(config: TransformerConfig, layer: int, d_beta: np.ndarray, beta_rows: np.ndarray) -> Arrays:
    """Gradient of the layer's scaling parameter from the gradient at beta of the rows, both (batch, head, query)."""
    if config.scaling == "learned":
        return {f"log_beta_{layer}": (d_beta * beta_rows).sum(axis=(0, 2))}
    if config.scaling == "log_n":
        per_scale = (np.log(config.visible_keys) / math.sqrt(config.d_k)).astype(d_beta.dtype)
        return {f"log_n_scale_{layer}": (d_beta * per_scale).sum(axis=(0, 2))}
    return {}
