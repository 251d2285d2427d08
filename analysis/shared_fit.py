"""Several dimensionless quantities fitted at once: they share beta_c and nu, and priors may join in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import xarray as xr
from scipy.special import chdtrc

from .arguments import as_choice, as_integer, as_number, refuse
from .joint_fit import Form
from .laws import Law, law_of
from .measurement import Data, Measurement, measure_sizes
from .notices import warn
from .resampling import Array
from .scaling import FEWEST_SIZES, LOWEST_P, ScalingWarning, check_near, warn_of_drift, window
from .shared_system import SHARED, Near, Solution, System, solve
from .thermodynamics import evaluate


@dataclass(frozen=True)
class SharedFit:
    """Result of `fit_shared`; every error is one standard deviation, 0 for what was held.

    Attributes
    ----------
    beta_c, beta_c_error, beta_c_shift, nu, nu_error, nu_shift
        Shared by all quantities; the shifts are the changes without the smallest size, NaN with 3 sizes.
    omega, omega_error
        Correction exponent, L^-omega.
    critical_values, critical_value_errors
        Q* of each quantity.
    chi2, dof, p
        Of the fit, priors included.
    smallest, largest, n_runs, n_points
        What was used, sizes in sites.
    quantities, method
        What was fitted, and how, in words.
    """

    beta_c: float
    beta_c_error: float
    beta_c_shift: float
    nu: float
    nu_error: float
    nu_shift: float
    omega: float
    omega_error: float
    critical_values: tuple[float, ...]
    critical_value_errors: tuple[float, ...]
    chi2: float
    dof: int
    p: float
    smallest: int
    largest: int
    n_runs: int
    n_points: int
    quantities: tuple[str, ...]
    method: str

    def to_dataset(self) -> xr.Dataset:
        """The numbers as variables, those of each quantity along ``quantity``, the words as attributes."""
        values = asdict(self)
        coords = {"quantity": list(values.pop("quantities"))}
        method = values.pop("method")
        variables = {
            name: (("quantity", list(value)) if isinstance(value, tuple) else ((), value)) + ({"units": _unit(name)},)
            for name, value in values.items()
        }
        return xr.Dataset(variables, coords, {"method": method})


def _unit(name: str) -> str:
    return "1/J" if name.startswith("beta_c") else "1"


def fit_shared(
    data: Data,
    quantities: Sequence[str] = ("binder", "xi_over_L"),
    dimension: int | str | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    smallest: int = 0,
    degree: int = 4,
) -> SharedFit:
    """One beta_c, nu and omega for several dimensionless quantities, each with a scaling function of its own.

    Each quantity has the form of `fit_scaling`, Q* + sum_k a_k x^k + N^-w (b_0 + b_1 x) + e t x. Points are weighted
    by their own errors; the errors of the result follow from jackknife replicas of every run, which move all quantities
    together. A Gaussian prior (value, error) adds ((theta - value) / error)^2 to chi2, and its width to the errors.
    omega is held (7/4, 0.83, 2 in mean field, as powers of L) unless it has a prior; nu is held at 1/2 in mean field.

    U4 and xi/L of one run rise and fall together (correlation 0.9), so that their difference is far better known than
    either. Weights from their full covariance would lean on it, where corrections that the form lacks show first: on
    square lattices L = 8 .. 64 they gave nu = 1.020(6), these weights 1.006(8). For the same reason chi2 scatters more
    than its dof says: p < 0.05 came out for 5 of 36 runs, not 2.

    Parameters
    ----------
    data
        As for `fit_scaling`.
    quantities
        Two or more among ``"binder"`` and ``"xi_over_L"`` (or one, for the sake of its priors).
    dimension
        2, 3, 5 or above, or ``"mean_field"``; by default the attribute ``dimension`` of the data.
    priors
        Of ``"beta_c"``, ``"nu"`` and ``"omega"``, such as ``{"omega": (0.83, 0.05)}``.
    smallest
        Leave out sizes of fewer sites.
    degree
        Of the polynomials.

    Raises
    ------
    ValueError
        As `fit_scaling`; if a prior is of another name or its error is not positive.

    Warns
    -----
    ScalingWarning
        If the fit is not credible (p < 0.05), or beta_c moves by more than 3 errors without the smallest size.

    References
    ----------
    M. Hasenbusch, Phys. Rev. B 82, 174433 (2010).
    """
    if not isinstance(quantities, list | tuple) or not all(isinstance(name, str) for name in quantities):
        refuse("quantities", "a list of names", quantities)
    if not isinstance(priors, Mapping | None):
        refuse("priors", "a dict of (value, error) by name, or None", priors)
    names, priors, degree = tuple(quantities), dict(priors or {}), as_integer("degree", degree, 1)
    _check(names, priors)
    law = law_of(data, dimension)
    runs = measure_sizes(data, smallest)
    n_sizes = len({run.n_sites for run in runs})
    if n_sizes < FEWEST_SIZES:
        raise ValueError(
            f"a scaling fit needs at least {FEWEST_SIZES} different sizes, got {n_sizes} from {smallest=} on: add sizes"
        )
    near, start = _near(runs, names, law)
    if "omega" in priors:
        start[2] = priors["omega"][0] / law.root
    forms = [Form(degree, False, law.w, law.critical_value(name), law.y is None) for name in names]
    system = System(near, forms, law, priors)
    fit = _report(solve(system, start), system, names)
    if fit.p <= LOWEST_P:
        warn(
            f"one beta_c and nu do not fit all sizes and quantities (chi2 = {fit.chi2:.1f}, dof = {fit.dof}): errors "
            "enlarged; leave out small sizes (smallest=) or widen a prior",
            ScalingWarning,
        )
    warn_of_drift(fit.beta_c_shift, fit.beta_c_error)
    return fit


def _check(names: tuple[str, ...], priors: Mapping[str, tuple[float, float]]) -> None:
    if not names or len(set(names)) < len(names):
        raise ValueError(f"quantities must be different names, got {names}")
    for name, prior in priors.items():
        as_choice("a name in priors", name, SHARED)
        if not isinstance(prior, list | tuple) or len(prior) != 2:
            refuse(f"priors[{name!r}]", "two numbers, value and error", prior)
        as_number(f"the value in priors[{name!r}]", prior[0])
        as_number(f"the error in priors[{name!r}]", prior[1], above=0)


def _near(runs: list[Measurement], names: tuple[str, ...], law: Law) -> tuple[list[Near], Array]:
    """The points of the window that all quantities share, and beta_c, y and w to start from."""
    crossing, y, reach = window(runs, names[0], law)
    found = []
    for run in runs:
        rows = np.stack([evaluate(run, name) for name in names])
        near = np.abs(run.beta - crossing.beta) <= reach * (run.n_sites / runs[-1].n_sites) ** -y
        near &= np.isfinite(rows).all(axis=(0, 1))
        check_near(run, int(near.sum()), crossing.beta)
        found.append(Near(run.n_sites, run.beta[near], rows[:, :, near]))
    return found, np.array([crossing.beta, y, law.w])


def _shifts(system: System, fit: Solution) -> tuple[float, float]:
    """Changes of beta_c and nu without the smallest size, NaN where too few remain."""
    smallest = min(run.n_sites for run in system.runs)
    rest = replace(system, runs=[run for run in system.runs if run.n_sites > smallest])
    if len({run.n_sites for run in rest.runs}) < FEWEST_SIZES:
        return float("nan"), float("nan")
    other = solve(rest, fit.theta)
    return float(other.theta[0] - fit.theta[0]), system.law.nu(other.theta[1]) - system.law.nu(fit.theta[1])


def _report(fit: Solution, system: System, names: tuple[str, ...]) -> SharedFit:
    p = float(chdtrc(fit.dof, fit.chi2))
    inflation = 1.0 if p > LOWEST_P else float(np.sqrt(fit.chi2 / fit.dof))
    errors, shared = inflation * np.sqrt(np.diag(fit.covariance)), system.shared(fit.theta)
    beta_c_shift, nu_shift = _shifts(system, fit)
    priors = ", ".join(f"{name} = {value:g}({error:g})" for name, (value, error) in system.priors.items())
    enlarged = f", errors enlarged by sqrt(chi2 / dof) = {inflation:.2f}" if inflation > 1 else ""
    return SharedFit(
        beta_c=shared["beta_c"],
        beta_c_error=float(errors[0]),
        beta_c_shift=beta_c_shift,
        nu=shared["nu"],
        nu_error=float(shared["nu"] * errors[1] / fit.theta[1]),
        nu_shift=nu_shift,
        omega=shared["omega"],
        omega_error=float(errors[2] * system.law.root),
        critical_values=tuple(fit.critical_values.tolist()),
        critical_value_errors=tuple(errors[3:].tolist()),
        chi2=fit.chi2,
        dof=fit.dof,
        p=p,
        smallest=min(run.n_sites for run in system.runs),
        largest=max(run.n_sites for run in system.runs),
        n_runs=len(system.runs),
        n_points=sum(len(run.beta) for run in system.runs),
        quantities=names,
        method=f"shared fit of degree {system.forms[0].degree} in x, priors: {priors or 'none'}{enlarged}",
    )
