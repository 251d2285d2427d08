"""Published laws for how beta should grow with the number n of visible keys: ln beta(n) up to one or two free numbers.

Each takes the `Sizes` of a head, what was measured of it at every n, and gives beta (n,); `law_fits` compares them with
the measured beta_c(n).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

from ..attention import rem_beta
from ..spin_corridor import CORRIDOR
from .random_energy import rem_peak

Array = NDArray[np.float64]
DEPTH = sum(CORRIDOR) / 2.0  # nats under ln n, the middle of the corridor
ADAPTIVE = (-0.037, 0.481, -2.3, 4.917, -1.791)  # in powers of H, largest first


def fine_entropy(log_beta_sigma: Array, entropy: Array, heat: Array) -> tuple[Array, Array]:
    """Entropy curves (n, grid) between their grid points, by cubics whose slope dH/dln(beta) = -C is known."""
    fine = np.linspace(log_beta_sigma[0], log_beta_sigma[-1], 20 * (len(log_beta_sigma) - 1) + 1)
    return fine, CubicHermiteSpline(log_beta_sigma, entropy, -heat, axis=-1)(fine)


@dataclass(frozen=True)
class Sizes:
    """What a law may use of one head: arrays over n, and `fine_entropy` (n, grid)."""

    n: Array
    sigma: Array
    gap: Array
    self_consistent: Array
    entropy: Array
    log_beta_sigma: Array
    d_k: float
    beta_0: float

    def beta_at_entropy(self, target: Array) -> Array:
        """The beta of each n where the mean entropy is ``target``."""
        found = [np.interp(-aim, -row, self.log_beta_sigma) for aim, row in zip(target, self.entropy)]
        return np.exp(found) / self.sigma

    def entropy_at(self, beta: float) -> Array:
        """Mean entropy of each n at one beta."""
        places = np.log(beta * self.sigma)
        return np.array([np.interp(x, self.log_beta_sigma, row) for x, row in zip(places, self.entropy)])


def freezing(head: Sizes) -> Array:
    """The law sqrt(2 ln n)/sigma, where n -> infinity independent normal scores freeze."""
    return rem_beta(head.n, head.sigma)


@lru_cache
def _rem_place(n: int) -> float:
    """Place of the exact peak in units of 1/sigma_qk: E[sigma_qk] = sigma sqrt(2/n) Gamma(n/2)/Gamma((n-1)/2)."""
    return rem_peak(n).place * sqrt(2.0 / n) * exp(lgamma(n / 2.0) - lgamma((n - 1) / 2.0))


def random_energy(head: Sizes) -> Array:
    """The law x(n)/sigma, x(n) the peak of C of n independent normal scores, exact at finite n."""
    return np.array([_rem_place(int(n)) for n in head.n]) / head.sigma


def self_consistent(head: Sizes) -> Array:
    """The root of beta sigma = sqrt(2 H(beta))."""
    return head.self_consistent


def logarithm(head: Sizes) -> Array:
    """The law s ln n with a learned s (scalable softmax)."""
    return np.log(head.n)


def correlated(head: Sizes) -> Array:
    """The law gamma ln n, gamma = 1/(1 - rho): ln n / gap, the gap 1 - rho of the top score measured."""
    return np.log(head.n) / head.gap


def sphere(head: Sizes) -> Array:
    """The law a n^(2/(d-1)) for keys on a sphere in d = d_k dimensions."""
    return head.n ** (2.0 / (head.d_k - 1.0))


def power(head: Sizes) -> Array:
    """The law a n^b, both free: a sphere of d = 1 + 2/b dimensions."""
    return np.ones_like(head.n)


def yarn(head: Sizes) -> Array:
    """The law a (0.1 ln(n/n_0) + 1)^2 (YaRN), n_0 the smallest size measured."""
    return (0.1 * np.log(head.n / head.n[0]) + 1.0) ** 2


def adaptive(head: Sizes) -> Array:
    """The law beta_0 max(1, polynomial of H(beta_0)) where H > 0.5, else beta_0 (adaptive temperature)."""
    entropy = head.entropy_at(head.beta_0)
    return head.beta_0 * np.where(entropy > 0.5, np.maximum(np.polyval(ADAPTIVE, entropy), 1.0), 1.0)


def corridor_depth(head: Sizes) -> Array:
    """The law sqrt(2 d)/sigma, d = 1.1 nats under ln n: the corridor of normal scores."""
    return sqrt(2.0 * DEPTH) / head.sigma


def corridor_measured(head: Sizes) -> Array:
    """The beta where the measured H is ln n - 1.1."""
    return head.beta_at_entropy(np.maximum(np.log(head.n) - DEPTH, 0.0))


def constant(head: Sizes) -> Array:
    """The law beta_0 = 1/sqrt(d_k), whatever n."""
    return np.full_like(head.n, head.beta_0)


def fixed_entropy(head: Sizes, fraction: float) -> Array:
    """The beta where H = a ln n, a free."""
    return head.beta_at_entropy(fraction * np.log(head.n))


@dataclass(frozen=True)
class Law:
    """A law, whether its numbers come fixed, and the error of ln beta_c that goes with its inputs."""

    beta: Callable[[Sizes], Array]
    fixed: bool
    error: str = "log_beta_c_error"
    slope: bool = False  # whether a power of n is free


WITH_ENTROPY = "log_beta_c_entropy_error"
WITH_SIGMA = "log_beta_c_sigma_error"
LAWS = {
    "freezing": Law(freezing, True, WITH_SIGMA),
    "random_energy": Law(random_energy, True, WITH_SIGMA),
    "self_consistent": Law(self_consistent, True, "log_beta_c_over_self_consistent_error"),
    "logarithm": Law(logarithm, False),
    "correlated": Law(correlated, True, "log_beta_c_gap_error"),
    "sphere": Law(sphere, False),
    "power": Law(power, False, slope=True),
    "yarn": Law(yarn, False),
    "adaptive": Law(adaptive, True),
    "corridor_depth": Law(corridor_depth, True, WITH_SIGMA),
    "corridor_measured": Law(corridor_measured, True),
    "constant": Law(constant, True),
}
NAMES = (*LAWS, "fixed_entropy")


def formulas() -> dict[str, str]:
    """What each law says, in words."""
    functions = {name: law.beta for name, law in LAWS.items()} | {"fixed_entropy": fixed_entropy}
    return {name: (function.__doc__ or "").strip() for name, function in functions.items()}
