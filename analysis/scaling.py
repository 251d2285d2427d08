"""One scaling function fitted to all sizes at once: `fit_scaling`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import product

import numpy as np
import xarray as xr

from .collapse import collapse_quality
from .crossing import PairCrossing, cross_extremes
from .joint_fit import Form, JointFit, Points, fit_jointly, flatten
from .laws import Law, law_of
from .measurement import Data, Measurement, measure_sizes
from .notices import warn
from .thermodynamics import evaluate

FEWEST_SIZES = 3
REACH = 0.6  # of Q*: beyond, beta_c of the Curie-Weiss model comes out low by an error and more
DEGREES = (4, 5, 6)
LOWEST_P = 0.05
DRIFT = 3.0


class ScalingWarning(UserWarning):
    """One scaling function does not fit all sizes within their errors, or the result depends on the smallest."""


@dataclass(frozen=True)
class ScalingFit:
    """Result of `fit_scaling`; every error is one standard deviation.

    Attributes
    ----------
    beta_c, beta_c_error
        Critical inverse temperature (1/J). The error is the larger of `beta_c_statistical` and `beta_c_scatter`.
    beta_c_statistical
        Jackknife error, times sqrt(chi2 / dof) where the fit is not credible (p < 0.05).
    beta_c_scatter
        Error of beta_c if every run had a beta_c of its own, apart at random in x by as much as its residuals say: for
        mean-field data, whose graphs differ by more than size. Half the width of a 68 % interval of Student's t: three
        runs leave one degree of freedom beside beta_c and b_0, a factor 1.84. NaN for flat lattices and where there are
        no more runs than numbers that move whole curves (beta_c, b_0, ...).
    beta_c_shift
        Change of beta_c when the smallest size is left out; NaN where too few sizes remain.
    nu, nu_error
        Correlation-length exponent; held at 1/2, error 0, for mean field.
    critical_value, critical_value_error
        Q* = Q(beta_c) of the infinite system; held, error 0, for the Binder cumulant of mean field.
    quality
        S of the collapse (see `collapse_quality`), fitted corrections taken off: about 1 where it is good, less by the
        share of fitted numbers.
    chi2, dof, p
        Of the fit to the estimates, and the probability of a larger chi2.
    degree
        Degree of the polynomial.
    smallest, largest
        Sizes used, in sites.
    n_runs, n_points
        Number of runs (sizes, or maps) and points in the window.
    quantity, method
        What was fitted, and how, in words.
    """

    beta_c: float
    beta_c_error: float
    beta_c_statistical: float
    beta_c_scatter: float
    beta_c_shift: float
    nu: float
    nu_error: float
    critical_value: float
    critical_value_error: float
    quality: float
    chi2: float
    dof: int
    p: float
    degree: int
    smallest: int
    largest: int
    n_runs: int
    n_points: int
    quantity: str
    method: str

    def to_dataset(self) -> xr.Dataset:
        """The numbers as scalar variables, the words as attributes."""
        values = asdict(self)
        words = {name: values.pop(name) for name in ("quantity", "method")}
        units = {name: "1/J" if name.startswith("beta_c") else "1" for name in values}
        return xr.Dataset({name: ((), value, {"units": units[name]}) for name, value in values.items()}, attrs=words)


def fit_scaling(
    data: Data, quantity: str = "binder", dimension: int | str | None = None, smallest: int = 0
) -> ScalingFit:
    """Critical point and exponent from one least-squares fit to all sizes.

    The form, with N = n_sites, is

        Q(beta, N) = Q* + sum_k a_k x^k + N^-w (b_0 + b_1 x) + e t x [+ c N^-2w],    t = beta / beta_c - 1,  x = t N^y;

    e allows for the curvature of the scaling field. Mean field: y = w = 1/2, Q* = 0.2705201283 for the Binder cumulant.
    Dimension d = 2, 3: y = 1 / (nu d), that is x = t L^(1/nu), with nu and Q* fitted, and w = omega / d from omega =
    7/4 (2D) and 0.83 (3D). The fit takes the points whose Q the linear term moves by less than 0.6 Q*, as judged at the
    crossing of the smallest with the largest size. The degree is 4; 5, 6 and the term c are tried in this order where
    chi2 is not credible (p < 0.05), c in mean field with 4 sizes or more. Errors come from the jackknife replicas of
    every size, one linear step of the fit each.

    Closed hyperbolic maps are no scaled copies of each other: a good run sees a beta_c of its own in every map,
    and the quoted error of mean-field data allows for that (`ScalingFit.beta_c_scatter`). Three maps leave little to
    judge the scatter by: use more, or join the error with `beta_c_shift`, as `critical_beta` does.

    Parameters
    ----------
    data
        As for `crossings`, at least 3 different sizes, which may have grids of their own; several maps may have the
        same number of sites. ``L`` may be a label.
    quantity
        ``"binder"`` or ``"xi_over_L"``.
    dimension
        2, 3, 5 or above, or ``"mean_field"``; by default the attribute ``dimension`` of the data.
    smallest
        Leave out sizes of fewer sites.

    Raises
    ------
    ValueError
        If there are fewer than 3 sizes or the dimension is unknown; if the smallest and the largest size do not cross
        within the data, a size has fewer than 2 points in the window, or the fit does not converge.

    Warns
    -----
    ScalingWarning
        If the fit is not credible (p < 0.05), or beta_c moves by more than 3 errors without the smallest size.

    References
    ----------
    M. Hasenbusch, Phys. Rev. B 82, 174433 (2010), for omega in 3D and joint fits of dimensionless quantities.
    """
    found = joint_scaling(data, quantity, dimension, smallest)
    if found.p <= LOWEST_P:
        warn(
            f"one scaling function does not fit all sizes (chi2 = {found.chi2:.1f}, dof = {found.dof}): errors "
            "enlarged; leave out small sizes (smallest=) or, of closed maps, those of small injectivity radius",
            ScalingWarning,
        )
    warn_of_drift(found.beta_c_shift, found.beta_c_error)
    return found


def joint_scaling(data: Data, quantity: str, dimension: int | str | None, smallest: int) -> ScalingFit:
    """`fit_scaling` without its warnings, for those who say chi2 and join the shift with the error."""
    law = law_of(data, dimension)
    runs = measure_sizes(data, smallest)
    n_sizes = len({run.n_sites for run in runs})
    if n_sizes < FEWEST_SIZES:
        raise ValueError(
            f"a scaling fit needs at least {FEWEST_SIZES} different sizes, got {n_sizes} from {smallest=} on: add sizes"
        )
    points, start = _points_near_crossing(runs, quantity, law)
    fit = _best_fit(points, law, quantity, start)
    return _report(fit, points, law, quantity)


def warn_of_drift(shift: float, error: float) -> None:
    """Warn where beta_c moves by more than 3 errors when the smallest size is left out."""
    if abs(shift) > DRIFT * error:
        warn(
            f"without the smallest size beta_c moves by {shift:.2g}, more than {DRIFT:g} errors of {error:.2g}: "
            "corrections to scaling exceed the error; leave out small sizes (smallest=) or quote the shift",
            ScalingWarning,
        )


def without_smallest(change: Callable[[], float]) -> float:
    """A change of beta_c; NaN with a warning where the fit behind it fails: the fit to all sizes stands."""
    try:
        return change()
    except ValueError as error:
        warn(f"how stable beta_c is, is not known: without the smallest size {error}", ScalingWarning)
        return float("nan")


def window(runs: list[Measurement], quantity: str, law: Law) -> tuple[PairCrossing, float, float]:
    """Crossing of the extreme sizes, y from their slopes unless it is known, and the reach in beta of the largest."""
    crossing, slopes = cross_extremes(runs, quantity)
    n_sites = np.array([runs[0].n_sites, runs[-1].n_sites])
    y = law.y or float(np.diff(np.log(slopes))[0] / np.diff(np.log(n_sites))[0])
    return crossing, y, REACH * crossing.value / slopes[-1]


def check_near(run: Measurement, n_points: int, beta: float) -> None:
    """Refuse a run with fewer than two points near the crossing."""
    if n_points < 2:
        name = run.n_sites if run.label is None else run.label
        raise ValueError(
            f"size {name} has {n_points} values of beta near the crossing {beta:g}, and 2 are needed: "
            "narrow its range of beta around there"
        )


def _points_near_crossing(runs: list[Measurement], quantity: str, law: Law) -> tuple[Points, tuple[float, float]]:
    """The points of the window, and where the fit starts: beta_c and y from the crossing of the extreme sizes."""
    crossing, y, reach = window(runs, quantity, law)
    pieces = []
    for run in runs:
        rows = evaluate(run, quantity)
        near = np.abs(run.beta - crossing.beta) <= reach * (run.n_sites / runs[-1].n_sites) ** -y
        near &= np.isfinite(rows).all(axis=0)
        check_near(run, int(near.sum()), crossing.beta)
        pieces.append((run.beta[near], rows[:, near]))
    return flatten(runs, pieces), (crossing.beta, y)


def _best_fit(points: Points, law: Law, quantity: str, start: tuple[float, float]) -> JointFit:
    """The first credible fit that converges, of increasing degree, without and then with the term N^-2w.

    Where none is, the degree of lowest chi2 / dof without it: a term that does not explain the misfit would only add
    leverage. The lowest degree is ample for the window, so that a choice, which would make errors too small, is seldom.
    """
    fits: list[JointFit] = []
    failures: list[ValueError] = []
    for second, degree in product((False, True), DEGREES):
        form = Form(degree, second, law.w, law.critical_value(quantity), law.dimension is not None)
        if (fits or failures) and not _determined(form, points):
            continue
        try:
            fits.append(fit_jointly(points, form, *start))
        except ValueError as error:
            failures.append(error)
            continue
        if fits[-1].p > LOWEST_P:
            return fits[-1]
    if not fits:
        raise failures[0]
    plain = [fit for fit in fits if not fit.form.second]
    return min(plain or fits, key=lambda fit: fit.chi2 / fit.dof)


def _determined(form: Form, points: Points) -> bool:
    """Whether a degree of freedom is left; between maps too, where N^-2w could mimic any scatter of them."""
    wanted = form.n_sizes_needed + (form.second and not form.free_y)
    return len(np.unique(points.n_sites)) >= wanted and form.n_parameters < len(points.value)


def _report(fit: JointFit, points: Points, law: Law, quantity: str) -> ScalingFit:
    inflation = 1.0 if fit.p > LOWEST_P else np.sqrt(fit.chi2 / fit.dof)
    statistical, y_error, value_error = inflation * np.sqrt(np.diag(fit.covariance))
    scatter = fit.scatter if law.dimension is None else np.nan
    nu = law.nu(fit.y)
    return ScalingFit(
        beta_c=fit.beta_c,
        beta_c_error=float(np.fmax(statistical, scatter)),
        beta_c_statistical=float(statistical),
        beta_c_scatter=scatter,
        beta_c_shift=_shift(fit, points, law, quantity),
        nu=nu,
        nu_error=float(nu * y_error / fit.y),
        critical_value=fit.critical_value,
        critical_value_error=float(value_error),
        quality=collapse_quality(fit.x, fit.residual, points.error, points.run),
        chi2=fit.chi2,
        dof=fit.dof,
        p=fit.p,
        degree=fit.form.degree,
        smallest=int(points.n_sites.min()),
        largest=int(points.n_sites.max()),
        n_runs=len(points.replicas),
        n_points=len(points.value),
        quantity=quantity,
        method=_words(fit, inflation, scatter > statistical),
    )


def _shift(fit: JointFit, points: Points, law: Law, quantity: str) -> float:
    """Change of beta_c without the smallest size, NaN where the others do not determine it."""
    rest = points.without_smallest()
    if not _determined(replace(fit.form, degree=DEGREES[0], second=False), rest):
        return float("nan")
    return without_smallest(lambda: _best_fit(rest, law, quantity, (fit.beta_c, fit.y)).beta_c - fit.beta_c)


def _words(fit: JointFit, inflation: float, scattered: bool) -> str:
    second = ", N^-2w" if fit.form.second else ""
    corrections = f"N^-w (1, x), t x{second}, w = {fit.form.w:.4g}"
    enlarged = f", errors enlarged by sqrt(chi2 / dof) = {inflation:.2f}" if inflation > 1 else ""
    scatter = ", beta_c_error from the scatter between runs" if scattered else ""
    return f"joint fit of degree {fit.form.degree} in x, corrections {corrections}{enlarged}{scatter}"
