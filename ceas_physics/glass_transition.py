"""Where the three-dimensional +-J spin glass freezes: sampled in the lanes of words, T_c from a joint scaling fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from tqdm.auto import tqdm

import ising

from .closed_transitions import derived_seed

Array = NDArray[np.float64]

NU, NU_ERROR, OMEGA = 2.56, 0.04, 1.1  # Baity-Jesi et al. 2013: 2.562(42), 1.12(10)
TEMPERATURES = np.geomspace(2.4, 1.05, 12)  # hot enough to forget within some sweeps, dense enough to exchange
WINDOW = TEMPERATURES < 1.5  # of the fit
DEGREE = 3
BLOCK = 512  # realisations a call: about 50 MB of results
BINS = 3  # of the logarithmic binning
GROUPS = 64  # of the jackknife
START = (0.9, 0.4)  # of the fit: beta_c and 1 / nu


@dataclass(frozen=True)
class GlassSize:
    """How one size is sampled.

    Attributes
    ----------
    L
        Edge of the cube.
    realisations
        Samples of the disorder, 512 of them at a time.
    sweeps
        From random spins, with replica exchange after each; the second half is measured.
    thin
        Sweeps between draws.
    """

    L: int
    realisations: int
    sweeps: int
    thin: int


@dataclass(frozen=True, eq=False)
class GlassMoments:
    """Thermal means of every realisation in logarithmic bins.

    Attributes
    ----------
    L
        Edge of the cube.
    values
        (moment, bin, realisation, temperature): q^2, q^4 and F_q(k_min) over the draws [n / 2, n), [n / 4, n / 2), ...
    swap_acceptance
        Smallest mean share of accepted exchanges.
    """

    L: int
    values: Array
    swap_acceptance: float


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


def sample_glass(sizes: Sequence[GlassSize], seed: int = 0, progress: bool = True) -> list[GlassMoments]:
    """Moments of the overlap of two replicas for each size, every realisation with couplings and streams of its own.

    Parameters
    ----------
    sizes
        What to sample.
    seed
        Root of all random numbers.
    progress
        Show a bar.
    """
    with tqdm(total=sum(_work(size) for size in sizes), desc="glass", unit_scale=True, disable=not progress) as bar:
        return [_sample_size(size, seed, bar) for size in sizes]


def curves(moments: Array, L: int) -> Array:
    """Dimensionless quantities from disorder averages.

        xi / L = sqrt(N [<q^2>] / [F_q(k_min)] - 1) / (2 L sin(pi / L)),    g = (3 - [<q^4>] / [<q^2>]^2) / 2

    Parameters
    ----------
    moments
        (moment, ...) of q^2, q^4 and F_q.
    L
        Edge of the cube.

    Returns
    -------
    (2, ...), xi / L and g.
    """
    q2, q4, structure = moments
    xi = np.sqrt(np.maximum(L**3 * q2 / structure - 1, 0)) / (2 * L * np.sin(np.pi / L))
    return np.stack([xi, 1.5 - 0.5 * q4 / q2**2])


def drift(moments: GlassMoments, later: int = 0) -> tuple[Array, Array]:
    """Change of the spin-glass susceptibility from one logarithmic bin to the next, and its error: (temperature,) each.

    Relative to the later bin, realisation by realisation, so that their spread cancels. A run that started from random
    spins rises to equilibrium; the last change must vanish within its error.

    Parameters
    ----------
    moments
        Of one size.
    later
        The later of the two bins, 0 for the last.
    """
    q2 = moments.values[0]
    change, mean = q2[later] - q2[later + 1], q2[later].mean(axis=0)
    return change.mean(axis=0) / mean, change.std(axis=0, ddof=1) / np.sqrt(q2.shape[1]) / mean


def fit_glass(sizes: Sequence[GlassMoments], nu: float | None = NU) -> GlassFit:
    """Critical temperature from one least-squares fit to xi / L and g of all sizes.

    For each quantity Q, with T_c in common,

        Q(T, L) = Q* + a_1 x + a_2 x^2 + a_3 x^3 + L^-omega (b_0 + b_1 x),    x = (1 / T - 1 / T_c) L^(1 / nu)

    for T < 1.5, weighted with the covariance of all points of a size, which are measured on the same realisations: what
    they share is large, so that their differences are sharp. omega = 1.1 is held, and so is nu = 2.56: between L = 4
    and 8 the range of x grows by a third, too little to tell nu from corrections, and T_c falls by 0.017 where nu is
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
        Fewer sizes or realisations.

    References
    ----------
    M. Baity-Jesi et al. (Janus), Phys. Rev. B 88, 224416 (2013).
    """
    if len(sizes) < 3:
        raise ValueError(f"the fit needs at least 3 sizes for T_c, Q* and the correction, got {len(sizes)}: add sizes")
    points = [_points(size) for size in sizes]
    values = [size.rows[0] for size in points]
    best, chi2 = _solve(points, values, nu, START)
    found = (1 / best[0], 1 / best[1])
    variance = np.zeros_like(best)
    for k, size in enumerate(points):
        without = [_solve(points, [*values[:k], row, *values[k + 1 :]], nu, found)[0] for row in size.rows[1:]]
        variance += (GROUPS - 1) * np.var(np.subtract(without, best), axis=0)
    columns = np.stack([best, np.sqrt(variance)], axis=1).ravel().tolist()
    names = [f"{name}{error}" for name in ("temperature", "nu", "xi_over_L", "kurtosis") for error in ("", "_error")]
    n_free = (1 if nu else 2) + 2 * (DEGREE + 3)
    return GlassFit(**dict(zip(names, columns)), chi2=chi2, dof=sum(map(len, values)) - n_free)


def _work(size: GlassSize) -> int:
    return size.L**3 * size.realisations * size.sweeps


def _sample_size(size: GlassSize, seed: int, bar: tqdm) -> GlassMoments:
    blocks, acceptance = [], []
    schedule = ising.Schedule(0, size.sweeps // size.thin, size.thin)
    for first in range(0, size.realisations, BLOCK):
        count = min(BLOCK, size.realisations - first)
        own = derived_seed(seed, size.L, first)
        data = ising.sample(
            ising.edwards_anderson(ising.cubic(size.L), own, disorder=count), 1 / TEMPERATURES, schedule,
            update="heat_bath", chains=2, seed=own, exchange=True, lanes="disorder",
            observables=("overlap", "overlap_k"), progress=False,
        )  # fmt: skip
        blocks.append(_binned(data.overlap.values[:, :, 0], data.overlap_k.values[:, :, 0]))
        acceptance.append(float(data.swap_acceptance.mean(("disorder", "chain")).min()))
        bar.update(_work(size) * count // size.realisations)
    return GlassMoments(size.L, np.concatenate(blocks, axis=2), float(np.mean(acceptance)))


def _binned(overlap: Array, structure: Array) -> Array:
    """(realisation, temperature, draw) each -> (moment, bin, realisation, temperature)."""
    n = overlap.shape[-1]
    q2 = overlap**2
    bins = [slice(n >> (k + 1), n >> k) for k in range(BINS)]
    return np.array([[power[..., part].mean(axis=-1) for part in bins] for power in (q2, q2**2, structure)])


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


def _solve(
    points: Sequence[_Points], values: Sequence[Array], nu: float | None, start: tuple[float, float]
) -> tuple[Array, float]:
    """(T_c, nu, xi / L*, kurtosis*) and chi-square; the linear terms are solved anew for every beta_c and 1 / nu."""
    targets = np.concatenate([size.whitening @ value for size, value in zip(points, values)])

    def linear(theta: Array) -> tuple[Array, Array]:
        y = 1 / nu if nu else theta[1]
        design = np.concatenate([size.whitening @ _design(size.L, theta[0], y) for size in points])
        norms = np.linalg.norm(design, axis=0)
        terms = np.linalg.lstsq(design / norms, targets, rcond=None)[0]
        return targets - design / norms @ terms, terms / norms

    fit = least_squares(lambda theta: linear(theta)[0], start[: 1 if nu else 2], x_scale=0.01)
    xi_over_L, binder = linear(fit.x)[1][:2]
    return np.array([1 / fit.x[0], nu or 1 / fit.x[1], xi_over_L, 3 - 2 * binder]), float(2 * fit.cost)


def _design(L: int, beta_c: float, y: float) -> Array:
    """Columns of the linear terms, Q* of either quantity first: (point, term)."""
    x = (1 / TEMPERATURES[WINDOW] - beta_c) * L**y
    terms = [*(x**k for k in range(DEGREE + 1)), np.full_like(x, L**-OMEGA), x * L**-OMEGA]
    columns = np.kron(np.stack(terms, axis=1), np.eye(2))  # (temperature, quantity) x (term, quantity)
    return columns.reshape(len(x), 2, -1).swapaxes(0, 1).reshape(2 * len(x), -1)
