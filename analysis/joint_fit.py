"""Least squares for one scaling function through the points of all sizes at once (plain arrays)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr, stdtrit

from .curves import floored_errors
from .measurement import Measurement
from .resampling import Array, jackknife_covariance

MAX_STEPS = 60
MAX_HALVINGS = 20
CONVERGED = 1e-5  # step of a parameter, in its standard errors


@dataclass(frozen=True, eq=False)
class Points:
    """Points of all sizes, flat.

    Attributes
    ----------
    beta, n_sites, value, error
        (point,)
    run
        (point,), which run each point belongs to.
    replicas
        One array (block, points of the run) per run: jackknife replicas of its values less the values.
    """

    beta: Array
    n_sites: Array
    value: Array
    error: Array
    run: NDArray[np.intp]
    replicas: list[Array]

    def without_smallest(self) -> Points:
        """All points but those of the runs of fewest sites."""
        kept = self.n_sites > self.n_sites.min()
        runs, run = np.unique(self.run[kept], return_inverse=True)
        return Points(
            beta=self.beta[kept],
            n_sites=self.n_sites[kept],
            value=self.value[kept],
            error=self.error[kept],
            run=run,
            replicas=[self.replicas[i] for i in runs],
        )


def flatten(runs: list[Measurement], curves: list[tuple[Array, Array]]) -> Points:
    """Points of all runs from the curve of each: beta (n_beta,), and the estimate and replicas (1 + block, n_beta)."""
    counts = [len(beta) for beta, _ in curves]
    return Points(
        beta=np.concatenate([beta for beta, _ in curves]),
        n_sites=np.repeat([float(run.n_sites) for run in runs], counts),
        value=np.concatenate([rows[0] for _, rows in curves]),
        error=np.concatenate([floored_errors(rows) for _, rows in curves]),
        run=np.repeat(np.arange(len(runs)), counts),
        replicas=[rows[1:] - rows[0] for _, rows in curves],
    )


@dataclass(frozen=True)
class Form:
    """Q = Q* + sum_{k=1..degree} a_k x^k + N^-w (b_0 + b_1 x) + e t x [+ c N^-2w], t = beta / beta_c - 1.

    Here x = t (N / N_0)^y: the largest size N_0 keeps y apart from the amplitudes. Q* is fitted where None, y where
    ``free_y``, c where ``second``.
    """

    degree: int
    second: bool
    w: float
    critical_value: float | None
    free_y: bool

    @property
    def n_corrections(self) -> int:
        """Number of the terms b_0, b_1, e and c."""
        return 3 + self.second

    @property
    def n_sizes_needed(self) -> int:
        """How many sizes determine what moves whole curves: beta_c, b_0 and, where fitted, Q* and c."""
        return 2 + self.second + (self.critical_value is None)

    @property
    def n_parameters(self) -> int:
        """Number of fitted numbers."""
        return 1 + self.free_y + (self.critical_value is None) + self.degree + self.n_corrections

    def design(self, t: Array, x: Array, n_sites: Array) -> tuple[Array, Array, Array]:
        """Columns of the linear terms, Q* first where fitted, and their derivatives by x and by t: (point, term)."""
        zero, decay = np.zeros_like(x), n_sites**-self.w
        first = 0 if self.critical_value is None else 1
        powers = [x**k for k in range(first, self.degree + 1)]
        derivatives = [k * x ** max(k - 1, 0) for k in range(first, self.degree + 1)]
        columns = [*powers, decay, decay * x, t * x, decay**2]
        by_x = [*derivatives, zero, decay, t, zero]
        by_t = [*[zero] * len(powers), zero, zero, x, zero]
        n_terms = len(powers) + self.n_corrections
        stacked = [np.stack(terms[:n_terms], axis=1) for terms in (columns, by_x, by_t)]
        return stacked[0], stacked[1], stacked[2]


@dataclass(frozen=True, eq=False)
class JointFit:
    """A converged fit.

    Attributes
    ----------
    beta_c, y, critical_value
        The numbers of interest, fitted or held.
    covariance
        (3, 3) of beta_c, y and Q* from the jackknife replicas of every run; zero for what was held.
    chi2, dof
        Of the fit with the errors of the points taken as independent.
    scatter
        Error of beta_c if every run had one of its own, apart in x by as much as the residuals say, times Student's
        factor for few runs; NaN where none is left to judge by.
    x, residual
        (point,): the scaling variable (beta / beta_c - 1) N^y, and Q less the whole fit.
    """

    form: Form
    beta_c: float
    y: float
    critical_value: float
    covariance: Array
    chi2: float
    dof: int
    scatter: float
    x: Array
    residual: Array

    @property
    def p(self) -> float:
        """Probability of a larger chi-square."""
        return float(chdtrc(self.dof, self.chi2))


def fit_jointly(points: Points, form: Form, beta_c: float, y: float) -> JointFit:
    """Gauss-Newton in beta_c and y, the linear terms solved anew at every step; errors by one linear step per replica.

    Raises
    ------
    ValueError
        If there are not more points than parameters, the fit does not converge, or beta_c leaves the data.
    """
    dof = len(points.value) - form.n_parameters
    if dof < 1:
        raise ValueError(
            f"{form.n_parameters} parameters need more than {len(points.value)} points near beta_c, "
            "whose number depends on the dimension: use more beta there"
        )
    unit = float(np.max(np.abs(points.beta / beta_c - 1)))  # makes x of order one
    theta = np.array([beta_c, y])
    linear, residual, jacobian = _linearize(points, form, theta, unit)
    for _ in range(MAX_STEPS):
        inverse = _pseudo_inverse(jacobian)
        step = (inverse @ residual)[: 1 + form.free_y]
        errors = np.sqrt(np.sum(inverse[: len(step)] ** 2, axis=1))
        if np.all(np.abs(step) < CONVERGED * errors):
            break
        theta, (linear, residual, jacobian) = _descend(points, form, theta, step, unit, residual)
    else:
        raise ValueError(
            f"the scaling fit did not converge in {MAX_STEPS} steps (beta_c = {theta[0]:.6g}): "
            "use more sizes, more beta near the crossing or smaller errors"
        )
    if not points.beta.min() < theta[0] < points.beta.max():
        grid = f"[{points.beta.min():g}, {points.beta.max():g}]"
        raise ValueError(
            f"the scaling fit puts beta_c = {theta[0]:.6g} outside the points {grid}: widen the range of beta"
        )
    return _result(points, form, theta, linear, residual, jacobian, unit)


def _variables(points: Points, theta: Array, unit: float) -> tuple[Array, Array, Array]:
    """t, the ratio x / t and x of every point."""
    t = points.beta / theta[0] - 1
    ratio = (points.n_sites / points.n_sites.max()) ** theta[1] / unit
    return t, ratio, ratio * t


def _linearize(points: Points, form: Form, theta: Array, unit: float) -> tuple[Array, Array, Array]:
    """Best linear terms at theta, weighted residuals (point,) and Jacobian (point, parameter): theta, then linear."""
    t, ratio, x = _variables(points, theta, unit)
    columns, by_x, by_t = form.design(t, x, points.n_sites)
    target = points.value - (form.critical_value or 0.0)
    weighted = columns / points.error[:, np.newaxis]
    linear = np.linalg.lstsq(weighted, target / points.error, rcond=None)[0]
    slope = by_x @ linear
    by_theta = [-(slope * ratio + by_t @ linear) * (1 + t) / theta[0]]
    if form.free_y:
        by_theta.append(slope * x * np.log(points.n_sites / points.n_sites.max()))
    jacobian = np.column_stack([*[column / points.error for column in by_theta], weighted])
    return linear, target / points.error - weighted @ linear, jacobian


def _descend(
    points: Points, form: Form, theta: Array, step: Array, unit: float, residual: Array
) -> tuple[Array, tuple[Array, Array, Array]]:
    """The longest of the halved steps that lowers chi-square; the last one where rounding hides the gain."""
    chi2 = residual @ residual
    full = np.zeros(2)
    full[: len(step)] = step
    for halving in range(MAX_HALVINGS):
        trial = theta + 0.5**halving * full
        if trial[0] > 0 and trial[1] > 0:
            state = _linearize(points, form, trial, unit)
            if state[1] @ state[1] <= chi2 * (1 + 1e-12):
                return trial, state
    raise ValueError(f"the scaling fit did not converge: no step from beta_c = {theta[0]:.6g} lowers chi-square")


def _pseudo_inverse(jacobian: Array) -> Array:
    norms = np.linalg.norm(jacobian, axis=0)
    return np.asarray(np.linalg.pinv(jacobian / norms, rcond=1e-12) / norms[:, np.newaxis])


def _result(
    points: Points, form: Form, theta: Array, linear: Array, residual: Array, jacobian: Array, unit: float
) -> JointFit:
    x = _variables(points, theta, unit)[2]
    free_value = form.critical_value is None
    inverse = _pseudo_inverse(jacobian)
    n_runs = len(points.replicas)
    kept = [0, 1, 1 + form.free_y]  # rows of beta_c, y and Q* in the pseudo-inverse
    response = inverse[kept] / points.error  # (3, point)
    response[[False, not form.free_y, not free_value]] = 0.0
    return JointFit(
        form=form,
        beta_c=float(theta[0]),
        y=float(theta[1]),
        critical_value=float(linear[0]) if form.critical_value is None else form.critical_value,
        covariance=_covariance(points, response),
        chi2=float(residual @ residual),
        dof=len(points.value) - form.n_parameters,
        scatter=_scatter(points, residual, jacobian, inverse, theta[1]) * _student(n_runs - form.n_sizes_needed),
        x=x * unit * points.n_sites.max() ** theta[1],
        residual=residual * points.error,
    )


def _covariance(points: Points, response: Array) -> Array:
    """Sum over runs of the jackknife covariance of the parameters: (parameter, parameter)."""
    total: Array = np.zeros((len(response), len(response)))
    for run, rows in enumerate(points.replicas):
        moved: Any = rows @ response[:, points.run == run].T  # (block, parameter)
        total = total + jackknife_covariance(moved[:, :, np.newaxis], moved[:, np.newaxis, :])
    return total


def _student(dof: int) -> float:
    """Half width of a 68 % interval whose scale has dof degrees of freedom (1.84, 1.32, ... 1); NaN without any."""
    return float(stdtrit(dof, ndtr(1.0))) if dof > 0 else float("nan")


def _scatter(points: Points, residual: Array, jacobian: Array, inverse: Array, y: float) -> float:
    """Error of beta_c if every run had one of its own, apart in x by as much as the residuals say.

    With r_i the shift of run i that its residuals ask for, and M_ij what a unit shift of run j leaves of it after the
    fit, shift^2 = sum_i r_i^2 / sum_ij M_ij^2.
    """
    by_x = jacobian[:, 0] * points.n_sites**-y
    member = (points.run[:, np.newaxis] == np.arange(len(points.replicas))) * by_x[:, np.newaxis]  # (point, run)
    asked = (member / np.sum(member**2, axis=0)).T  # weighted residuals -> shift of every run
    left = asked @ (member - jacobian @ (inverse @ member))
    shift = np.linalg.norm(asked @ residual) / np.linalg.norm(left)
    return float(shift * np.linalg.norm(inverse[0] @ member))
