"""The entropy corridor of a spin system, read over all configurations (`total`) or site by site (`site`)."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, log, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

import ising
from analysis.resampling import jackknife_error, leave_one_out
from ising.arguments import as_spins
from ising.integers import as_integer

from . import arguments as rules
from . import attention
from .thermostat import Thermostat

Array = NDArray[np.float64]

CORRIDOR = Thermostat().corridor
CHAINS = 64
SITES = 2**20  # about how many sites are averaged at each beta
TOTAL_SCHEDULE = ising.Schedule(warmup=50, draws=1600)
TOTAL_RANGE = 3.0  # in beta sqrt(sum J^2)


@dataclass(frozen=True)
class Corridor:
    """Inverse temperatures between which the entropy lies in the corridor, with jackknife errors; NaN beyond reach."""

    beta_low: float
    beta_high: float
    beta_low_error: float = nan
    beta_high_error: float = nan

    def __post_init__(self) -> None:
        for name in ("beta_low", "beta_high", "beta_low_error", "beta_high_error"):
            rules.reading(name, getattr(self, name))


@rules.checked(model=rules.kind(ising.IsingModel, "ising.ferromagnet(ising.square(8))"), beta=rules.numbers)
def site_entropy(model: ising.IsingModel, beta: ArrayLike, spins: ArrayLike) -> Array:
    """Mean conditional entropy per site, H = mean_i h2(sigma(2 beta I_i)) nats, I_i the local field of site i.

    Parameters
    ----------
    model
        The model.
    beta
        (n_beta,) inverse temperatures.
    spins
        (n_beta, n_configurations, n_sites) configurations in equilibrium.

    Returns
    -------
    (n_beta,) nats, at most ln 2.
    """
    betas, configurations = np.atleast_1d(beta), as_spins("spins", spins)
    shape = (betas.size, model.lattice.n_sites)
    if configurations.ndim != 3 or (len(configurations), configurations.shape[-1]) != shape:
        raise ValueError(f"spins must have shape ({shape[0]}, n, {shape[1]}), one for each beta, got {np.shape(spins)}")
    return _site_entropies(model, betas, configurations).mean(axis=-1)


def _site_entropies(model: ising.IsingModel, beta: Array, spins: NDArray[np.int8]) -> Array:
    """Mean over the sites of each configuration: (beta, configuration, site) -> (beta, configuration)."""
    lattice = model.lattice
    weights = np.broadcast_to(model.couplings, lattice.n_bonds)[lattice.neighbor_bonds] * (lattice.neighbors >= 0)
    means = np.empty(spins.shape[:2])
    for k, (b, configurations) in enumerate(zip(beta, spins)):
        local = np.broadcast_to(model.fields, configurations.shape).astype(float)
        for j in range(lattice.neighbors.shape[1]):
            local += weights[:, j] * configurations[:, lattice.neighbors[:, j]]
        x = 2.0 * b * np.abs(local)
        shrunk = np.exp(-x)  # h2 of p = 1 / (1 + e^-x): ln(1 + e^-x) + x / (1 + e^x)
        means[k] = (np.log1p(shrunk) + x * shrunk / (1.0 + shrunk)).mean(axis=-1)
    return means


@rules.checked(
    model=rules.kind(ising.IsingModel, "ising.ferromagnet(ising.square(8))"),
    beta_max=rules.positive,
    visible_keys=rules.count,
    seed=rules.seed,
    progress=rules.flag,
)
def site_corridor(
    model: ising.IsingModel, beta_max: float, visible_keys: int = 64, seed: int = 0, progress: bool = True
) -> Corridor:
    """Beta range in which the mean conditional entropy per site is (ln n - [0.9, 1.3]) / ln n of ln 2.

    A coarse grid up to ``beta_max`` finds the range, a fine one around it measures the ends; monotone cubics between
    the points, errors by jackknife over 64 chains.

    Raises
    ------
    ValueError
        A model without couplings, fewer than 8 visible keys, a ``beta_max`` that is not positive and finite.
    """
    _width(model)
    if as_integer("visible_keys", visible_keys) < attention.MINIMUM_VISIBLE:
        raise ValueError(f"visible_keys must be at least {attention.MINIMUM_VISIBLE}, got {visible_keys}")
    if not 0.0 < beta_max < inf:
        raise ValueError(f"beta_max must be positive and finite, got {beta_max}")
    targets = [log(2) * (1.0 - depth / log(visible_keys)) for depth in CORRIDOR]
    coarse = np.linspace(0.0, beta_max, 25)
    entropy = _measured(model, coarse[1:], 1, seed, progress).mean(axis=-1)
    low, high = (_falls_to(target, coarse, np.r_[log(2), entropy]) for target in targets)
    if isnan(low):
        return Corridor(nan, nan)
    margin = coarse[1] / 2
    top = beta_max if isnan(high) else min(beta_max, high + margin)
    fine = np.linspace(max(low - margin, low / 2), top, 9)
    by_chain = _measured(model, fine, int(np.clip(SITES // (CHAINS * model.lattice.n_sites), 1, 64)), seed, progress)
    rows = leave_one_out(by_chain, np.ones(CHAINS, dtype=np.intp))  # (beta, chain) -> (1 + chain, beta)
    return _corridor(np.array([[_falls_to(target, fine, row) for target in targets] for row in rows]))


def _measured(model: ising.IsingModel, beta: Array, configurations: int, seed: int, progress: bool) -> Array:
    """Site entropies by chain, (beta, chain), from every second of 2 x ``configurations`` sweeps."""
    data = ising.sample(
        model, beta, ising.Schedule(200, 2 * configurations), update="heat_bath", chains=CHAINS, seed=seed,
        observables=["energy"], configurations=2, progress=progress,
    )  # fmt: skip
    spins = data.configurations.values.reshape(len(beta), CHAINS * configurations, -1)
    return _site_entropies(model, beta, spins).reshape(len(beta), CHAINS, configurations).mean(axis=-1)


def _falls_to(target: float, beta: Array, entropy: Array) -> float:
    """First beta at which the monotone cubic through the points takes the target, NaN where it does not."""
    roots = PchipInterpolator(beta, entropy).solve(target, extrapolate=False)
    return float(roots[0]) if len(roots) else nan


@rules.checked(
    model=rules.kind(ising.IsingModel, "ising.ferromagnet(ising.square(8))"), seed=rules.seed, progress=rules.flag
)
def total_corridor(model: ising.IsingModel, seed: int = 0, progress: bool = True) -> Corridor:
    """Beta range in which the total entropy S is ln 2^N - [0.9, 1.3]; near sqrt(2 d) / sqrt(sum J^2).

    N ln 2 - S = int_0^x y u'(y) dy = x u(x) - int_0^x u with x = beta sqrt(sum J^2), u = -<E> / sqrt(sum J^2): a cubic
    spline through 16 measured energies, x <= 3, with the exact u(0) = 0, u'(0) = 1. Errors by jackknife over 64 chains,
    NaN where the entropy does not fall so far.

    Raises
    ------
    ValueError
        A model with a field or without couplings.
    """
    if model.has_field:
        raise ValueError("total_corridor starts from beta = 0 without field, got a model with a field")
    width = _width(model)
    x = np.linspace(0.0, TOTAL_RANGE, 17)
    data = ising.sample(
        model, x[1:] / width, TOTAL_SCHEDULE, update="heat_bath", chains=CHAINS, seed=seed, progress=progress,
        observables=["energy"],
    )  # fmt: skip
    energy = -data.energy.mean("draw").values * model.lattice.n_sites / width  # (beta, chain)
    rows = leave_one_out(np.pad(energy, ((1, 0), (0, 0))), np.ones(CHAINS, dtype=np.intp))  # (1 + chain, 1 + beta)
    spline = CubicSpline(x, rows, axis=1, bc_type=((1, np.ones(len(rows))), "not-a-knot"))
    fine = np.linspace(0.0, TOTAL_RANGE, 1001)
    loss = fine * spline(fine) - spline.antiderivative()(fine)
    return _corridor(np.array([[_rises_to(depth, fine / width, row) for depth in CORRIDOR] for row in loss]))


def _rises_to(target: float, beta: Array, loss: Array) -> float:
    return float(np.interp(target, np.maximum.accumulate(loss), beta, right=nan))


def _width(model: ising.IsingModel) -> float:
    """Standard deviation of the energy at beta = 0, sqrt(sum J^2)."""
    width = sqrt(float((np.broadcast_to(model.couplings, model.lattice.n_bonds) ** 2).sum()))
    if width == 0.0:
        raise ValueError(f"a corridor needs couplings, got {model.lattice.n_bonds} bonds with J = 0 throughout")
    return width


def _corridor(ends: Array) -> Corridor:
    """From the estimate and its jackknife replicas, (1 + block, 2)."""
    return Corridor(*map(float, ends[0]), *map(float, jackknife_error(ends)))
