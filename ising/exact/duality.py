"""Kramers-Wannier duality of the Ising model on a planar graph and on its dual."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import as_numbers
from ._common import check_beta, shaped_like


def dual_beta(beta: ArrayLike) -> float | NDArray[np.float64]:
    """The dual inverse temperature -1/2 ln tanh(beta): sinh(2 beta) sinh(2 beta*) = 1, its own inverse.

    High temperature on a planar graph is low temperature on its dual, and a free boundary there is a wired one here. So
    on hyperbolic lattices, which order at beta_w inside a wired boundary and at a larger beta_f inside a free one, the
    free transition of {p,q} is dual to the wired transition of {q,p}: beta_f({p,q}) = dual_beta(beta_w({q,p})).

    Parameters
    ----------
    beta
        Inverse temperature(s) > 0 in 1/J, J = 1.

    Returns
    -------
    A float for a scalar beta, else an array.

    Raises
    ------
    ValueError
        A beta that is not positive and finite.

    Examples
    --------
    >>> from ising.exact import ctmrg_critical_beta
    >>> round(dual_beta(ctmrg_critical_beta(5)), 6)  # the free transition of {4,5}
    0.535306
    """
    betas = _positive(beta)
    dual = np.log1p(-2 * np.exp(-2 * betas) / np.expm1(-2 * betas)) / 2  # 1 / tanh(beta) - 1, at full precision
    return shaped_like(beta, dual)


def dual_bond_correlation(beta: ArrayLike, bond_correlation: ArrayLike) -> float | NDArray[np.float64]:
    """<s t> of a bond at `beta` from that of the bond it crosses on the dual graph at beta*, c*.

    <s t> = coth(2 beta) - c* / sinh(2 beta); times minus the bonds per site it is the energy. On a sphere, on the plane
    and on open patches (free here, wired there), not on closed surfaces of higher genus.

    Parameters
    ----------
    beta
        Inverse temperature(s) > 0 of the bond asked for.
    bond_correlation
        c*, from -1 to 1, one for every beta.

    Returns
    -------
    A float for a scalar beta, else an array.

    Raises
    ------
    ValueError
        A beta that is not positive and finite, a correlation outside [-1, 1], or different numbers of them.

    Examples
    --------
    >>> from ising.exact import SQUARE_CRITICAL_BETA
    >>> round(dual_bond_correlation(SQUARE_CRITICAL_BETA, 0.5**0.5), 12)  # self-dual: 1 / sqrt 2
    0.707106781187
    """
    betas, other = _positive(beta), np.atleast_1d(as_numbers("bond_correlation", bond_correlation))
    if other.shape != betas.shape or not (np.abs(other) <= 1).all():
        raise ValueError(f"bond_correlation must be from -1 to 1, one for every beta, got {bond_correlation!r}")
    value = 1 / np.tanh(2 * betas) - other / np.sinh(2 * betas)
    return shaped_like(beta, value)


def _positive(beta: ArrayLike) -> NDArray[np.float64]:
    betas = check_beta(beta)
    if (betas == 0).any():
        raise ValueError("beta must be > 0, got 0: its dual is infinite")
    return betas
