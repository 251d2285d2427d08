"""Rows of attention scores as the functions of `attention` take them: checked, in double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ising.arguments import as_numbers, real_numbers, refuse

LARGEST_SCORE = 1e100  # squares stay doubles


def shown_scores(scores: ArrayLike, visible: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    """Scores in double precision, and which keys are visible; both of the same shape.

    Raises
    ------
    ValueError
        No keys, NaN or +inf, more than 1e100, a row without visible keys, or a mask that does not fit.
    """
    checked = real_numbers(scores)
    if checked is None:
        refuse("scores", "real, with at least one key on their last axis", scores)
    return checked, _shown(checked, visible)


def _shown(scores: np.ndarray, visible: ArrayLike | None) -> np.ndarray:
    """Which keys are visible, for scores in double precision."""
    if scores.ndim == 0 or scores.size == 0:
        raise ValueError(f"scores must be real, with at least one key on their last axis, got shape {scores.shape}")
    if not (scores < np.inf).all():
        raise ValueError("scores must be finite, or -inf for a hidden key; got NaN or +inf: look for a diverged model")
    shown = scores > -np.inf
    if np.abs(scores, where=shown, out=np.zeros_like(scores)).max() > LARGEST_SCORE:
        raise ValueError(f"scores must be at most {LARGEST_SCORE:g} in size: look for a diverged model")
    if visible is not None:
        shown &= _mask(visible, scores.shape)
    if not shown.any(axis=-1).all():
        raise ValueError("every row of scores needs at least one visible key; leave out the rows that are fully hidden")
    return shown


def _mask(visible: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    try:
        mask = np.asarray(visible)
    except Exception:  # ragged, or a foreign object, which may raise anything
        refuse("visible", "an array of bool", visible)
    if mask.dtype.kind not in "biu" or isinstance(visible, np.ma.MaskedArray) or (mask.astype(bool) != mask).any():
        refuse("visible", "an array of bool", visible)
    try:
        return np.broadcast_to(mask.astype(bool), shape)
    except ValueError:
        raise ValueError(f"visible must broadcast to the shape {shape} of the scores, got {mask.shape}") from None


def inverse_temperature(beta: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """Beta, finite and >= 0, that broadcasts against this shape of rows."""
    checked = as_numbers("beta", beta, least=0)
    try:
        np.broadcast_shapes(checked.shape, shape)
    except ValueError:
        raise ValueError(f"beta must broadcast against the shape {shape} of the rows, got {checked.shape}") from None
    return checked
