"""Acceptance tables for the bit kernels, made once per run in plain numpy."""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.typing import NDArray

from .words import ONES

N_DIGITS = 52
FEWEST_TERMS = 5  # the kernels always read the monomials of three bits
LAZINESS = 15 / 16  # Metropolis never flips for sure: in a fixed site order sure flips at dE <= 0 are not ergodic


def up_probability(beta: float, local_field: float) -> float:
    """Heat bath: P(s = +1) = 1 / (1 + exp(-2 beta h_local))."""
    exponent = 2.0 * beta * local_field
    return 1.0 / (1.0 + exp(-exponent)) if exponent > -700.0 else 0.0


def flip_probability(beta: float, cost: float) -> float:
    """Metropolis: P(flip) = (15/16) min(1, exp(-beta dE))."""
    return LAZINESS * exp(-min(max(beta * cost, 0.0), 700.0))


def heat_bath_digits(
    beta: NDArray[np.float64], coupling: float, field: float, degrees: NDArray[np.int32]
) -> NDArray[np.uint64]:
    """Digits of P(up | count of up neighbours), as coefficients of XOR polynomials (see `polynomials`).

    Parameters
    ----------
    beta
        (n_beta,) inverse temperatures.
    coupling, field
        J and h of the local field J (2 count - degree) + h.
    degrees
        (n_classes,) number of neighbours of each class.

    Returns
    -------
    (n_beta, n_classes, N_DIGITS, 1, n_terms) uint64, n_terms = max(max_degree + 1, 5), entries all zeros or all ones.
    """

    def probability(b: float, degree: int, count: int) -> float:
        return up_probability(b, coupling * (2 * count - degree) + field)

    return _words([polynomials(_digits(beta, degrees, probability))])


def metropolis_digits(
    beta: NDArray[np.float64], coupling: float, field: float, degrees: NDArray[np.int32]
) -> NDArray[np.uint64]:
    """Digits of P(flip | count of opposed neighbours, spin): dE = 2 J (degree - 2 count) + 2 h s.

    Parameters and result as for `heat_bath_digits`; with a field there is a second block on the axis before the last,
    the polynomial to be added where the spin is up.
    """

    def bits(spin: int) -> NDArray[np.bool_]:
        def probability(b: float, degree: int, count: int) -> float:
            return flip_probability(b, 2 * coupling * (degree - 2 * count) + 2 * field * spin)

        return _digits(beta, degrees, probability)

    down = bits(-1)
    if field == 0.0:
        return _words([polynomials(down)])
    return _words([polynomials(down), polynomials(down ^ bits(1))])


def polynomials(bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Algebraic normal form of functions of a count along the last axis.

    f(count) is the XOR over k of coefficient[k] AND monomial_k(count), where monomial_k is the product of the bits of
    the count at which k has a one.

    Examples
    --------
    >>> polynomials(np.array([False, True, True, False])).astype(int)  # the parity of two bits
    array([0, 1, 1, 0])
    """
    coefficients = np.empty_like(bits)
    for k in range(bits.shape[-1]):
        subsets = [s for s in range(k + 1) if s & k == s]
        coefficients[..., k] = np.logical_xor.reduce(bits[..., subsets], axis=-1)
    return coefficients


def _digits(beta: NDArray[np.float64], degrees: NDArray[np.int32], probability: object) -> NDArray[np.bool_]:
    """Binary digits of probability(beta, degree, count), (n_beta, n_classes, N_DIGITS, n_terms)."""
    assert callable(probability)
    n_terms = max(int(degrees.max(initial=0)) + 1, FEWEST_TERMS)
    bits = np.zeros((len(beta), len(degrees), N_DIGITS, n_terms), dtype=bool)
    shifts = np.arange(N_DIGITS - 1, -1, -1)
    for index, b in enumerate(beta):
        for row, degree in enumerate(degrees):
            for count in range(degree + 1):
                integer = min(int(probability(float(b), int(degree), count) * 2.0**N_DIGITS + 0.5), 2**N_DIGITS - 1)
                bits[index, row, :, count] = integer >> shifts & 1
    return bits


def _words(blocks: list[NDArray[np.bool_]]) -> NDArray[np.uint64]:
    return np.where(np.stack(blocks, axis=-2), ONES, np.uint64(0))
