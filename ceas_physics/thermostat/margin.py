"""The margin around the pseudo-critical point, and the proxies of correlation length and relaxation time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .. import arguments as rules


@rules.checked(beta=rules.readings, proposed=rules.readings, beta_c=rules.readings, u_min=rules.not_negative)
def apply_margin(
    beta: np.ndarray, proposed: np.ndarray, beta_c: np.ndarray, u_min: float
) -> tuple[np.ndarray, np.ndarray]:
    """Keep u = |beta - beta_c|/beta_c at u_min or more, and beta on its side of beta_c.

    An update that would end inside the margin, or beyond beta_c, ends at u = u_min on the side it came from; a beta
    that is inside already, because beta_c moved, goes to the nearer edge.

    Returns
    -------
    beta : ndarray
    blocked : ndarray of bool
        Where the update was changed.
    """
    rules.check_broadcast(beta=beta, proposed=proposed, beta_c=beta_c)
    low, high = (1.0 - u_min) * beta_c, (1.0 + u_min) * beta_c
    inside = (beta > low) & (beta < high)
    below = np.where(inside, beta <= beta_c, beta <= low)
    moved = np.where(below, np.minimum(proposed, low), np.maximum(proposed, high))
    moved = np.where(inside, np.where(below, low, high), moved)
    return moved, moved != proposed


@rules.checked(beta=rules.numbers, beta_c=rules.readings, u_min=rules.not_negative, nu=rules.exponent)
def zeta(beta: ArrayLike, beta_c: ArrayLike, u_min: float, nu: float) -> np.ndarray:
    """zeta(beta) = 1/max(u, u_min)^nu with u = |beta - beta_c|/beta_c: the proxy of a correlation length."""
    rules.check_broadcast(beta=beta, beta_c=beta_c)
    if np.any(np.asarray(beta_c) <= 0):
        raise ValueError(f"beta_c must be > 0, or NaN where it is not known, got {rules.shown(beta_c)}")
    with np.errstate(invalid="ignore"):  # NaN where beta_c is infinite: all scores equal
        u = np.abs(np.asarray(beta, dtype=float) - beta_c) / beta_c
    return 1.0 / np.maximum(u, u_min) ** nu


@rules.checked(beta=rules.numbers, beta_c=rules.readings, u_min=rules.not_negative, nu=rules.exponent, z=rules.exponent)
def relaxation_time(beta: ArrayLike, beta_c: ArrayLike, u_min: float, nu: float, z: float) -> np.ndarray:
    """The proxy tau = zeta^z of a relaxation time; never above u_min^(-nu z)."""
    return zeta(beta, beta_c, u_min, nu) ** z
