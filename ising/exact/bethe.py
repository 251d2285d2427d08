"""The inside of the Bethe lattice: the infinite tree of q neighbours a site, and {p,q} in the limit of large p."""

from __future__ import annotations

from math import atanh, tanh

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from ..integers import as_integer
from ._common import check_beta, shaped_like

Array = NDArray[np.float64]


def bethe_critical_beta(degree: int) -> float:
    """Critical beta of the Bethe lattice and of random regular graphs: atanh(1 / (degree - 1)), J = 1, degree >= 3.

    Examples
    --------
    >>> round(bethe_critical_beta(7), 6)
    0.168236
    """
    return atanh(1 / (as_integer("degree", degree, 3) - 1))


def bethe_magnetization(degree: int, beta: ArrayLike) -> float | Array:
    """Magnetization of a site deep inside, the far boundary held up: tanh(q u).

    u = atanh(tanh(beta) tanh((q - 1) u)) is the field that a branch exerts on its root (Baxter 1982, chapter 4); u > 0
    above the critical beta.

    Parameters
    ----------
    degree
        Number of neighbours q >= 3.
    beta
        Inverse temperature(s) >= 0 in 1/J.

    Returns
    -------
    A float for a scalar beta, else an array.

    Examples
    --------
    >>> bethe_magnetization(4, [0.3, 0.4]).round(6).tolist()
    [0.0, 0.735735]
    """
    fields = _branch_fields(degree, beta)
    magnetization = np.tanh(degree * fields)
    return shaped_like(beta, magnetization)


def bethe_energy(degree: int, beta: ArrayLike) -> float | Array:
    """Energy per site deep inside: -(q / 2) (t + m^2) / (1 + t m^2), t = tanh(beta), m = tanh((q - 1) u).

    Up to the critical beta it is -(q / 2) tanh(beta); u as in `bethe_magnetization`.

    Parameters
    ----------
    degree
        Number of neighbours q >= 3.
    beta
        Inverse temperature(s) >= 0 in 1/J.

    Returns
    -------
    A float for a scalar beta, else an array.

    Examples
    --------
    >>> round(bethe_energy(4, 0.3), 6)
    -0.582625
    """
    degree = as_integer("degree", degree, 3)
    m2 = np.tanh((degree - 1) * _branch_fields(degree, beta)) ** 2
    t = np.tanh(check_beta(beta))
    energy = -degree / 2 * (t + m2) / (1 + t * m2)
    return shaped_like(beta, energy)


def _branch_fields(degree: int, beta: ArrayLike) -> Array:
    """The largest solution u of u = atanh(tanh(beta) tanh((q - 1) u)) at every beta."""
    critical = bethe_critical_beta(degree)

    def solve(beta: float) -> float:
        t = tanh(beta)
        if beta <= critical:
            return 0.0
        if t == 1.0:  # beta - u is below e^(-2 beta)
            return beta
        low = 1e-9  # below it, at a relative distance of 1e-17 from the critical beta, lies no solution
        if atanh(t * tanh((degree - 1) * low)) <= low:
            return 0.0
        return float(brentq(lambda u: atanh(t * tanh((degree - 1) * u)) - u, low, beta, xtol=1e-16, rtol=1e-15))

    return np.array([solve(one) for one in check_beta(beta).tolist()])
