"""Two measures of a data collapse and their optima over beta_c and the exponents (plain arrays)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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

    def factors(self, physical: Array) -> tuple[Array, Array]:
        """(N / N_0)^k and (N / N_0)^-w, (point,) each."""
        return self.ratio ** physical[2], self.ratio ** -(self.w or 0.0)

    def gradient(self, physical: Array, by_x: Array, by_growth: Array) -> Array:
        """Derivatives by the free steps from those by x and ln (N / N_0)^k of every point."""
        log_ratio = np.log(self.ratio)
        x_by_beta_c = -self.points.beta / physical[0] ** 2 * self.ratio ** physical[1] / self.unit
        by_physical = [by_x @ x_by_beta_c, by_x @ (self.x(physical) * log_ratio), by_growth @ log_ratio]
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
    options = {"initial_simplex": simplex, "xatol": 1e-3, "fatol": 1e-7, "maxiter": 2_000}
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


def gaussian_process(problem: Problem, values: Array) -> Collapse:
    """Maximum of the likelihood of a Gaussian process."""
    scale = float(np.max(np.abs(values)))
    error = problem.points.error / scale
    names = ["amplitude", "length"] if problem.w is None else ["amplitude", "length", "correction", "length"]
    bounds = [(-200.0, 200.0)] * len(problem.free) + [LOG_BOUNDS[name] for name in names]
    start = np.array([*np.zeros(len(problem.free)), *[LOG_STARTS[name] for name in names]])

    def cost(vector: Array) -> tuple[float, Array]:
        value, gradient = _likelihood(problem, vector, values / scale, error)
        return -value, -gradient

    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": FLAT, "maxiter": 1_000})
    inside = [low < value < high for value, (low, high) in zip(found.x, bounds)]
    _check(problem, found, bool(np.max(np.abs(found.jac[inside])) < 5 * FLAT))  # rounding may end the search this near
    return _explained(problem, values / scale, error, found, scale)


def _likelihood(problem: Problem, vector: Array, values: Array, error: Array) -> tuple[float, Array]:
    """Logarithm of the likelihood and its derivatives by the free steps and the logarithms of the kernel."""
    physical = problem.physical(vector[: len(problem.free)])
    growth, decay = problem.factors(physical)
    fit = log_likelihood(_kernel(problem, vector), problem.x(physical), growth, decay, values, error)
    return fit.value, np.concatenate([problem.gradient(physical, fit.by_x, fit.by_growth), fit.by_kernel])


def respond_by_search(problem: Problem, best: Collapse, noise: Array) -> Array:
    """Optima of S for the points with noise, (resample, 3): S has kinks, so that each is searched for."""
    return np.array([local_linear(problem, problem.points.value + move, best).physical for move in noise])


def respond_by_newton(problem: Problem, best: Collapse, noise: Array) -> Array:
    """Optima of the likelihood for the points with noise, (resample, 3), from one step of Newton's method each."""
    values, vector = problem.points.value, best.vector
    scale = float(np.max(np.abs(values)))

    def gradient(place: Array, moved: Array) -> Array:
        return _likelihood(problem, place, moved / scale, problem.points.error / scale)[1]

    shifts = NEWTON_STEP * np.eye(len(vector))
    hessian = [(gradient(vector + h, values) - gradient(vector - h, values)) / (2 * NEWTON_STEP) for h in shifts]
    curvatures, directions = np.linalg.eigh(-(np.array(hessian) + np.transpose(hessian)) / 2)
    firm = curvatures > LEAST_CURVATURE  # the others are directions that the likelihood does not see
    base = gradient(vector, values)
    gradients = np.array([gradient(vector, values + move) - base for move in noise])
    steps = (gradients @ directions[:, firm] / curvatures[firm]) @ directions[:, firm].T
    free = len(problem.free)
    return np.array([problem.physical(vector[:free] + step[:free]) for step in steps])


def _kernel(problem: Problem, vector: Array) -> Kernel:
    return Kernel(*np.exp(vector[len(problem.free) :]))


def _explained(problem: Problem, values: Array, error: Array, found: OptimizeResult, scale: float) -> Collapse:
    """The optimum with what its process says about every point; the corrections are taken off the collapsed points."""
    physical, points = problem.physical(found.x[: len(problem.free)]), problem.points
    kernel, x, (growth, decay) = _kernel(problem, found.x), problem.x(physical), problem.factors(physical)
    places = np.linspace(x.min(), x.max(), PLACES)
    n_master = PLACES + len(x)  # F at the places and at the points, then Q at the points
    everywhere = (
        np.concatenate([places, x, x]),
        np.append(np.ones(n_master), growth),
        np.append(np.zeros(n_master), decay),
    )
    found_mean, found_error = posterior(kernel.matrix(*everywhere), values, error)
    master, mean = found_mean[:n_master], found_mean[n_master:]
    covariance = kernel.matrix(x, growth, decay)
    x, scaled, scaled_error = _in_sites(problem, scale * values, physical)
    to_sites = scale * points.n_sites.max() ** -physical[2]
    if problem.w is not None:
        scaled = scaled - to_sites * (mean / growth - master[PLACES:])
    unit = problem.unit * points.n_sites.max() ** physical[1]
    return Collapse(
        physical=physical,
        vector=found.x,
        quality=collapse_quality(x, scaled, scaled_error, points.run),
        chi2=float(np.sum(((values - mean) / error) ** 2)),
        dof=len(values) - effective_parameters(covariance, error) - len(problem.free),
        log_likelihood=float(-found.fun - len(values) * np.log(scale)),
        x=x,
        scaled=scaled,
        scaled_error=scaled_error,
        curve=(places * unit, to_sites * master[:PLACES], to_sites * found_error[:PLACES]),
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
    "gaussian_process": (gaussian_process, respond_by_newton),
    "local_linear": (local_linear, respond_by_search),
}
