"""Two measures of a data collapse and their optima over beta_c and the exponents (plain arrays)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from .collapse import collapse_quality, misfits
from .collapse_problem import NAMES, STEP, Collapse, Problem, check, in_sites
from .gaussian_process import Kernel, effective_parameters, log_likelihood, posterior
from .resampling import Array

COMPARED = 0.5  # share of the points that another size must surround
NO_OVERLAP = 1e6
PLACES = 101
FLAT = 0.01  # slope of ln likelihood at a maximum: curvatures of 100 and more leave steps below 1 % of an error
ROUGHLY_FLAT = 1.0
LOG_BOUNDS = {"amplitude": (-7.0, 2.0), "length": (-3.0, 3.0), "correction": (-12.0, 2.0)}
LOG_STARTS = {"amplitude": 0.0, "correction": -3.0}
LENGTHS = (0.0, 1.0, -1.0)  # logarithms of the kernel's length where the searches start
REACH, LEAST_Y = 1 / STEP, 0.05  # of the search, in steps
NEWTON_STEP, LEAST_CURVATURE = 1e-3, 1e-2


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
    check(problem, found, bool(found.success))
    physical = problem.physical(found.x)
    x, scaled, error = in_sites(problem, values, physical)
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
    """Maximum of the likelihood of a Gaussian process, the highest that is found from several lengths of the kernel."""
    target, bounds = _target(problem, values), _bounds(problem)
    found = min((_climb(problem, target, bounds, length) for length in LENGTHS), key=lambda search: float(search.fun))
    inside = np.array([low < value < high for value, (low, high) in zip(found.x, bounds)])
    level = np.max(np.abs(found.jac[inside]), initial=0.0) < 5 * FLAT  # rounding may end the search this near
    check(problem, found, bool(level and inside[: len(problem.free)].all()))
    best = _explained(problem, values, target, found)
    if best.dof < 1:
        raise ValueError(f"the master curve takes all but {best.dof:.2g} degrees of freedom: use more beta or sizes")
    return best


def _kernel_names(problem: Problem) -> list[str]:
    return ["amplitude", "length"] if problem.w is None else ["amplitude", "length", "correction", "length"]


def _bounds(problem: Problem) -> list[tuple[float, float]]:
    """beta_c stays within one window of the largest size from the start, y and k within 1; then those of the kernel."""
    lowest = {"y": max(-REACH, (LEAST_Y - problem.start[1]) / STEP)}
    physical = [(lowest.get(NAMES[i], -REACH), REACH) for i in problem.free]
    return physical + [LOG_BOUNDS[name] for name in _kernel_names(problem)]


def _climb(problem: Problem, target: _Target, bounds: list[tuple[float, float]], length: float) -> OptimizeResult:
    """Search from one length of the kernel, in the kernel alone at first: far off, it would lead the others astray."""
    free = len(problem.free)
    start = np.array([length if name == "length" else LOG_STARTS[name] for name in _kernel_names(problem)])

    def cost(vector: Array) -> tuple[float, Array]:
        value, gradient = _likelihood(problem, vector, target)
        return -value, -gradient

    def kernel_cost(kernel: Array) -> tuple[float, Array]:
        value, gradient = cost(np.concatenate([np.zeros(free), kernel]))
        return value, gradient[free:]

    def descend(function: Callable[[Array], tuple[float, Array]], place: Array, flat: float) -> OptimizeResult:
        options = {"gtol": flat, "maxiter": 1_000}
        return minimize(function, place, jac=True, method="L-BFGS-B", bounds=bounds[-len(place) :], options=options)

    return descend(cost, np.concatenate([np.zeros(free), descend(kernel_cost, start, ROUGHLY_FLAT).x]), FLAT)


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
    residual = values - mean[n_master:]
    fixed = covariance[n_master:, n_master:]
    x, scaled, scaled_error = in_sites(problem, raw, physical)
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
        quality=collapse_quality(x, residual, target.error, points.run),
        chi2=float(np.sum((residual / target.error) ** 2)),
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


METHODS: dict[str, tuple[Callable[[Problem, Array], Collapse], Callable[[Problem, Collapse, Array], Array]]] = {
    "gaussian_process": (gaussian_process, likelihood_errors),
    "local_linear": (local_linear, search_errors),
}
