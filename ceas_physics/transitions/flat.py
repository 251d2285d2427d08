"""The Ising transition on square and cubic lattices: beta_c, nu, eta and the invariants, from all sizes at once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr

import analysis
import ising
from analysis.laws import OMEGA
from analysis.measurement import measure
from analysis.resampling import jackknife_error
from analysis.scaling import LOWEST_P
from analysis.thermodynamics import evaluate
from ising.streams import derived_seed

CHAINS, POINTS, WARMUP = 16, 7, 100


@dataclass(frozen=True)
class Ferromagnet:
    """How one lattice is sampled.

    Attributes
    ----------
    dimension
        2 (square) or 3 (cubic).
    sizes
        L, four or more.
    center
        Of the betas: near the transition, the fit finds it.
    nu
        Their range narrows as L^(-1/nu) from size to size; the fit finds its own.
    reach
        Of the betas on either side, in (beta / center - 1) L^(1/nu).
    updates
        Of single spins, all sizes together; a size gets a share proportional to L.
    """

    dimension: int
    sizes: tuple[int, ...]
    center: float
    nu: float
    reach: float
    updates: float

    def betas(self, L: int) -> np.ndarray:
        """Inverse temperatures of one size, (POINTS,)."""
        return self.center * (1 + np.linspace(-self.reach, self.reach, POINTS) * L ** (-1 / self.nu))

    def draws(self, L: int) -> int:
        """Swendsen-Wang steps of every chain at every beta of one size."""
        return int(self.updates * L / sum(self.sizes) / (CHAINS * POINTS * L**self.dimension))


@dataclass(frozen=True)
class Figure:
    """A measured number, its error (one standard deviation, the shift included) and shift without the smallest size."""

    value: float
    error: float
    shift: float


def sample_ferromagnet(plan: Ferromagnet, seed: int = 0, progress: bool = True) -> list[xr.Dataset]:
    """Magnetization and structure factor at every Swendsen-Wang step, one dataset a size."""
    make = {2: ising.square, 3: ising.cubic}[plan.dimension]
    return ising.sample_sizes(
        {L: ising.ferromagnet(make(L)) for L in plan.sizes},
        {L: plan.betas(L) for L in plan.sizes},
        {L: ising.Schedule(WARMUP, plan.draws(L)) for L in plan.sizes},
        progress,
        update="swendsen_wang",
        chains=CHAINS,
        seed=derived_seed(seed, plan.dimension),
        observables=("magnetization", "structure_factor"),
    )


def transition(data: list[xr.Dataset]) -> dict[str, Figure]:
    """Critical point, exponents and invariants of one lattice: ``beta_c``, ``nu``, ``U4`` and ``xi/L`` there, ``eta``.

    The first four come from the shared fit to U4 and xi / L, the last from `anomalous_dimension`. Where the fit to all
    betas is not credible (p < 0.05) the outermost on either side are left out of every size: far from beta_c the
    smallest need terms that the form lacks. Every error holds the change without the smallest size.

    Parameters
    ----------
    data
        Four sizes or more, smallest first.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", analysis.ScalingWarning)  # the next fit warns if it is no better
        credible = analysis.fit_shared(data).p > LOWEST_P
    near = data if credible else [size.isel(beta=slice(1, -1)) for size in data]
    fits = analysis.fit_shared(near), analysis.fit_shared(near, smallest=int(data[1].n_sites))
    etas = [anomalous_dimension(sizes, fits[0].critical_values[1]) for sizes in (near, near[1:])]
    whole, less = (
        [
            (fit.beta_c, fit.beta_c_error),
            (fit.nu, fit.nu_error),
            eta,
            *zip(fit.critical_values, fit.critical_value_errors),
        ]
        for fit, eta in zip(fits, etas)
    )
    figures = [Figure(a, float(np.hypot(error, b - a)), b - a) for (a, error), (b, _) in zip(whole, less)]
    return dict(zip(("beta_c", "nu", "eta", "U4", "xi/L"), figures))


def anomalous_dimension(data: list[xr.Dataset], xi_over_L: float) -> tuple[float, float]:
    """Eta and its error from the susceptibility where xi / L of every size has one value.

        ln chi = (2 - eta) ln L + c + b L^-omega,    omega = 7/4 (2D), 0.83 (3D)

    What chi and xi / L have in common, being measured on the same configurations, cancels there, and neither beta_c nor
    nu enters. Of each size, ln chi is a cubic in xi / L through all betas, for every jackknife replica anew.

    Parameters
    ----------
    data
        Three sizes or more.
    xi_over_L
        The value; any near the critical one has the same eta.

    References
    ----------
    M. Hasenbusch, Phys. Rev. B 82, 174433 (2010).
    """
    runs = measure(data)
    rows = [_at_fixed_ratio(evaluate(run, "susceptibility"), evaluate(run, "xi_over_L"), xi_over_L) for run in runs]
    errors = np.array([jackknife_error(row) for row in rows])
    L = np.array([run.length for run in runs])
    omega = OMEGA[int(data[0].attrs["dimension"])]
    design = np.stack([np.log(L), np.ones_like(L), L**-omega], axis=1) / errors[:, np.newaxis]
    response = np.linalg.pinv(design)[0] / errors  # of 2 - eta to every ln chi
    return 2 - float(response @ [row[0] for row in rows]), float(np.linalg.norm(response * errors))


def _at_fixed_ratio(susceptibility: np.ndarray, ratio: np.ndarray, value: float) -> np.ndarray:
    """Ln chi where the ratio has the value: (1 + block, beta) each -> (1 + block,)."""
    cubics = (np.polyfit(x - value, np.log(chi), 3) for x, chi in zip(ratio, susceptibility))
    return np.array([cubic[-1] for cubic in cubics])
