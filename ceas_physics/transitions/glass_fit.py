"""Where the three-dimensional +-J spin glass freezes: one fit to xi / L and the Binder parameter of all sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from .glass import TEMPERATURES, Array, GlassMoments, curves

NU, NU_ERROR, OMEGA = 2.56, 0.04, 1.1  # Baity-Jesi et al. 2013: 2.562(42), 1.12(10)
WINDOW = TEMPERATURES < 1.5
DEGREE = 3
GROUPS = 64  # of the jackknife
START, STEP = (0.9, 0.4), 1e-5  # beta_c and 1 / nu, and of their derivatives


@dataclass(frozen=True)
class GlassFit:
    """Result of `fit_glass`; errors are one standard deviation, from the realisations.

    Attributes
    ----------
    temperature, temperature_error
        T_c.
    nu, nu_error
        Error 0 where it was held.
    xi_over_L, xi_over_L_error
        xi / L at T_c of the infinite system.
    kurtosis, kurtosis_error
        [<q^4>] / [<q^2>]^2 at T_c of the infinite system.
    chi2, dof
        With the covariance of all points of a size.
    """

    temperature: float
    temperature_error: float
    nu: float
    nu_error: float
    xi_over_L: float
    xi_over_L_error: float
    kurtosis: float
    kurtosis_error: float
    chi2: float
    dof: int


@dataclass(frozen=True, eq=False)
class _Points:
    """xi / L and then g of one size at the temperatures of the fit.

    Attributes
    ----------
    rows
        (1 + group, point): of all groups of realisations, then without each.
    whitening
        (point, point): its transpose times itself is the inverse of the covariance.
    """

    L: int
    rows: Array
    whitening: Array


@dataclass(frozen=True, eq=False)
class _Solution:
    """A fit before its errors.

    Attributes
    ----------
    values
        T_c, nu, xi / L* and kurtosis*.
    chi2, n_parameters
        Of the fit.
    responses
        (4, point) for every size: how beta_c, 1 / nu, xi / L* and g* follow its points.
    """

    values: Array
    chi2: float
    n_parameters: int
    responses: list[Array]


def fit_glass(sizes: Sequence[GlassMoments], nu: float | None = NU) -> GlassFit:
    """Critical temperature from one least-squares fit to xi / L and g of all sizes.

    For each quantity Q, with T_c in common,

        Q(T, L) = Q* + a_1 x + a_2 x^2 + a_3 x^3 + L^-omega (b_0 + b_1 x),    x = (1 / T - 1 / T_c) L^(1 / nu)

    for T < 1.5, weighted with the covariance of all points of a size, which are measured on the same realisations: what
    they share is large, so that their differences are sharp. omega = 1.1 is held, and so is nu = 2.56: between L = 4
    and 8 the range of x grows by a third, too little to tell nu from corrections, and T_c falls by 0.015 where nu is
    0.1 larger. Errors are a jackknife over groups of realisations through the whole fit.

    Parameters
    ----------
    sizes
        Three or more, each with 64 realisations or more.
    nu
        The exponent to hold; None fits it.

    Raises
    ------
    ValueError
        Fewer sizes or realisations, or a fit that does not converge within the temperatures.

    References
    ----------
    M. Baity-Jesi et al. (Janus), Phys. Rev. B 88, 224416 (2013).
    """
    if len(sizes) < 3:
        raise ValueError(f"the fit needs at least 3 sizes for T_c, Q* and the correction, got {len(sizes)}: add sizes")
    points = [_points(size) for size in sizes]
    best = _solve(points, nu)
    scale = np.array([-(best.values[0] ** 2), -(best.values[1] ** 2), 1.0, -2.0])  # of T_c = 1 / beta_c and so on
    variance = np.zeros(4)
    for size, response in zip(points, best.responses):
        moved = scale * ((size.rows[1:] - size.rows[0]) @ response.T)  # (group, 4)
        variance += (GROUPS - 1) * moved.var(axis=0)
    columns = np.stack([best.values, np.sqrt(variance)], axis=1).ravel().tolist()
    names = [f"{name}{error}" for name in ("temperature", "nu", "xi_over_L", "kurtosis") for error in ("", "_error")]
    dof = sum(len(size.rows[0]) for size in points) - best.n_parameters
    return GlassFit(**dict(zip(names, columns)), chi2=best.chi2, dof=dof)


def _points(size: GlassMoments) -> _Points:
    values = size.values[:, 0][..., WINDOW]  # last bin: (moment, realisation, temperature)
    n = values.shape[1] // GROUPS * GROUPS
    if n == 0:
        raise ValueError(
            f"the fit needs at least {GROUPS} realisations, got {values.shape[1]} at L = {size.L}: add some"
        )
    groups = values[:, :n].reshape(len(values), GROUPS, -1, values.shape[-1]).mean(axis=2)
    single = _rows(values[:, :n], size.L)[1:]
    covariance = (n - 1) ** 2 / n * np.cov(single.T)
    return _Points(size.L, _rows(groups, size.L), np.linalg.inv(np.linalg.cholesky(covariance)))


def _rows(values: Array, L: int) -> Array:
    """Curves from all entries and without each: (moment, entry, temperature) -> (1 + entry, point)."""
    n, total = values.shape[1], values.mean(axis=1, keepdims=True)
    means = np.concatenate([total, (n * total - values) / (n - 1)], axis=1)
    return np.concatenate(list(curves(means, L)), axis=-1)


def _solve(points: Sequence[_Points], nu: float | None) -> _Solution:
    """Least squares in beta_c and 1 / nu, the linear terms solved anew for each."""
    targets = np.concatenate([size.whitening @ size.rows[0] for size in points])

    def design(theta: Array) -> Array:
        y = 1 / nu if nu else theta[1]
        return np.concatenate([size.whitening @ _design(size.L, theta[0], y) for size in points])

    def terms(theta: Array) -> Array:
        columns = design(theta)
        norms = np.linalg.norm(columns, axis=0)
        return np.linalg.lstsq(columns / norms, targets, rcond=None)[0] / norms

    fit = least_squares(lambda theta: targets - design(theta) @ terms(theta), START[: 1 if nu else 2], x_scale=0.01)
    coldest, hottest = TEMPERATURES[WINDOW].min(), TEMPERATURES[WINDOW].max()
    if not fit.success or not 0.5 / hottest < fit.x[0] < 2 / coldest:
        raise ValueError(
            f"the fit of the glass to T = {coldest:.2f} .. {hottest:.2f} does not converge there (T_c = "
            f"{1 / fit.x[0]:.3f}): use more realisations or larger sizes"
        )
    linear = terms(fit.x)
    slopes = [(design(fit.x + step) - design(fit.x - step)) @ linear / (2 * STEP) for step in STEP * np.eye(len(fit.x))]
    jacobian = np.column_stack([*slopes, design(fit.x)])
    norms = np.linalg.norm(jacobian, axis=0)
    inverse = np.linalg.pinv(jacobian / norms, rcond=1e-13) / norms[:, np.newaxis]
    n = len(fit.x)
    kept = np.stack([inverse[0], np.zeros_like(inverse[0]) if nu else inverse[1], inverse[n], inverse[n + 1]])
    parts = np.split(kept, np.cumsum([len(size.rows[0]) for size in points])[:-1], axis=1)
    values = np.array([1 / fit.x[0], nu or 1 / fit.x[1], linear[0], 3 - 2 * linear[1]])
    responses = [part @ size.whitening for part, size in zip(parts, points)]
    return _Solution(values, float(2 * fit.cost), len(norms), responses)


def _design(L: int, beta_c: float, y: float) -> Array:
    """Columns of the linear terms, Q* of either quantity first: (point, term)."""
    x = (1 / TEMPERATURES[WINDOW] - beta_c) * L**y
    terms = [*(x**k for k in range(DEGREE + 1)), np.full_like(x, L**-OMEGA), x * L**-OMEGA]
    columns = np.kron(np.stack(terms, axis=1), np.eye(2))  # (temperature, quantity) x (term, quantity)
    return columns.reshape(len(x), 2, -1).swapaxes(0, 1).reshape(2 * len(x), -1)
