"""Acceptance tables for the kernels, made once per run in plain numpy."""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.typing import NDArray

N_DIGITS = 52
ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def up_probability(beta: float, local_field: float) -> float:
    """Heat bath: P(s = +1) = 1 / (1 + exp(-2 beta h_local))."""
    exponent = 2.0 * beta * local_field
    return 1.0 / (1.0 + exp(-exponent)) if exponent > -700.0 else 0.0


def heat_bath_digits(
    beta: NDArray[np.float64], coupling: float, field: float, degrees: NDArray[np.int32]
) -> NDArray[np.uint64]:
    """Threshold digits as coefficients of an XOR polynomial in the bits of the up-neighbour count.

    Digit d of P(up | count) is the XOR over k <= degree of coefficient[d, k] AND monomial_k, where monomial_k is the
    product of the count's bits at which k has a one (its algebraic normal form).

    Parameters
    ----------
    beta
        (n_columns,) inverse temperatures.
    coupling, field
        J and h of local field J (2 count - degree) + h.
    degrees
        (n_classes,) number of neighbours of each class.

    Returns
    -------
    (n_classes, N_DIGITS, max_degree + 1, n_columns) uint64, entries all zeros or all ones.
    """
    n_terms = int(degrees.max(initial=0)) + 1
    bits = np.zeros((len(degrees), N_DIGITS, n_terms, len(beta)), dtype=bool)
    shifts = np.arange(N_DIGITS - 1, -1, -1)
    for row, degree in enumerate(degrees):
        for column, b in enumerate(beta):
            for count in range(degree + 1):
                p = up_probability(b, coupling * (2 * count - degree) + field)
                integer = min(int(p * 2.0**N_DIGITS + 0.5), 2**N_DIGITS - 1)
                bits[row, :, count, column] = integer >> shifts & 1
    coefficients = np.zeros_like(bits)
    for k in range(n_terms):
        subsets = [s for s in range(k + 1) if s & k == s]
        coefficients[:, :, k] = np.logical_xor.reduce(bits[:, :, subsets], axis=2)
    return np.where(coefficients, ONES, np.uint64(0))
