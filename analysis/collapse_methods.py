"""Two measures of a data collapse and their optima over beta_c and the exponents (plain arrays)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

from .collapse import collapse_quality, misfits
from .gaussian_process import Kernel, effective_parameters, log_likelihood, posterior
from .joint_fit import Points
from .resampling import Array

NAMES = ("beta_c", "y", "k")
STEP = 0.03  # first step of the search: in x of the largest size's window, in y and in k
COMPARED = 0.5  # share of the points that another size must surround
NO_OVERLAP = 1e6
PLACES = 101
FLAT = 0.01  # slope of ln likelihood at a maximum: curvatures of 100 and more leave steps below 1 % of an error
LOG_BOUNDS = {"amplitude": (-7.0, 2.0), "length": (-3.0, 3.0), "correction": (-12.0, 2.0)}
LOG_STARTS = {"amplitude": 0.0, "length": 0.0, "correction": -3.0}
NEWTON_STEP, LEAST_CURVATURE = 1e-3, 1e-2


@dataclass(frozen=True, eq=False)
class Problem:
    """Points, the exponent w of corrections (None: without), and where the search for beta_c, y and k starts."""

    points: Points
    w: float | None
    start: Array
    held: Mapping[str, float | None]

    @property
    def free(self) -> NDArray[np.intp]:
        """Which of beta_c, y and k are fitted."""
        return np.flatnonzero([self.held[name] is None for name in NAMES])

    @property
    def ratio(self) -> Array:
        """N / N_0 with the largest size N_0, (point,)."""
        return np.asarray(self.points.n_sites / self.points.n_sites.max())

    @property
    def unit(self) -> float:
        """Makes x of order one: the largest |t| of the largest size."""
        largest = self.points.n_sites == self.points.n_sites.max()
        return float(np.max(np.abs(self.points.beta[largest] / self.start[0] - 1)))

    def physical(self, steps: Array) -> Array:
        """beta_c, y and k after steps in the free ones, in units of `steps`."""
        found = self.start.copy()
        found[self.free] += self.steps[self.free] * steps
        return found

    @property
    def steps(self) -> Array:
        """Units of beta_c, y and k in the search."""
        return STEP * np.array([self.unit * self.start[0], 1.0, 1.0])

    def x(self, physical: Array) -> Array:
        """Scaling variable t (N / N_0)^y / unit, (point,)."""
        return np.asarray((self.points.beta / physical[0] - 1) * self.ratio ** physical[1] / self.unit)

    @property
    def decay(self) -> Array:
        """(N / N_0)^-w, (point,)."""
        return np.asarray(self.ratio ** -(self.w or 0.0))

    @property
    def logarithmic(self) -> bool:
        """Whether the process is that of ln Q, where L^k is a term: no k makes points likely by shrinking them."""
        return self.held["k"] != 0

    def gradient(self, physical: Array, by_x: Array, by_k: float) -> Array:
        """Derivatives by the free steps from those by the x of every point and by k."""
        x_by_beta_c = -self.points.beta / physical[0] ** 2 * self.ratio ** physical[1] / self.unit
        by_physical = [by_x @ x_by_beta_c, by_x @ (self.x(physical) * np.log(self.ratio)), by_k]
        return (np.array(by_physical) * self.steps)[self.free]


@dataclass(frozen=True, eq=False)
class Collapse:
    """An optimum: physical = (beta_c, y, k), the vector it was found at, and the collapsed points.

    `x`, `scaled`, `scaled_error`: (point,) in units of N^y and N^k; `curve`: x, master curve and its error, or None.
    """

    physical: Array
    vector: Array
    quality: float
    chi2: float
    dof: float
    log_likelihood: float
    x: Array
    scaled: Array
    scaled_error: Array
    curve: tuple[Array, Array, Array] | None


def local_linear(problem: Problem, values: Array, near: Collapse | None = None) -> Collapse:
    """Minimum of the quality S, searched from another optimum if given."""
    points = problem.points

    def quality(steps: Array) -> float:
        physical = problem.physical(steps)
        z = misfits(problem.x(physical), *_rescaled(problem, values, physical), points.run)
        compared = np.isfinite(z)
        return float(np.mean(z[compared] ** 2)) if compared.mean() >= COMPARED and physical[1] > 0 else NO_OVERLAP

    start = np.zeros(len(problem.free)) if near is None else near.vector
    simplex = start + np.vstack([np.zeros_like(start), np.eye(len(start))])
    options = {"initial_simplex": simplex, "xatol": 3e-4, "fatol": np.inf, "maxiter": 2_000}  # S jumps
    found = OptimizeResult(x=start, fun=quality(start), success=True)
    if len(start):
        found = minimize(quality, start, method="Nelder-Mead", options=options)
    if found.fun == NO_OVERLAP:
        raise ValueError("the curves of the sizes do not overlap: give beta windows around beta_c that share x")
    _check(problem, found, bool(found.success))
    physical = problem.physical(found.x)
    x, scaled, error = _in_sites(problem, values, physical)
    s = collapse_quality(x, scaled, error, points.run)
    n_compared = int(np.isfinite(misfits(x, scaled, error, points.run)).sum())
    dof = float(n_compared - len(problem.free))
    return Collapse(physical, found.x, s, s * n_compared, dof, np.nan, x, scaled, error, None)


@dataclass(frozen=True, eq=False)
class _Target:
    """What the process describes: (Q or ln Q - level) / scale with its errors, (point,) each."""

    values: Array
    error: Array
    level: float
    scale: float


def _target(problem: Problem, values: Array) -> _Target:
    error = problem.points.error
    if problem.logarithmic:
        if not (values > 0).all():
            raise ValueError("a collapse with an exponent needs positive values: take another quantity or exponent=0")
        values, error = np.log(values), error / values
    level = float(values.mean())
    scale = float(np.max(np.abs(values - level)))
    return _Target((values - level) / scale, error / scale, level, scale)


def gaussian_process(problem: Problem, values: Array) -> Collapse:
    """Maximum of the likelihood of a Gaussian process."""
    target = _target(problem, values)
    names = ["amplitude", "length"] if problem.w is None else ["amplitude", "length", "correction", "length"]
    bounds = [(-200.0, 200.0)] * len(problem.free) + [LOG_BOUNDS[name] for name in names]
    start = np.array([*np.zeros(len(problem.free)), *[LOG_STARTS[name] for name in names]])

    def cost(vector: Array) -> tuple[float, Array]:
        value, gradient = _likelihood(problem, vector, target)
        return -value, -gradient

    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": FLAT, "maxiter": 1_000})
    inside = [low < value < high for value, (low, high) in zip(found.x, bounds)]
    _check(problem, found, bool(np.max(np.abs(found.jac[inside])) < 5 * FLAT))  # rounding may end the search this near
    return _explained(problem, values, target, found)


def _likelihood(problem: Problem, vector: Array, target: _Target) -> tuple[float, Array]:
    """Logarithm of the likelihood and its derivatives by the free steps and the logarithms of the kernel."""
    physical, log_ratio = problem.physical(vector[: len(problem.free)]), np.log(problem.ratio) / target.scale
    values = target.values - physical[2] * log_ratio
    fit = log_likelihood(_kernel(problem, vector), problem.x(physical), problem.decay, values, target.error)
    by_steps = problem.gradient(physical, fit.by_x, float(-fit.by_values @ log_ratio))
    return fit.value, np.concatenate([by_steps, fit.by_kernel])


def search_errors(problem: Problem, best: Collapse, noise: Array) -> Array:
    """Spread of the optima of S for the points with noise, (3,): S has kinks, so that each is searched for."""
    return np.std([local_linear(problem, problem.points.value + move, best).physical for move in noise], axis=0, ddof=1)


def likelihood_errors(problem: Problem, best: Collapse, noise: Array) -> Array:
    """Errors of the optimum, (3,): its spread for points with noise, or the width of the likelihood, whichever is more.

    The first, one step of Newton's method each, knows how the points vary together; the second, from the curvature at
    the optimum, knows what F and G might have been.
    """
    target, vector = _target(problem, problem.points.value), best.vector

    def gradient(place: Array, values: Array) -> Array:
        return _likelihood(problem, place, replace(target, values=values))[1]

    shifts = NEWTON_STEP * np.eye(len(vector))
    hessian = [(gradient(vector + h, target.values) - gradient(vector - h, target.values)) for h in shifts]
    curvature = -(np.array(hessian) + np.transpose(hessian)) / (4 * NEWTON_STEP)
    curvatures, directions = np.linalg.eigh(curvature)
    inverse = directions / np.maximum(curvatures, LEAST_CURVATURE) @ directions.T
    moves = noise / target.scale / (problem.points.value if problem.logarithmic else 1.0)
    base = gradient(vector, target.values)
    steps = np.array([gradient(vector, target.values + move) - base for move in moves]) @ inverse
    free = len(problem.free)
    errors = np.zeros(3)
    errors[problem.free] = np.maximum(np.std(steps, axis=0, ddof=1), np.sqrt(np.diag(inverse)))[:free]
    return errors * problem.steps


def _kernel(problem: Problem, vector: Array) -> Kernel:
    return Kernel(*np.exp(vector[len(problem.free) :]))


def _explained(problem: Problem, raw: Array, target: _Target, found: OptimizeResult) -> Collapse:
    """The optimum with what its process says about every point; the corrections are taken off the collapsed points."""
    physical, points, kernel = problem.physical(found.x[: len(problem.free)]), problem.points, _kernel(problem, found.x)
    x, values = problem.x(physical), target.values - physical[2] * np.log(problem.ratio) / target.scale
    places = np.linspace(x.min(), x.max(), PLACES)
    n_master = PLACES + len(x)  # F at the places and at the points, then the points themselves
    covariance = kernel.matrix(np.concatenate([places, x, x]), np.append(np.zeros(n_master), problem.decay))
    mean, spread = posterior(covariance, values, target.error)
    residual = (values - mean[n_master:]) / target.error
    fixed = covariance[n_master:, n_master:]
    x, scaled, scaled_error = _in_sites(problem, raw, physical)
    corrections = (
        target.scale * (mean[n_master:] - mean[PLACES:n_master]) if problem.w is not None else np.zeros(len(x))
    )
    curve, curve_error = target.level + target.scale * mean[:PLACES], target.scale * spread[:PLACES]
    if problem.logarithmic:
        scaled, scaled_error = scaled * np.exp(-corrections), scaled_error * np.exp(-corrections)
        curve = np.exp(curve) * points.n_sites.max() ** -physical[2]
        curve_error = curve * curve_error
    else:
        scaled = scaled - corrections
    to_values = np.sum(np.log(raw)) if problem.logarithmic else 0.0
    return Collapse(
        physical=physical,
        vector=found.x,
        quality=collapse_quality(x, scaled, scaled_error, points.run),
        chi2=float(residual @ residual),
        dof=len(values) - effective_parameters(fixed, target.error) - len(problem.free),
        log_likelihood=float(-found.fun - len(values) * np.log(target.scale) - to_values),
        x=x,
        scaled=scaled,
        scaled_error=scaled_error,
        curve=(places * problem.unit * points.n_sites.max() ** physical[1], curve, curve_error),
    )


def _rescaled(problem: Problem, values: Array, physical: Array) -> tuple[Array, Array]:
    factor = problem.ratio ** -physical[2]
    return values * factor, problem.points.error * factor


def _in_sites(problem: Problem, values: Array, physical: Array) -> tuple[Array, Array, Array]:
    """Scaling variable t N^y, values and errors times N^-k."""
    n_sites = problem.points.n_sites
    factor = n_sites ** -physical[2]
    return (
        (problem.points.beta / physical[0] - 1) * n_sites ** physical[1],
        values * factor,
        problem.points.error * factor,
    )


def _check(problem: Problem, found: OptimizeResult, converged: bool) -> None:
    """Refuse an optimum that was not reached, or lies outside the data."""
    physical, beta = problem.physical(found.x[: len(problem.free)]), problem.points.beta
    if not converged:
        raise ValueError(f"the collapse did not converge (beta_c = {physical[0]:.6g}): use more beta near the crossing")
    if not beta.min() < physical[0] < beta.max():
        raise ValueError(
            f"the collapse puts beta_c = {physical[0]:.6g} outside the points [{beta.min():g}, {beta.max():g}]: "
            "widen the range of beta"
        )


METHODS: dict[str, tuple[Callable[[Problem, Array], Collapse], Callable[[Problem, Collapse, Array], Array]]] = {
    "gaussian_process": (gaussian_process, likelihood_errors),
    "local_linear": (local_linear, search_errors),
}
