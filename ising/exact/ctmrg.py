"""The infinite hyperbolic lattices {p,4} by corner transfer matrices (Krcmar, Gendiar, Ueda and Nishino 2008).

Four corners meet at a site of {p,4}. The rays between them start at the site's spin s; the rest of a ray is a state of
m dimensions. A corner is C_s[i, j], the weight of the quadrant between two rays; a row is P_st[i, j], the weight of
what lies on one side of a bond (s, t), between a ray from s and a ray from t. One more face of p sides gives

    C -> W P (C P)^(p-3),    P -> W P (C P)^(p-4),    W = exp((beta / 2) sum of the face's bonds),

and a ray longer by one spin, 2 m states, cut back to the m of largest weight in the density matrix C_s^4. The weights
fall so fast on a hyperbolic lattice, critical or not, that m = 8 gives all digits; only p = 4 needs more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ..integers import as_integer
from ._common import check_beta
from .bethe import bethe_critical_beta
from .onsager import SQUARE_CRITICAL_BETA

Array = NDArray[np.float64]
MOST_STATES = 1_000
MAX_STEPS = 20_000
SETTLED = 4e-15  # change per step of the magnetization and of the bond correlation
TILT = 1e-6  # its square, the error by the nonlinearity, is as small as the rounding error over it
FOLLOWED = 60  # steps
NEAR, TOO_NEAR = 3e-3, 1e-8  # relative distances above the critical beta


@dataclass(frozen=True)
class BulkState:
    """The centre of the infinite lattice {p,4} whose far boundary is held up.

    Attributes
    ----------
    p, beta, bond_dimension
        As given.
    magnetization
        <s> of a site; 0 up to the critical beta.
    bond_correlation
        <s t> of a bond.
    energy
        <H> per site, -2 <s t>.
    discarded_weight
        Share of the density matrix lost in the last step.
    steps
        Rings of faces added until the state was stationary; near the critical beta only those after the last guess.
    """

    p: int
    beta: float
    bond_dimension: int
    magnetization: float
    bond_correlation: float
    energy: float
    discarded_weight: float
    steps: int


@dataclass(frozen=True, eq=False)
class _Environment:
    """Corner (2, m, m) and row (2, m, 2, m); index 0 of a spin is up."""

    corner: Array
    row: Array


def ctmrg(p: int, beta: float, bond_dimension: int = 8) -> BulkState:
    """Magnetization and energy of the Ising model deep inside {p,4}, wired: with its far boundary held up.

    M = sum_s s Tr C_s^4 / Z and <s t> = sum_st s t Tr(P_st C_t^2 P_ts C_s^2) / Z', J = 1. Up to the critical beta every
    boundary gives the same state, and the symmetric one is taken. Above, the number of steps grows as the inverse
    relative distance d from it; for p >= 5 and d < 0.003 a root finder takes the tilt of the symmetric state that
    stays, and M has a relative error of 1e-13 / d. Excluded is 0 < d < 1e-8, where the critical beta itself
    is not known well enough. For p = 4 with 24 states the steps suffice down to d = 3e-4, where M is 0.1 % off.

    Parameters
    ----------
    p
        Sides of a face, >= 4; four meet at a site.
    beta
        Inverse temperature >= 0.
    bond_dimension
        States kept of a ray, >= 1. From 8 to 24 no digit changes for p >= 5; p = 4, the square lattice, takes 24.

    Raises
    ------
    ValueError
        Bad arguments, or a beta too close to the critical one: 0 < d < 1e-8; for p = 4 (or one state a ray), where
        20,000 steps do not settle.

    Examples
    --------
    >>> state = ctmrg(5, 1 / 2.5)
    >>> round(state.magnetization, 8), round(state.energy, 8)
    (0.7100847, -1.28798223)
    """
    p, keep = as_integer("p", p, 4), as_integer("bond_dimension", bond_dimension, 1, MOST_STATES)
    (beta,) = check_beta([beta]).tolist()
    critical = ctmrg_critical_beta(p)
    distance = beta / critical - 1
    if p > 4 and keep > 1 and 0 < distance < NEAR:
        state, discarded, steps = _settle_near(p, beta, keep, distance)
    else:
        state, discarded, steps = _settle(p, beta, keep, symmetric=beta <= critical)
    if steps == MAX_STEPS:
        raise ValueError(
            f"beta = {beta} of {{{p},4}} did not settle in {MAX_STEPS} steps: go farther from the critical beta, "
            f"{critical:.9f}, than the relative distance {distance:.1e}; 3e-4 is enough for p = 4"
        )
    magnetization = _magnetization(state) if beta > critical else 0.0
    correlation = _bond_correlation(state)
    return BulkState(p, beta, keep, magnetization, correlation, 0.0 - 2 * correlation, discarded, steps)


def ctmrg_critical_beta(p: int, bond_dimension: int = 8) -> float:
    """Critical beta of the wired transition of {p,4}, where the magnetization deep inside sets in.

    A weak field at the far boundary grows by a factor lambda per ring of faces, measured at the symmetric fixed point;
    lambda(beta_c) = 1. The fixed point is reached exponentially fast even there, because the bulk correlation length of
    a hyperbolic lattice stays finite.

    Parameters
    ----------
    p
        Sides of a face, >= 4. For p = 4 Onsager's value; for p -> infinity it tends to atanh(1/3), the Bethe lattice.
    bond_dimension
        States kept of a ray; from 2 to 24 the result moves by less than 1e-9, which is its error.

    Examples
    --------
    >>> round(1 / ctmrg_critical_beta(5), 8), round(1 / ctmrg_critical_beta(6), 8)
    (2.79907784, 2.8604757)
    """
    return _critical_beta(as_integer("p", p, 4), as_integer("bond_dimension", bond_dimension, 2, MOST_STATES))


@lru_cache
def _critical_beta(p: int, keep: int) -> float:
    if p == 4:
        return SQUARE_CRITICAL_BETA
    tree = bethe_critical_beta(4)
    return float(brentq(lambda beta: boundary_growth(p, beta, keep) - 1, 0.98 * tree, 1.04 * tree, xtol=1e-13))


def boundary_growth(p: int, beta: float, bond_dimension: int = 8) -> float:
    """The factor lambda by which a weak field at the far boundary of {p,4} grows per ring of faces.

    lambda = M_(n+1) / M_n, averaged over 20 rings, of a magnetization M ~ 1e-6 that follows the symmetric fixed point:
    good to about 1e-11 where lambda = 1. On the tree, p -> infinity, it is t (1 + 3 t) / (1 - t), t = tanh(beta).

    Parameters
    ----------
    p, beta, bond_dimension
        As in `ctmrg`; p >= 5, and beta within 4 % of the critical one: farther off M leaves the linear range.
    """
    return _follow(p, beta, bond_dimension, _settle(p, beta, bond_dimension, symmetric=True)[0], TILT)[2]


# --- The recursion ---------------------------------------------------------------------------------------------------


def _start(symmetric: bool) -> _Environment:
    """One state a ray: the boundary spin is up, or, symmetric, free."""
    up = np.array([1.0, float(symmetric)])
    return _Environment(up[:, None, None], np.multiply.outer(up, up)[:, None, :, None])


def _settle(p: int, beta: float, keep: int, symmetric: bool) -> tuple[_Environment, float, int]:
    """The stationary state, the weight discarded in its last step and the number of steps, at most MAX_STEPS."""
    state, previous = _start(symmetric), (2.0, 2.0)
    steps, change = 0, 1.0
    while change > SETTLED and steps < MAX_STEPS:
        state, discarded = _step(p, beta, keep, state, symmetric)
        here = _magnetization(state), _bond_correlation(state)
        change = abs(here[0] - previous[0]) + abs(here[1] - previous[1])
        steps, previous = steps + 1, here
    return state, discarded, steps


def _settle_near(p: int, beta: float, keep: int, distance: float) -> tuple[_Environment, float, int]:
    """As `_settle`, just above the critical beta, where M ~ distance^(1/2) moves slowly and all the rest fast."""
    if distance < TOO_NEAR:
        raise ValueError(
            f"beta = {beta} of {{{p},4}} is above the critical beta by the relative distance {distance:.1e}, which is "
            f"known no better: take {TOO_NEAR} or more, or a beta below"
        )
    fixed, scale = _settle(p, beta, keep, symmetric=True)[0], sqrt(distance)
    tilt = brentq(
        lambda tilt: _follow(p, beta, keep, fixed, tilt)[2] - 1, 0.1 * scale, 10 * scale, xtol=1e-15, rtol=1e-14
    )
    state, discarded, _ = _follow(p, beta, keep, fixed, tilt)
    return state, discarded, FOLLOWED


def _follow(p: int, beta: float, keep: int, fixed: _Environment, tilt: float) -> tuple[_Environment, float, float]:
    """`FOLLOWED` steps from a symmetric state, tilted: the state, the weight discarded, the growth of M in a step."""
    weights = np.array([1 + tilt, 1 - tilt])[:, None, None]
    state, magnetizations = _Environment(weights * fixed.corner, fixed.row), []
    for _ in range(FOLLOWED):  # in the first 40 the faster decaying modes die out
        state, discarded = _step(p, beta, keep, state, symmetric=False)
        magnetizations.append(_magnetization(state))
    return state, discarded, float((magnetizations[-1] / magnetizations[-21]) ** (1 / 20))


def _step(p: int, beta: float, keep: int, state: _Environment, symmetric: bool) -> tuple[_Environment, float]:
    """One more ring of faces, cut back to `keep` states a ray and scaled; also the weight discarded.

    In a symmetric state the basis of a down spin is the flipped one of an up spin, so that no rounding error grows into
    a magnetization.
    """
    corner, row, weight = _grow(p, beta, state)
    values, vectors = np.linalg.eigh(corner)
    order = np.argsort(-np.abs(values), axis=1)
    density = np.take_along_axis(values, order, axis=1) ** 4
    basis = np.take_along_axis(vectors, order[:, None, :], axis=2)[:, :, :keep]  # (s, ray, kept)
    if symmetric:
        basis[1] = basis[0].reshape(2, -1, basis.shape[2])[::-1].reshape(basis.shape[1:])
    down = basis.swapaxes(1, 2)
    corner = down @ corner @ basis
    row = weight * (down[:, None] @ row @ basis[None, :])  # (s, t, kept, kept)
    scaled = _Environment(corner / np.abs(corner).max(), row.swapaxes(1, 2) / np.abs(row).max())
    return scaled, float(density[:, keep:].sum() / density.sum())


def _grow(p: int, beta: float, state: _Environment) -> tuple[Array, Array, Array]:
    """Corner (s, ray, ray) and row (s, t, ray, ray) with one more face, ray = 2 m; and the weight of the bond (s, t).

    The weight of a bond is shared by its two faces; the row's own bond is left out of the row returned.
    """
    m = state.corner.shape[1]
    half_bond = np.exp(np.array([[0.0, -beta], [-beta, 0.0]]))
    bonds = (half_bond[:, None, :, None] * state.row).reshape(2 * m, 2 * m)
    corner = np.zeros_like(bonds)
    corner[:m, :m], corner[m:, m:] = state.corner
    link = corner @ bonds
    link = link / np.linalg.norm(link)
    grown = bonds @ _power(link, p - 4)
    first = np.repeat(half_bond, m, axis=1)  # (s, ray): from s to the first spin of the ray
    corners = first[:, :, None] * (grown @ link) * first[:, None, :]
    rows = first[:, None, :, None] * grown * first[None, :, None, :]
    return corners, rows, half_bond[:, :, None, None]


def _power(matrix: Array, n: int) -> Array:
    """matrix^n up to a factor, by squaring, scaled all the way: a million sides neither vanish nor overflow."""
    power = np.eye(len(matrix))
    while n:
        if n % 2:
            power = power @ matrix
            power = power / np.abs(power).max()
        matrix = matrix @ matrix
        matrix, n = matrix / np.abs(matrix).max(), n // 2
    return power


def _magnetization(state: _Environment) -> float:
    up, down = np.trace(np.linalg.matrix_power(state.corner, 4), axis1=1, axis2=2)
    return float((up - down) / (up + down))


def _bond_correlation(state: _Environment) -> float:
    """Two rows side by side on the bond (s, t), closed by two corners at either end."""
    pair, row = state.corner @ state.corner, state.row.swapaxes(1, 2)  # (s, m, m), (s, t, m, m)
    weights = np.trace(row @ pair[None, :] @ row.swapaxes(2, 3) @ pair[:, None], axis1=2, axis2=3)
    return float((weights[0, 0] + weights[1, 1] - weights[0, 1] - weights[1, 0]) / weights.sum())
