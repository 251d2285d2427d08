"""The quotients PSL(2,l) and PGL(2,l) of triangle groups, l an odd prime."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .darts import Darts, Quotient
from .growth import sphere_sizes


def projective(p: int, q: int, max_order: int) -> Iterator[Quotient]:
    """The quotients PSL(2,l) and PGL(2,l), l an odd prime, of any hyperbolic {p,q}.

    An element of PGL(2,l) of order n > 2 has tr^2 / det = u_n = 2 + 2 cos(2 pi k / n), or u_n = 4 where n = l, and
    (u_p, u_q) fixes the generators up to conjugation; so surface ``#1, #2, ...`` runs over the pairs (u_p, u_q) that
    generate PSL(2,l) or PGL(2,l), ascending as residues.
    """
    for prime in _primes(max_order):
        pairs = product(trace_ratios(p, prime), trace_ratios(q, prime))
        proper = [(u_p, u_q) for u_p, u_q in pairs if generates(p, q, u_p, u_q, prime)]
        for number, (u_p, u_q) in enumerate(proper, start=1):
            special = _is_square(u_p, prime) and _is_square(u_q, prime)
            order = prime * (prime**2 - 1) // (2 if special else 1)
            if order <= max_order:
                name = f"{'PSL' if special else 'PGL'}(2,{prime}) #{number}"
                build = partial(enumerate_projective, prime, u_p, u_q)
                quick_radius = partial(projective_radius, p, q, prime, u_p, u_q)
                yield Quotient(p, q, name, order, build, quick_radius=quick_radius)


def generates(p: int, q: int, u_p: int, u_q: int, prime: int) -> bool:
    """Whether elements of orders p and q with these tr^2 / det, their product an involution, generate PSL or PGL(2,l).

    The subgroups of PGL(2,l) that are neither are affine, dihedral, A4, S4 or A5 (Dickson 1901). With (p-2)(q-2) > 4
    two are left: an affine group, where y and z share an eigenvector, which is u_p + u_q = 4; and A5 as a quotient of
    (2,5,5), where u_p + u_q = 3, which is T4.6 of the relator table.
    """
    return (u_p + u_q - 4) % prime != 0 and ((p, q) != (5, 5) or prime == 5 or (u_p + u_q - 3) % prime != 0)


def _primes(max_order: int) -> Iterator[int]:
    prime = 3
    while prime * (prime**2 - 1) // 2 <= max_order:
        if all(prime % divisor for divisor in range(2, int(prime**0.5) + 1)):
            yield prime
        prime += 2


def _is_square(n: int, prime: int) -> bool:
    return pow(n, (prime - 1) // 2, prime) == 1


@cache
def trace_ratios(n: int, prime: int) -> tuple[int, ...]:
    """The values of tr^2 / det of the elements of order n > 2 in PGL(2, prime), ascending.

    A matrix M with trace and determinant u has M^k = t_k M - u t_(k-1), where t_(k+1) = u (t_k - t_(k-1)); its order is
    the first k with t_k = 0.
    """
    if n != prime and (prime - 1) % n and (prime + 1) % n:
        return ()
    u = np.arange(1, prime)
    previous, current, longer = np.zeros_like(u), np.ones_like(u), np.ones(u.size, dtype=bool)
    for _ in range(n - 1):
        longer &= current != 0
        previous, current = current, u * (current - previous) % prime
    return tuple(int(ratio) for ratio in u[longer & (current == 0)])


def generators(prime: int, u_p: int, u_q: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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
            return np.array(x, dtype=np.int64) % prime, np.array(y, dtype=np.int64) % prime
    raise ValueError(f"no generators over the field of {prime} elements for u_p = {u_p}, u_q = {u_q}")


def enumerate_projective(prime: int, u_p: int, u_q: int) -> Darts:
    """PSL(2, prime), if u_p and u_q are squares, or PGL(2, prime), with the generators of given tr^2 / det.

    A matrix is scaled so that the first nonzero entry of its first row is 1; that row is one of prime + 1 points of the
    projective line, and (row, c, d), read as a number, orders the elements.
    """
    elements = _decode(np.arange((prime + 1) * prime**2, dtype=np.int32), prime)
    a, b, c, d = elements
    allowed = np.arange(prime) > 0
    if _is_square(u_p, prime) and _is_square(u_q, prime):
        allowed = np.bincount(np.arange(1, prime) ** 2 % prime, minlength=prime) > 0
    member = allowed[(a * d - b * c) % prime]
    number = np.cumsum(member, dtype=np.int32) - 1
    elements = elements[:, member]
    x, y = (number[_codes(_times(elements, matrix), prime)] for matrix in generators(prime, u_p, u_q))
    z = np.empty_like(x)
    z[y[x]] = np.arange(x.size, dtype=np.int32)  # xyz = 1
    return Darts(x, y, z)


def projective_radius(p: int, q: int, prime: int, u_p: int, u_q: int) -> int:
    """The injectivity radius of a quotient from its elements near the identity alone.

    A vertex is a coset g<z>, known by the least code of its q elements; its neighbours are the cosets of g z^k x.
    """
    x, y = generators(prime, u_p, u_q)
    inverse_z = x @ y % prime  # its powers are those of z
    powers = [np.eye(2, dtype=np.int64)]
    for _ in range(q - 1):
        powers.append(powers[-1] @ inverse_z % prime)

    def cosets(elements: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.min([_codes(_times(elements, power), prime) for power in powers], axis=0)

    before, shell = np.empty(0, dtype=np.int64), cosets(np.array([[1], [0], [0], [1]], dtype=np.int64))
    for radius, size in enumerate(sphere_sizes(p, q)):
        if shell.size < size:
            return radius - 1
        elements = _decode(shell, prime)
        around = np.concatenate([_times(elements, power @ x % prime) % prime for power in powers], axis=1)
        found = np.unique(cosets(around))
        before, shell = shell, found[~np.isin(found, np.concatenate([before, shell]), assume_unique=True)]
    raise AssertionError("sphere_sizes does not end")


def _times(elements: NDArray[np.integer], matrix: NDArray[np.int64]) -> NDArray[np.integer]:
    """(4, n) entries a, b, c, d of the elements times a matrix on the right, not reduced."""
    a, b, c, d = elements
    (e, f), (g, h) = matrix.astype(elements.dtype)
    return np.stack([a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h])


def _decode(codes: NDArray[np.integer], prime: int) -> NDArray[np.integer]:
    """(4, n) entries a, b, c, d of the elements with these codes; `_codes` goes the other way."""
    point, bottom = np.divmod(codes, prime * prime)
    finite = point < prime
    return np.stack([finite.astype(codes.dtype), np.where(finite, point, 1), *np.divmod(bottom, prime)])


def _codes(elements: NDArray[np.integer], prime: int) -> NDArray[np.integer]:
    """(n,) codes of the elements, given as (4, n) entries a, b, c, d."""
    a, b, c, d = elements % prime
    scale = _inverses(prime).astype(elements.dtype)[np.where(a, a, b)]
    point = np.where(a, b * scale % prime, prime)
    return (point * prime + c * scale % prime) * prime + d * scale % prime


@cache
def _inverses(prime: int) -> NDArray[np.int64]:
    return np.array([0] + [pow(n, -1, prime) for n in range(1, prime)])
