"""The heads of one layer: projections into rows and back, and what an observer may read of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .. import attention
from .config import TransformerConfig
from .estimate import estimate_rows
from .layers import NORM_EPSILON
from .parameters import Arrays
from .positions import rotate, slopes, visible
from .row_block import LANES, padded
from .rows import forward_rows
from .rows_backward import backward_rows
from .scaling import GIVEN, KERNEL_MODE, row_beta, scaling_gradient

Keep = Callable[[int, np.ndarray], np.ndarray]


@dataclass
class Layer:
    """The heads of a layer after a forward pass.

    Attributes
    ----------
    split : ndarray, shape (3, head, d_k, batch, position)
        Queries, keys and values as they enter the scores (after norm and rotation).
    beta_rows, entropy, score_variance, sigma_qk : ndarray, shape (batch, head, query)
        beta in use, H, Var_p[s] and sigma_qk of every row; NaN (except beta) where a row was skipped.
    kept : ndarray of bool, shape (batch, head, query), or None
        The rows that were computed; None for all.
    slopes : ndarray, shape (head,)
        Of the unscaled score against distance.
    window : int
        The most keys that a query sees.
    saved : dict of ndarray
        What the backward pass needs.
    """

    split: np.ndarray
    beta_rows: np.ndarray
    entropy: np.ndarray
    score_variance: np.ndarray
    sigma_qk: np.ndarray
    kept: np.ndarray | None
    slopes: np.ndarray
    window: int
    saved: Arrays = field(default_factory=dict)

    @property
    def queries(self) -> np.ndarray:
        """Queries (batch, head, position, d_k)."""
        return self.split[0].transpose(2, 0, 3, 1)

    @property
    def keys(self) -> np.ndarray:
        """Keys (batch, head, position, d_k)."""
        return self.split[1].transpose(2, 0, 3, 1)

    def scores(self) -> np.ndarray:
        """Unscaled scores (batch, head, query, key): q.k - slope * distance, -inf at keys it cannot see."""
        scores = self.queries @ self.keys.swapaxes(-1, -2)
        position = np.arange(scores.shape[-1])
        distance = (position[:, None] - position).astype(scores.dtype)
        scores -= self.slopes.astype(scores.dtype)[:, None, None] * distance
        return np.where(visible(len(position), self.window), scores, -np.inf)


class HeadObservables(NamedTuple):
    """Means over the rows of each head, in double precision, each of shape (layer, head)."""

    entropy: np.ndarray
    score_variance: np.ndarray
    sigma_qk: np.ndarray


def head_observables(layers: list[Layer]) -> HeadObservables:
    """H, Var_p[s] and sigma_qk, means over the computed queries with at least 8 visible keys.

    The same as ``attention.head_mean`` over ``Layer.scores()``, in the precision of the forward pass. NaN for a head
    without such a row.
    """
    if not isinstance(layers, list | tuple) or not layers or not all(isinstance(layer, Layer) for layer in layers):
        raise ValueError("layers must be a list of Layer, as from forward")
    first = attention.MINIMUM_VISIBLE - 1

    def mean(rows: np.ndarray) -> np.ndarray:
        seen = rows[:, :, first:]
        number = np.isfinite(seen).sum(axis=(0, 2))
        total = np.nansum(seen, axis=(0, 2), dtype=float)
        return np.where(number > 0, total / np.maximum(number, 1), np.nan)

    names = HeadObservables._fields
    return HeadObservables(*(np.array([mean(getattr(layer, name)) for layer in layers]) for name in names))


def attend(
    normed: np.ndarray, parameters: Arrays, i: int, beta: np.ndarray, config: TransformerConfig, keep: Keep | None
) -> tuple[np.ndarray, Layer]:
    """The mixed values of layer i, (d_model, token), from its normed input of the same shape; beta (head,)."""
    heads, d_k, context = config.n_heads, config.d_k, config.context
    split = (parameters[f"qkv_{i}"].T @ normed).reshape(3, heads, d_k, -1, context)
    saved = {}
    if config.qk_norm:
        saved["qk_inverse"] = _unit_rms(split[:2])
    if config.positions == "rotary":
        rotate(split[:2], 1.0)
    shape = (split.shape[3], heads, context)
    beta_rows = np.ascontiguousarray(np.broadcast_to(row_beta(config, parameters, i, beta), shape), split.dtype)
    inclines = slopes(config)
    kept = None
    if keep is not None:
        estimate = np.empty(shape, split.dtype)
        estimate_rows(split, beta_rows, inclines, config.window, estimate)
        kept = _checked(keep(i, estimate), shape)
    blocks = -(-context // LANES)
    weights = np.empty((*shape[:2], blocks, padded(context), LANES), split.dtype)
    mixed = np.zeros(split.shape[1:], split.dtype)
    observed = np.full((3, *shape), np.nan, split.dtype)
    saved |= {"weights": weights, "mixed": mixed, "rows": np.ones(shape, bool) if kept is None else kept}
    mode = KERNEL_MODE.get(config.scaling, GIVEN)
    forward_rows(
        split,
        beta_rows,
        inclines,
        config.window,
        mode,
        config.entropy_fraction,
        saved["rows"],
        weights,
        mixed,
        observed,
    )
    layer = Layer(split, beta_rows, observed[0], observed[1], observed[2], kept, inclines, config.window, saved)
    return mixed.reshape(config.d_model, -1), layer


def attend_backward(
    gradient: np.ndarray, layer: Layer, i: int, config: TransformerConfig, frozen: np.ndarray
) -> tuple[np.ndarray, Arrays]:
    """Gradient at the qkv projection's output, (3 d_model, token), and at the layer's scaling parameter."""
    d_split, d_beta = np.zeros_like(layer.split), np.zeros_like(layer.beta_rows)
    saved = layer.saved
    backward_rows(
        layer.split,
        layer.beta_rows,
        layer.slopes,
        layer.window,
        saved["rows"],
        frozen,
        saved["weights"],
        saved["mixed"],
        gradient.reshape(saved["mixed"].shape),
        d_split,
        d_beta,
    )
    scaling = scaling_gradient(config, i, d_beta, layer.beta_rows)
    if config.qk_norm:
        unit = layer.split[:2]
        projection = np.mean(d_split[:2] * unit, axis=2, keepdims=True)  # the same before and after a rotation
        d_split[:2] -= unit * projection
        d_split[:2] *= saved["qk_inverse"]
    if config.positions == "rotary":
        rotate(d_split[:2], -1.0)
    return d_split.reshape(3 * config.d_model, -1), scaling


def _unit_rms(heads: np.ndarray) -> np.ndarray:
    """Divide (2, head, d_k, batch, position) by the root mean square over d_k, in place; returns its inverse."""
    inverse = 1.0 / np.sqrt(np.mean(heads * heads, axis=2, keepdims=True) + NORM_EPSILON)
    heads *= inverse
    return inverse


def _checked(kept: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    kept = np.asarray(kept)
    if kept.shape != shape or kept.dtype != bool:
        raise ValueError(f"keep must return booleans of shape {shape}, got {kept.dtype} of shape {kept.shape}")
    return np.ascontiguousarray(kept)
