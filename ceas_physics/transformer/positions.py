"""Where a token stands: rotation of queries and keys, slopes against distance, and what a query sees."""

from __future__ import annotations

import math

import numpy as np

from .config import TransformerConfig

ROTARY_BASE = 10_000.0


def rotate(heads: np.ndarray, direction: float) -> None:
    """Turn the pairs (x_i, x_{i + d_k/2}) of (..., d_k, batch, context) by direction * position * 10000^(-2i/d_k).

    In place. A score then depends on the distance of query and key only (Su et al. 2021). ``direction`` -1 undoes +1.
    """
    d_k, _, context = heads.shape[-3:]
    frequency = ROTARY_BASE ** (-2.0 * np.arange(d_k // 2) / d_k)
    angle = direction * frequency[:, None] * np.arange(context)
    cosine, sine = (wave(angle).astype(heads.dtype)[:, None] for wave in (np.cos, np.sin))  # (d_k/2, 1, context)
    first, second = heads[..., : d_k // 2, :, :], heads[..., d_k // 2 :, :, :]
    turned = first * cosine - second * sine
    second[...] = first * sine + second * cosine
    first[...] = turned


def slopes(config: TransformerConfig) -> np.ndarray:
    """Slope of the unscaled score against distance, (head,): sqrt(d_k) 2^(-8 h/n_heads), h = 1..n_heads.

    With the textbook's beta = 1/sqrt(d_k) these are the slopes of Press et al. (2022) on the scaled score. Without
    ALiBi all are 0.
    """
    if config.positions != "alibi":
        return np.zeros(config.n_heads)
    return math.sqrt(config.d_k) * 2.0 ** (-8.0 * np.arange(1, config.n_heads + 1) / config.n_heads)


def visible(context: int, window: int) -> np.ndarray:
    """Which keys a query sees, (query, key): those not after it and less than ``window`` before it."""
    distance = np.arange(context)[:, None] - np.arange(context)
    return (distance >= 0) & (distance < window)
