"""The likelihood that one smooth scaling function, of unknown form, made the points of all sizes (plain arrays)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from .resampling import Array

JITTER = 1e-11  # variance that rounding needs, in units of the largest value squared
OFFSET = 3.0  # standard deviation of the level of F, in units of the largest value: a level that is not known


@dataclass(frozen=True)
class Kernel:
    """Covariance of F(x_i) + r_i^-w G(x_i) with Gaussian processes F and G, r_i = N_i / N_0.

    Attributes
    ----------
    amplitude, length
        Of F: amplitude^2 exp(-(x - x')^2 / 2 length^2) + OFFSET^2.
    correction, correction_length
        Of G; no correction where the amplitude is 0.
    """

    amplitude: float
    length: float
    correction: float = 0.0
    correction_length: float = 1.0

    def matrix(self, x: Array, decay: Array) -> Array:
        """(point, point), of points with r^-w = decay."""
        return np.asarray(self.processes(x, decay).sum(axis=0) + OFFSET**2)

    def processes(self, x: Array, decay: Array) -> Array:
        """Of F and, if it is there, of r^-w G: (1 or 2, point, point), without the level."""
        square = (x[:, np.newaxis] - x) ** 2
        parts = [self.amplitude**2 * np.exp(-0.5 * square / self.length**2)]
        if self.correction > 0:
            smooth = self.correction**2 * np.exp(-0.5 * square / self.correction_length**2)
            parts.append(smooth * np.outer(decay, decay))
        return np.stack(parts)


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Logarithm of the likelihood; derivatives by x and the values, (point,), and by the logarithms of the kernel.

    `by_kernel`: amplitude, length and, if there is a correction, its two.
    """

    value: float
    by_x: Array
    by_values: Array
    by_kernel: Array


def log_likelihood(kernel: Kernel, x: Array, decay: Array, values: Array, error: Array) -> Likelihood:
    """The number L = -(A^T C^-1 A + ln det C + n ln 2 pi) / 2, C the kernel's matrix plus diagonal squared errors.

    Derivatives: dL = tr[(a a^T - C^-1) dC] / 2 with a = C^-1 A.
    """
    parts = kernel.processes(x, decay)
    covariance = parts.sum(axis=0) + OFFSET**2
    factor = cho_factor(covariance + np.diag(error**2 + JITTER), lower=True, check_finite=False)
    inverse = cho_solve(factor, np.eye(len(values)), check_finite=False)
    solved = cho_solve(factor, values, check_finite=False)
    log_determinant = 2 * np.sum(np.log(np.diag(factor[0])))
    weighted = (np.outer(solved, solved) - inverse) * parts  # (process, point, point)
    apart = x[:, np.newaxis] - x
    lengths = np.array([kernel.length, kernel.correction_length])[: len(parts), np.newaxis, np.newaxis]
    by_kernel = [[part.sum(), 0.5 * np.sum(part * (apart / length) ** 2)] for part, length in zip(weighted, lengths)]
    return Likelihood(
        value=float(-0.5 * (values @ solved + log_determinant + len(values) * np.log(2 * np.pi))),
        by_x=-np.sum(weighted * apart / lengths**2, axis=(0, 2)),
        by_values=-solved,
        by_kernel=np.ravel(by_kernel),
    )


def posterior(everywhere: Array, values: Array, error: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of the process, given values and errors at its last points.

    Parameters
    ----------
    everywhere
        (place, place) covariance; the last places are the points.
    values, error
        (point,)
    """
    given = everywhere[:, -len(values) :]  # (place, point)
    factor = cho_factor(given[-len(values) :] + np.diag(error**2 + JITTER), lower=True, check_finite=False)
    variance = np.diag(everywhere) - np.sum(given * cho_solve(factor, given.T).T, axis=1)
    return given @ cho_solve(factor, values), np.sqrt(np.maximum(variance, 0.0))


def effective_parameters(covariance: Array, error: Array) -> float:
    """Trace of K (K + E^2)^-1: how many numbers the process takes from the points."""
    return float(np.trace(np.linalg.solve(covariance + np.diag(error**2 + JITTER), covariance)))
