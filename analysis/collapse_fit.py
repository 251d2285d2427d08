"""Data collapse of any quantity with its exponents: by the quality of a local master curve or by a Gaussian process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import chdtrc
from threadpoolctl import threadpool_limits

from .arguments import as_choice, as_flag, as_integer, as_number
from .collapse_methods import METHODS
from .collapse_problem import Collapse, Problem
from .crossing import DIMENSIONLESS, cross_extremes
from .joint_fit import Points, flatten
from .laws import Law, law_of
from .measurement import Data, Measurement, measure_sizes
from .notices import warn
from .resampling import Array
from .scaling import ScalingWarning, warn_of_drift, without_smallest
from .thermodynamics import QUANTITIES, evaluate

CROSSING = {"chi_sg": "binder_q", "susceptibility_staggered": "binder_staggered"}  # that finds beta_c of the others
LOWEST_P = 0.05
FEWEST_SIZES = 2


@dataclass(frozen=True, eq=False)
class CollapseFit:
    """Result of `fit_collapse`; every error is one standard deviation, 0 for what was held.

    Attributes
    ----------
    beta_c, beta_c_error, beta_c_shift
        Critical inverse temperature (1/J); the shift is its change without the smallest size, NaN where the others do
        not determine it.
    nu, nu_error, exponent, exponent_error
        x = t L^(1/nu), Q = L^exponent F(x).
    quality
        S of the collapse, see `collapse_quality`: about 1 where it is good, less by the share of fitted numbers.
    chi2, dof, p
        Of the points about the master curve; dof counts what the curve takes from them, so it need not be whole.
    log_likelihood
        Of the points ("gaussian_process"), NaN otherwise.
    smallest, largest, n_runs, n_points
        What was used, sizes in sites.
    points
        (point,): x, scaled = Q L^-exponent less the fitted corrections, scaled_error, beta, n_sites, L; from
        "gaussian_process" also the master curve: (place,) curve_x, curve, curve_error.
    """

    beta_c: float
    beta_c_error: float
    beta_c_shift: float
    nu: float
    nu_error: float
    exponent: float
    exponent_error: float
    quality: float
    chi2: float
    dof: float
    p: float
    log_likelihood: float
    smallest: int
    largest: int
    n_runs: int
    n_points: int
    quantity: str
    method: str
    points: xr.Dataset

    def to_dataset(self) -> xr.Dataset:
        """The numbers as scalar variables beside the points, the words as attributes."""
        values = {name: value for name, value in asdict(self).items() if name not in ("points", "quantity", "method")}
        units = {name: "1/J" if name.startswith("beta_c") else "1" for name in values}
        scalars = {name: ((), value, {"units": units[name]}) for name, value in values.items()}
        return self.points.assign(scalars).assign_attrs(quantity=self.quantity, method=self.method)


def fit_collapse(
    data: Data,
    quantity: str = "binder",
    method: str = "gaussian_process",
    dimension: int | str | None = None,
    *,
    beta_c: float | None = None,
    nu: float | None = None,
    exponent: float | None = None,
    corrections: bool = False,
    smallest: int = 0,
    resamples: int = 100,
    seed: int = 0,
) -> CollapseFit:
    """Best collapse of Q(beta, L) = L^exponent F(t L^(1/nu)) for an unknown function F, t = beta / beta_c - 1.

    "local_linear" minimizes S of `collapse_quality`; its F is a straight line between neighbouring points on top of one
    polynomial, and it knows no corrections to scaling. "gaussian_process" takes F, or ln F where there is an exponent,
    from a Gaussian process with a squared-exponential kernel and maximizes the likelihood of the points over the
    exponents and the kernel; with ``corrections`` a second process G takes part, F + L^-omega G, or ln F + L^-omega G,
    omega = 7/4 (2D), 0.83 (3D), 2 (mean field). All points of the data take part: give windows that shrink with L. L
    stands for N^(1/d), in mean field for N^(1/4), where nu is held at 1/2. Errors: the spread of the fits to points
    moved by Gaussian noise of their jackknife covariance; for "gaussian_process" one step of Newton's method each, or
    the width of the likelihood if that is more; times sqrt(chi2 / dof) where the collapse is not credible (p < 0.05).

    Parameters
    ----------
    data
        As for `crossings`, at least 2 different sizes; 3 for ``corrections`` and for the shift.
    quantity
        Any of `summarize`.
    method
        ``"gaussian_process"`` or ``"local_linear"``.
    dimension
        2, 3, 5 or above, or ``"mean_field"``; by default the attribute ``dimension`` of the data.
    beta_c, nu, exponent
        Held where given. The exponent is 0 for dimensionless quantities if not given.
    corrections
        Add the process G (only "gaussian_process").
    smallest
        Leave out sizes of fewer sites.
    resamples, seed
        Number of repetitions, 20 or more (100: errors known to 7 %), and the seed of their noise.

    Raises
    ------
    ValueError
        If arguments are impossible, values with an exponent are not positive, there are too few sizes, the smallest and
        the largest do not cross, the curves do not overlap or the fit does not converge.

    Warns
    -----
    ScalingWarning
        If the collapse is not credible (p < 0.05), or beta_c moves by more than 3 errors without the smallest size.

    References
    ----------
    J. Houdayer and A. K. Hartmann, Phys. Rev. B 70, 014418 (2004); K. Harada, Phys. Rev. E 84, 056704 (2011) and 92,
    012106 (2015). Unlike there, ln Q is what the process describes, and there is no noise beyond the errors.
    """
    _check(method, as_flag("corrections", corrections), as_integer("resamples", resamples, 20))
    as_choice("quantity", quantity, QUANTITIES)
    beta_c = None if beta_c is None else as_number("beta_c", beta_c, above=0)
    nu = None if nu is None else as_number("nu", nu, above=0)
    exponent = None if exponent is None else as_number("exponent", exponent, least=-100, most=100)
    seed = as_integer("seed", seed, 0)
    law = law_of(data, dimension)
    runs = measure_sizes(data, smallest)
    _check_sizes(runs, corrections)
    points = flatten(runs, [_finite(run, quantity) for run in runs])
    held = {"beta_c": beta_c, "y": law.y if nu is None else 1 / (nu * law.root)}
    held["k"] = (0.0 if quantity in DIMENSIONLESS else None) if exponent is None else exponent / law.root
    problem = Problem(points, law.w if corrections else None, _start(runs, quantity, held), held)
    find, spread = METHODS[method]
    with threadpool_limits(limits=1, user_api="blas"):  # small matrices, for which threads only wait
        best = find(problem, points.value)
        errors = spread(problem, best, _noise(points, resamples, np.random.default_rng(seed)))
        shift = _shift(problem, best, find)
    p = float(chdtrc(best.dof, best.chi2))
    errors = errors * (1.0 if p > LOWEST_P else np.sqrt(best.chi2 / best.dof))
    fit = _report(best, errors, p, shift, runs, points, law, quantity, _words(method, law, corrections))
    _warn(fit)
    return fit


def _warn(fit: CollapseFit) -> None:
    if fit.p <= LOWEST_P:
        warn(
            f"the curves do not collapse (chi2 = {fit.chi2:.1f}, dof = {fit.dof:.1f}): errors enlarged; take narrower "
            "windows of beta, leave out small sizes (smallest=) or allow for corrections=True",
            ScalingWarning,
        )
    warn_of_drift(fit.beta_c_shift, fit.beta_c_error)


def _check(method: str, corrections: bool, resamples: int) -> None:
    as_choice("method", method, METHODS)
    if corrections and method != "gaussian_process":
        raise ValueError(f"corrections need method='gaussian_process', got {method!r}")


def _check_sizes(runs: list[Measurement], corrections: bool) -> None:
    n_sizes, wanted = len({run.n_sites for run in runs}), FEWEST_SIZES + corrections
    if n_sizes < wanted:
        raise ValueError(f"this collapse needs at least {wanted} different sizes, got {n_sizes}: add sizes")


def _finite(run: Measurement, quantity: str) -> tuple[Array, Array]:
    rows = evaluate(run, quantity)
    usable = np.isfinite(rows).all(axis=0)
    return run.beta[usable], rows[:, usable]


def _start(runs: list[Measurement], quantity: str, held: dict[str, float | None]) -> Array:
    """beta_c, y and k: as held, else from the crossing of the extreme sizes, the slopes and the values there."""
    ends = runs[0], runs[-1]
    ratio = np.log(ends[1].n_sites / ends[0].n_sites)
    beta_c, y, k = held["beta_c"], held["y"], held["k"]
    if beta_c is None or y is None:
        crossing, slopes = cross_extremes(
            runs, quantity if quantity in DIMENSIONLESS else CROSSING.get(quantity, "binder")
        )
        beta_c = crossing.beta if beta_c is None else beta_c
        y = float(np.log(slopes[1] / slopes[0]) / ratio) if y is None else y
    if k is None:
        at = [np.interp(beta_c, run.beta, evaluate(run, quantity)[0]) for run in ends]
        k = float(np.log(at[1] / at[0]) / ratio) if min(at) > 0 else 0.0
    return np.array([beta_c, y, k])


def _noise(points: Points, resamples: int, rng: np.random.Generator) -> Array:
    """Gaussian noise of the jackknife covariance of the points: (resample, point)."""
    noise = np.empty((resamples, len(points.value)))
    for run, rows in enumerate(points.replicas):
        away = (rows - rows.mean(axis=0)) * np.sqrt((len(rows) - 1) / len(rows))
        noise[:, points.run == run] = rng.standard_normal((resamples, len(rows))) @ away
    return noise


def _shift(problem: Problem, best: Collapse, find: Callable[[Problem, Array], Collapse]) -> float:
    """Change of beta_c without the smallest size, NaN where too few remain or no collapse is found."""
    rest = problem.points.without_smallest()
    if len(np.unique(rest.n_sites)) < FEWEST_SIZES + (problem.w is not None):
        return float("nan")
    smaller = Problem(rest, problem.w, best.physical, problem.held)
    return without_smallest(lambda: float(find(smaller, rest.value).physical[0] - best.physical[0]))


def _words(method: str, law: Law, corrections: bool) -> str:
    second = f", corrections L^-{law.omega:g} from a second process" if corrections else ""
    return f"data collapse, {method.replace('_', ' ')}{second}; L = N^(1/{law.root})"


def _report(
    best: Collapse,
    errors: Array,
    p: float,
    shift: float,
    runs: list[Measurement],
    points: Points,
    law: Law,
    quantity: str,
    method: str,
) -> CollapseFit:
    beta_c, y, k = best.physical
    nu = law.nu(y)
    return CollapseFit(
        beta_c=float(beta_c),
        beta_c_error=float(errors[0]),
        beta_c_shift=shift,
        nu=float(nu),
        nu_error=float(nu * errors[1] / y),
        exponent=float(k * law.root),
        exponent_error=float(errors[2] * law.root),
        quality=best.quality,
        chi2=best.chi2,
        dof=best.dof,
        p=p,
        log_likelihood=best.log_likelihood,
        smallest=int(points.n_sites.min()),
        largest=int(points.n_sites.max()),
        n_runs=len(runs),
        n_points=len(points.value),
        quantity=quantity,
        method=method,
        points=_table(best, points, runs, quantity),
    )


def _table(best: Collapse, points: Points, runs: list[Measurement], quantity: str) -> xr.Dataset:
    name = QUANTITIES[quantity].long_name
    labels: NDArray[Any] = np.array([run.n_sites if run.label is None else run.label for run in runs])
    table = xr.Dataset(
        {
            "x": ("point", best.x, {"long_name": "t L^(1/nu), t = beta / beta_c - 1", "units": "1"}),
            "scaled": ("point", best.scaled, {"long_name": f"{name} times L^-exponent", "units": "1"}),
            "scaled_error": ("point", best.scaled_error, {"long_name": "its error", "units": "1"}),
            "beta": ("point", points.beta, {"long_name": "inverse temperature", "units": "1/J"}),
            "n_sites": ("point", points.n_sites.astype(np.int64), {"long_name": "number of sites", "units": "1"}),
        },
        {"L": ("point", labels[points.run])},
    )
    if best.curve is not None:
        for key, values in zip(("curve_x", "curve", "curve_error"), best.curve):
            table[key] = ("place", values, {"units": "1"})
    return table
