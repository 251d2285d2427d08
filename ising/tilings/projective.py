"""The quotients PSL(2,l) and PGL(2,l) of triangle groups, l an odd prime."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .darts import Darts, Quotient

FAMILIES = ((3, 7), (7, 3), (4, 5), (5, 4))


def projective(p: int, q: int, max_order: int) -> Iterator[Quotient]:
    """The quotients PSL(2,l) and PGL(2,l), l an odd prime, of the {p,q} in `FAMILIES`.

    An element of PGL(2,l) of order n > 2 has tr^2 / det = u_n = 2 + 2 cos(2 pi k / n), and (u_p, u_q) fixes the
    generators up to conjugation; so surface ``#1, #2, ...`` runs over the pairs (u_p, u_q), ascending as residues.
    """
    if (p, q) not in FAMILIES:
        return
    prime = 3
    while prime * (prime**2 - 1) // 2 <= max_order:
        pairs = product(trace_ratios(p, prime), trace_ratios(q, prime)) if _is_prime(prime) else ()
        for number, (u_p, u_q) in enumerate(pairs, start=1):
            special = _is_square(u_p, prime) and _is_square(u_q, prime)
            order = prime * (prime**2 - 1) // (2 if special else 1)
            if order <= max_order:
                name = f"{'PSL' if special else 'PGL'}(2,{prime}) #{number}"
                yield Quotient(p, q, name, order, partial(enumerate_projective, prime, u_p, u_q))
        prime += 2


def _is_prime(n: int) -> bool:
    return all(n % divisor for divisor in range(2, int(n**0.5) + 1))


def _is_square(n: int, prime: int) -> bool:
    return pow(n, (prime - 1) // 2, prime) == 1


def trace_ratios(n: int, prime: int) -> list[int]:
    """The values of tr^2 / det of the elements of order n > 2 in PGL(2, prime), ascending.

    A matrix M with trace and determinant u has M^k = t_k M - u t_(k-1), where t_(k+1) = u (t_k - t_(k-1)); its order is
    the first k with t_k = 0.
    """
    u = np.arange(1, prime)
    previous, current, longer = np.zeros_like(u), np.ones_like(u), np.ones(u.size, dtype=bool)
    for _ in range(n - 1):
        longer &= current != 0
        previous, current = current, u * (current - previous) % prime
    return [int(ratio) for ratio in u[longer & (current == 0)]]


def generators(prime: int, u_p: int, u_q: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Matrices x = [[0, -d], [1, 0]] and y, with xyz = 1, tr^2 / det of y and z equal to u_p and u_q; (2, 2) each.

    With d = u_p / u_q and y = [[a, b], [c, 1 - a]]: det y = 1 / u_p and tr xy = b - d c = 1. Of the solutions, all of
    them conjugate, the one with the smallest (c, a).
    """
    inverse_p = pow(u_p, -1, prime)
    d = u_p * pow(u_q, -1, prime) % prime
    for c, a in product(range(prime), repeat=2):
        b = 1 + d * c
        if (a * (1 - a) - b * c - inverse_p) % prime == 0:
            x, y = [[0, -d], [1, 0]], [[a, b], [c, 1 - a]]
            return np.array(x, dtype=np.int32) % prime, np.array(y, dtype=np.int32) % prime
    raise ValueError(f"no generators over the field of {prime} elements for u_p = {u_p}, u_q = {u_q}")


def enumerate_projective(prime: int, u_p: int, u_q: int) -> Darts:
    """PSL(2, prime), if u_p and u_q are squares, or PGL(2, prime), with the generators of given tr^2 / det.

    A matrix is scaled so that the first nonzero entry of its first row is 1; that row is one of prime + 1 points of the
    projective line, and (row, c, d), read as a number, orders the elements.
    """
    row, c, d = (part.ravel() for part in np.indices((prime + 1, prime, prime), dtype=np.int32))
    a = (row < prime).astype(np.int32)
    b = np.where(row < prime, row, 1).astype(np.int32)
    determinant = (a * d - b * c) % prime
    allowed = np.arange(prime) > 0
    if _is_square(u_p, prime) and _is_square(u_q, prime):
        allowed = np.bincount(np.arange(1, prime) ** 2 % prime, minlength=prime) > 0
    member = allowed[determinant]
    number = np.cumsum(member, dtype=np.int32) - 1
    elements = np.stack([part[member] for part in (a, b, c, d)])
    x, y = (number[_codes(elements, matrix, prime)] for matrix in generators(prime, u_p, u_q))
    z = np.empty_like(x)
    z[y[x]] = np.arange(x.size, dtype=np.int32)  # xyz = 1
    return Darts(x, y, z)


def _codes(elements: NDArray[np.int32], matrix: NDArray[np.int32], prime: int) -> NDArray[np.int32]:
    """(order,) codes of the elements, given as (4, order) entries a, b, c, d, times a matrix on the right."""
    a, b, c, d = elements
    (e, f), (g, h) = matrix
    row = (a * e + b * g) % prime, (a * f + b * h) % prime
    leading = np.where(row[0], row[0], row[1])
    inverse = np.array([0] + [pow(n, -1, prime) for n in range(1, prime)], dtype=np.int32)
    scale = inverse[leading]
    point = np.where(row[0], row[1] * scale % prime, prime)
    bottom = (c * e + d * g) % prime * scale % prime, (c * f + d * h) % prime * scale % prime
    return (point * prime + bottom[0]) * prime + bottom[1]
