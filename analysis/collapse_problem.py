"""What a data collapse searches, beta_c and the exponents in convenient units, and what it finds (plain arrays)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult

from .joint_fit import Points
from .resampling import Array

NAMES = ("beta_c", "y", "k")
STEP = 0.03  # first step of the search: in x of the largest size's window, in y and in k


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


def in_sites(problem: Problem, values: Array, physical: Array) -> tuple[Array, Array, Array]:
    """Scaling variable t N^y, values and errors times N^-k."""
    n_sites = problem.points.n_sites
    factor = n_sites ** -physical[2]
    return (
        (problem.points.beta / physical[0] - 1) * n_sites ** physical[1],
        values * factor,
        problem.points.error * factor,
    )


def check(problem: Problem, found: OptimizeResult, converged: bool) -> None:
    """Refuse an optimum that was not reached, or lies outside the data."""
    physical, beta = problem.physical(found.x[: len(problem.free)]), problem.points.beta
    if not converged:
        raise ValueError(f"the collapse did not converge (beta_c = {physical[0]:.6g}): use more beta near the crossing")
    if not beta.min() < physical[0] < beta.max():
        raise ValueError(
            f"the collapse puts beta_c = {physical[0]:.6g} outside the points [{beta.min():g}, {beta.max():g}]: "
            "widen the range of beta"
        )
