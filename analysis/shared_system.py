"""Least squares for several quantities that share beta_c, y and w (plain arrays)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from .curves import floored_errors
from .joint_fit import Form
from .laws import Law
from .resampling import Array, jackknife_covariance

STEP = 1e-6  # of the numerical derivatives, in units of the parameter
SHARED = ("beta_c", "nu", "omega")


@dataclass(frozen=True, eq=False)
class Near:
    """Points of one run near beta_c: beta (point,), rows (quantity, 1 + block, point)."""

    n_sites: int
    beta: Array
    rows: Array

    def errors(self) -> Array:
        """Jackknife errors, (point, quantity)."""
        return np.array([floored_errors(rows) for rows in self.rows]).T


@dataclass(frozen=True, eq=False)
class System:
    """Points of all runs, the form of every quantity and the priors on beta_c, nu and omega."""

    runs: list[Near]
    forms: list[Form]
    law: Law
    priors: Mapping[str, tuple[float, float]]

    @property
    def free(self) -> NDArray[np.intp]:
        """Which of beta_c, y and w are fitted."""
        return np.flatnonzero([True, self.law.y is None, "omega" in self.priors])

    def shared(self, theta: Array) -> dict[str, float]:
        """beta_c, nu and omega of theta = (beta_c, y, w)."""
        return dict(zip(SHARED, (float(theta[0]), self.law.nu(float(theta[1])), float(theta[2]) * self.law.root)))

    def design(self, theta: Array) -> Array:
        """Linear terms of all quantities: (point, quantity, term)."""
        beta = np.concatenate([run.beta for run in self.runs])
        n_sites = np.repeat([float(run.n_sites) for run in self.runs], [len(run.beta) for run in self.runs])
        t = beta / theta[0] - 1
        x = t * n_sites ** theta[1]
        x = x / np.max(np.abs(x))
        blocks = [replace(form, w=float(theta[2])).design(t, x, n_sites)[0] for form in self.forms]
        return np.stack(
            [np.hstack([block * (i == j) for j, block in enumerate(blocks)]) for i in range(len(blocks))], 1
        )

    def target(self) -> Array:
        """Values less what is known of Q*: (point, quantity)."""
        known = np.array([form.critical_value or 0.0 for form in self.forms])
        return np.concatenate([run.rows[:, 0].T for run in self.runs]) - known

    def prior_residuals(self, theta: Array) -> Array:
        """(theta - value) / error of every prior."""
        shared = self.shared(theta)
        return np.array([(shared[name] - value) / error for name, (value, error) in self.priors.items()])


@dataclass(frozen=True, eq=False)
class Solution:
    """Optimum: theta = (beta_c, y, w) and Q* of each quantity, with one covariance matrix of them all."""

    theta: Array
    critical_values: Array
    covariance: Array
    chi2: float
    dof: int


def solve(system: System, start: Array) -> Solution:
    """Least squares in theta with the linear terms solved at every step; errors by one linear step per replica.

    Raises
    ------
    ValueError
        If there are not more points than parameters, the fit does not converge, or beta_c leaves the data.
    """
    errors = np.concatenate([run.errors() for run in system.runs])  # (point, quantity)
    target = (system.target() / errors).ravel()
    free, beta = system.free, np.concatenate([run.beta for run in system.runs])

    def full(values: Array) -> Array:
        theta = start.copy()
        theta[free] = values
        return theta

    def weighted(theta: Array) -> Array:
        design = system.design(theta)
        return np.asarray((design / errors[:, :, np.newaxis]).reshape(-1, design.shape[2]))

    def residuals(values: Array) -> Array:
        theta = full(values)
        columns = weighted(theta)
        linear = np.linalg.lstsq(columns, target, rcond=None)[0]
        return np.concatenate([target - columns @ linear, system.prior_residuals(theta)])

    n_parameters = len(free) + weighted(start).shape[1]
    dof = len(target) + len(system.priors) - n_parameters
    if dof < 1:
        raise ValueError(
            f"{n_parameters} parameters need more than {len(target)} values near beta_c, "
            "whose number depends on the dimension: use more beta"
        )
    scale = np.array([np.ptp(beta) / 10, 0.05, 0.05])[free]
    bounds = np.array([beta.min(), 1e-3, 1e-3])[free], np.array([beta.max(), 10.0, 10.0])[free]
    found = least_squares(residuals, start[free], x_scale=scale, bounds=bounds, xtol=1e-12, ftol=1e-12, gtol=1e-12)
    if not found.success or found.active_mask.any():
        raise ValueError(f"the shared fit did not converge (beta_c = {found.x[0]:.6g}): use more sizes or more beta")
    theta, columns = full(found.x), weighted(full(found.x))
    linear = np.linalg.lstsq(columns, target, rcond=None)[0]
    by_theta = [_slope(lambda v: weighted(full(v)) @ linear, found.x, i) for i in range(len(free))]
    by_prior = [_slope(lambda v: system.prior_residuals(full(v)), found.x, i) for i in range(len(free))]
    top = np.column_stack([*by_theta, columns])
    jacobian = np.vstack([top, np.column_stack([*by_prior, np.zeros((len(system.priors), columns.shape[1]))])])
    return _solution(system, theta, linear, jacobian, errors, (float(2 * found.cost), dof))


def _slope(function: object, place: Array, i: int) -> Array:
    step = STEP * max(abs(place[i]), 1e-3) * np.eye(len(place))[i]
    return np.asarray((function(place + step) - function(place - step)) / (2 * step[i]))  # type: ignore[operator]


def _solution(
    system: System, theta: Array, linear: Array, jacobian: Array, errors: Array, fit: tuple[float, int]
) -> Solution:
    norms = np.linalg.norm(jacobian, axis=0)
    inverse = np.linalg.pinv(jacobian / norms, rcond=1e-12) / norms[:, np.newaxis]
    places, first = {int(i): row for row, i in enumerate(system.free)}, len(system.free)
    wanted: list[int | None] = [places.get(i) for i in range(3)]
    values = []
    for form in system.forms:
        fitted = form.critical_value is None
        wanted.append(first if fitted else None)
        values.append(linear[first - len(system.free)] if fitted else form.critical_value)
        first += form.degree + form.n_corrections + fitted
    response = np.array([np.zeros(inverse.shape[1]) if row is None else inverse[row] for row in wanted])
    n_priors = len(system.priors)
    of_data, of_priors = np.split(response, [response.shape[1] - n_priors], axis=1)
    covariance = of_priors @ of_priors.T
    of_points, begin = of_data.reshape(len(wanted), *errors.shape) / errors, 0
    for run in system.runs:
        end = begin + len(run.beta)
        moved = np.einsum(
            "apj,jbp->ba", of_points[:, begin:end], run.rows[:, 1:] - run.rows[:, :1]
        )  # (block, parameter)
        covariance = covariance + jackknife_covariance(moved[:, :, np.newaxis], moved[:, np.newaxis])
        begin = end
    return Solution(theta, np.array(values, dtype=float), covariance, *fit)
