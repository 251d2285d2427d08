"""The lower transition of open hyperbolic patches: where the state with a free rim begins to order.

On {p,q} the state with a free rim orders at beta_f, above the bulk (wired) transition; by duality
beta_f({p,q}) = -1/2 ln tanh beta_w({q,p}). Two signals see it in patches of R layers: how fast <m^2> of the whole patch
falls with R, and how far the bond correlation at the centre stays below that of the ordered state.

Both are proportional to the order parameter u of the dual model at depth R, which is mean-field like: du/dR = s t u -
u^2 / A, with t = 1 - beta / beta_f, so that

    u(R) = A s t / (1 - exp(-s t (R + r_0))):    A s t above the dual transition, A / (R + r_0) at it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, sqrt

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import chdtrc
from tqdm.auto import tqdm

import ising
from ising.exact import bethe_critical_beta, dual_beta
from ising.streams import derived_seed

from .closed_maps import maps

Array = NDArray[np.float64]
Shape = Callable[[Array, Array, Array], Array]

FEWEST, LOWEST_P = 3, 0.01  # depths of a fit, probability of its chi2
WINDOW = np.linspace(0.87, 1.13, 11)  # of beta, in units of the first guess
CHAINS, KEEP_EVERY = 16, 4
SPINS_AT_A_TIME, CONFIGURATIONS_AT_A_TIME = 8_000_000, 2**26  # int8 each
LARGEST_MAP = 15_000


@dataclass(frozen=True)
class FreeTransition:
    """beta_f from one signal.

    Attributes
    ----------
    beta, error
        In 1/J. The error joins the fit's, times sqrt(chi2 / dof) where that is above 1, with the change when the
        smallest patch is left out.
    chi2_per_dof
        Of the fit.
    smallest
        Layers of the smallest patch in it.
    """

    beta: float
    error: float
    chi2_per_dof: float
    smallest: int


def first_guess(p: int) -> float:
    """The dual of the Bethe value of the dual lattice, whose degree is p: 1/2 ln(p - 1)."""
    return float(dual_beta(bethe_critical_beta(p)))


def measure(
    p: int, q: int, layers: Sequence[int], draws: int = 8_000, seed: int = 0, progress: bool = True
) -> xr.Dataset:
    """Second moment and central bond correlation of open patches, and the bond correlation of the ordered bulk.

    Parameters
    ----------
    p, q
        The tiling.
    layers
        R of the patches, ascending; 5 or more.
    draws
        Swendsen-Wang sweeps per chain and beta, in 16 chains.
    seed
        Root of all random numbers.
    progress
        Show a bar.

    Returns
    -------
    xarray.Dataset
        m2 (layers, beta, chain): <m^2> of the whole patch; bond (layers, beta, chain): <s_i s_j> of the bonds of the
        central site; bond_ordered (beta,): the same on the largest closed map of at most 15,000 sites, from all spins
        up; n_sites (layers,).
    """
    layers = list(layers)
    beta = first_guess(p) * WINDOW
    patches = [ising.hyperbolic(p, q, n) for n in layers]
    work = sum(patch.n_sites for patch in patches)
    with tqdm(total=work, desc=f"open {{{p},{q}}}", unit="site", unit_scale=True, disable=not progress) as bar:
        rows = []
        for patch in patches:
            rows.append(_patch(patch, beta, draws, seed))
            bar.update(patch.n_sites)
    closed = maps(p, q, LARGEST_MAP)[-1]
    ordered = ising.sample(
        ising.ferromagnet(closed), beta, ising.Schedule(200, 1_000), update="heat_bath", chains=64, initial="up",
        seed=derived_seed(seed, p, q), observables=["energy"], progress=False,
    )  # fmt: skip
    dims = ("layers", "beta", "chain")
    return xr.Dataset(
        {
            "m2": (dims, [row[0] for row in rows], {"long_name": "second moment of the whole patch", "units": "1"}),
            "bond": (dims, [row[1] for row in rows], {"long_name": "bond correlation at the centre", "units": "1"}),
            "bond_ordered": (
                "beta",
                -ordered.energy.mean(("chain", "draw")).values * 2 / q,
                {"long_name": "bond correlation of the ordered bulk", "units": "1"},
            ),
        },
        {"layers": layers, "beta": beta, "n_sites": ("layers", [patch.n_sites for patch in patches])},
        {"p": p, "q": q, "ordered_map": closed.name},
    )


def _patch(patch: ising.Lattice, beta: Array, draws: int, seed: int) -> tuple[Array, Array]:
    """<m^2> and <s_i s_j> at the central site, (beta, chain) each, a few values of beta at a time."""
    groups = np.array_split(beta, -(-len(beta) * patch.n_sites * CHAINS // SPINS_AT_A_TIME))
    parts = [_some(patch, group, draws, derived_seed(seed, patch.n_sites, k)) for k, group in enumerate(groups)]
    m2, bond = (np.concatenate(part) for part in zip(*parts))
    return m2, bond


def _some(patch: ising.Lattice, beta: Array, draws: int, seed: int) -> tuple[Array, Array]:
    """The same for a few beta, a few draws at a time: each call goes on from the spins of the one before."""
    model = ising.ferromagnet(patch)
    center = patch.neighbors[0]
    chunk = max(KEEP_EVERY, CONFIGURATIONS_AT_A_TIME // (patch.n_sites * CHAINS * len(beta)) * KEEP_EVERY)
    n_chunks = -(-draws // chunk)
    m2, bond = np.zeros((len(beta), CHAINS)), np.zeros((len(beta), CHAINS))
    spins: str | NDArray[np.int8] = "random"
    for k in range(n_chunks):
        data = ising.sample(
            model, beta, ising.Schedule(0 if k else 150, min(chunk, draws)), update="swendsen_wang", chains=CHAINS,
            initial=spins, seed=derived_seed(seed, k), observables=["magnetization"], configurations=KEEP_EVERY,
            progress=False,
        )  # fmt: skip
        spins = data.spins.values
        m2 += (data.magnetization**2).mean("draw").values / n_chunks
        kept = data.configurations.values
        bond += (kept[..., :1] * kept[..., center]).mean(axis=(-2, -1)) / n_chunks
    return m2, bond


def gap(data: xr.Dataset) -> tuple[Array, Array]:
    """How far the central bond correlation stays below the ordered state's, and its error: (layers, beta) each."""
    free, error = _over_chains(data.bond)
    return data.bond_ordered.values - free, error


def loss(data: xr.Dataset) -> tuple[Array, Array]:
    """Loss ln m2(R) - ln m2(R') of consecutive patches R < R', and its error: (layers - 1, beta) each."""
    mean, error = _over_chains(data.m2)
    return -np.diff(np.log(mean), axis=0), np.hypot((error / mean)[1:], (error / mean)[:-1])


def _over_chains(values: xr.DataArray) -> tuple[Array, Array]:
    return values.mean("chain").values, values.std("chain", ddof=1).values / sqrt(values.sizes["chain"])


def from_energy(data: xr.Dataset) -> FreeTransition:
    """beta_f from the gap between the bond correlations of the ordered and of the free state: gap = u(R)."""
    values, error = gap(data)
    rows = [
        (float(n), float(n), b, values[i, j], error[i, j])
        for i, n in enumerate(data.layers.values)
        for j, b in enumerate(data.beta.values)
    ]
    return _fit(np.array(rows), _order_parameter, first_guess(int(data.p)))


def from_second_moment(data: xr.Dataset) -> FreeTransition:
    """beta_f from the loss of <m^2> between patches: ln m2(R) - ln m2(R') = integral of u from R to R'."""
    values, error = loss(data)
    rows = [
        (float(low), float(high), b, values[i, j], error[i, j])
        for i, (low, high) in enumerate(pairwise(data.layers.values))
        for j, b in enumerate(data.beta.values)
    ]
    return _fit(np.array(rows), _integral, first_guess(int(data.p)))


def _order_parameter(rate: Array, low: Array, high: Array) -> Array:
    """U / A at depth `low`, `rate` = s t."""
    y = rate * low
    return np.where(np.abs(y) < 1e-9, 1.0, y / -np.expm1(-np.where(y == 0, 1.0, y))) / low


def _integral(rate: Array, low: Array, high: Array) -> Array:
    """Integral of u / A over depth from `low` to `high`: ln((e^(s t high) - 1) / (e^(s t low) - 1))."""
    return np.log(high / low) + _log_mean_exp(rate * high) - _log_mean_exp(rate * low)


def _log_mean_exp(y: Array) -> Array:
    """ln((e^y - 1) / y)."""
    y = np.where(np.abs(y) < 1e-9, 1e-9, y)
    return np.log(np.expm1(y) / y)


def _fit(rows: Array, shape: Shape, guess: float) -> FreeTransition:
    """Least squares over (low, high, beta, value, error) rows, the smallest patches left out until it is credible."""
    depths = np.unique(rows[:, 0])[: 1 - FEWEST]
    for depth, next_depth in pairwise(depths):
        beta, error, chi2, dof = _least_squares(rows[rows[:, 0] >= depth], shape, guess)
        without = _least_squares(rows[rows[:, 0] >= next_depth], shape, guess)[0]
        if chdtrc(dof, chi2) > LOWEST_P:
            break
    return FreeTransition(beta, hypot(error * sqrt(max(chi2 / dof, 1.0)), without - beta), chi2 / dof, int(depth))


def _least_squares(rows: Array, shape: Shape, guess: float) -> tuple[float, float, float, int]:
    """beta_f, its error, chi2 (infinite without convergence) and degrees of freedom.

    A (1 + a t) and s t (1 + b t) stand for what is regular in t.
    """
    low, high, beta, value, error = rows.T

    def residuals(parameters: Array) -> Array:
        beta_f, r_0, s, amplitude, a, b = parameters
        t = 1 - beta / beta_f
        model = (amplitude + a * t) * shape(s * t * (1 + b * t), low + r_0, high + r_0)
        return (model - value) / error

    start = [guess, 1.0, 3.0, 1.0, 0.0, 0.0]
    lowest = [0.5 * guess, 0.1 - rows[0, 0], 0.01, 1e-3, -np.inf, -np.inf]
    fit = least_squares(residuals, start, bounds=(lowest, np.inf), x_scale=[0.01, 0.3, 1.0, 0.3, 0.3, 0.3])
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    chi2 = 2 * float(fit.cost) if fit.success else np.inf
    return float(fit.x[0]), sqrt(covariance[0, 0]), chi2, len(rows) - len(start)
