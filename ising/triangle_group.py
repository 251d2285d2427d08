"""Finite quotients of the triangle groups <x, y, z | x^2 = y^p = z^q = xyz = 1>, the symmetries of closed {p,q} maps.

The elements of a quotient G are the darts (half-edges) of a map on a closed surface. Right multiplication moves a dart:
the orbits of z are the vertices, those of x the edges, those of y the faces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Permutation = NDArray[np.int32]
MAX_COSETS = 100_000  # of a coset enumeration, collapsed ones included


@dataclass(frozen=True, eq=False)
class Darts:
    """Right multiplication by the three generators: element i times x is element x[i]; all (order,) int32."""

    x: Permutation
    y: Permutation
    z: Permutation


@dataclass(frozen=True)
class Quotient:
    """A finite quotient with faces of p sides and vertices of degree q, not yet enumerated.

    Attributes
    ----------
    p, q
        Orders of y and of z.
    surface
        Name, such as ``"klein"`` or ``"PSL(2,13) #2"``; unique for given p and q.
    order
        Number of group elements, which is the number of darts.
    build
        Enumerates the group.
    alias
        A second name, such as ``"T3.1"``, or empty.
    """

    p: int
    q: int
    surface: str
    order: int
    build: Callable[[], Darts] = field(repr=False, compare=False)
    alias: str = ""

    @property
    def n_sites(self) -> int:
        """Number of vertices."""
        return self.order // self.q

    def called(self, name: str) -> bool:
        """Whether `name` is the surface or its alias; capitals do not matter."""
        return bool(name) and name.lower() in (self.surface.lower(), self.alias.lower())


def quotients(p: int, q: int, max_order: int) -> Iterator[Quotient]:
    """All known quotients of order at most `max_order`: the relator table first, then the families by prime."""
    for source in (tabulated, projective):
        yield from source(p, q, max_order)


# --- Quotients by relators -------------------------------------------------------------------------------------------


class Tabulated(NamedTuple):
    """A quotient by relators besides x^2, y^p, z^q and xyz: words over x, y, z and their inverses X, Y, Z."""

    name: str
    alias: str
    p: int
    q: int
    order: int
    relators: tuple[str, ...]


TABLE = (  # from M. Conder's list of the quotients of triangle groups that act on surfaces of genus 2 to 101
    Tabulated("bolza", "T2.1", 3, 8, 48, ("zyxzYZxz",)),
    Tabulated("T2.6", "", 8, 8, 8, ("xzy", "yyyZ")),
    Tabulated("klein", "T3.1", 3, 7, 168, ("yxzyxzYzYZxz",)),
    Tabulated("bring", "T4.2", 4, 5, 120, ("xzyxYZxYZ",)),
    Tabulated("T4.6", "", 5, 5, 60, ("ZyZyZy",)),
    Tabulated("T5.3", "", 4, 5, 160, ("yZyZyZyZ",)),
    Tabulated("macbeath", "T7.1", 3, 7, 504, ("yZxzyZxzzyZZyZZxzz",)),
)


def tabulated(p: int, q: int, max_order: int) -> Iterator[Quotient]:
    """The quotients of `TABLE`, each as it stands and, with y and z exchanged, as its dual."""
    for row in TABLE:
        if row.order <= max_order and (p, q) in ((row.p, row.q), (row.q, row.p)):
            yield Quotient(p, q, row.name, row.order, partial(_tabulated_darts, row, p != row.p), row.alias)


def _tabulated_darts(row: Tabulated, dual: bool) -> Darts:
    darts = enumerate_relators(row.p, row.q, row.relators)
    return Darts(darts.x, darts.z, darts.y) if dual else darts


def enumerate_relators(order_y: int, order_z: int, relators: Sequence[str]) -> Darts:
    """The group <x, y, z | x^2 = y^order_y = z^order_z = xyz = 1, relators>, by Todd and Coxeter's method.

    Parameters
    ----------
    order_y, order_z
        Orders of y and z.
    relators
        Further words that equal 1, over ``xyz`` and the inverses ``XYZ``.

    Raises
    ------
    ValueError
        The group is infinite or too large.
    """
    spelled = ("xx", "y" * order_y, "z" * order_z, "xyz", *relators)
    words = [["xXyYzZ".index(letter) for letter in word] for word in spelled]
    cosets = _Cosets()
    current = 0
    while current < len(cosets.table):
        for word in words:
            if cosets.alive(current):
                cosets.scan(current, word)
        current += 1
    alive = [coset for coset in range(len(cosets.table)) if cosets.alive(coset)]
    table = np.array([cosets.table[coset] for coset in alive])  # (order, 6), every entry alive
    x, y, z = np.searchsorted(alive, table[:, ::2]).astype(np.int32).T
    return Darts(x, y, z)


class _Cosets:
    """A coset table over the trivial subgroup: table[g][c] is g times letter c; letter c ^ 1 is the inverse of c."""

    def __init__(self) -> None:
        self.table = [[-1] * 6]
        self.same_as = [0]  # union-find forest: an element points to an equal, older one

    def alive(self, coset: int) -> bool:
        return self.same_as[coset] == coset

    def _oldest(self, coset: int) -> int:
        while not self.alive(coset):
            coset = self.same_as[coset]
        return coset

    def _link(self, coset: int, letter: int, image: int) -> None:
        self.table[coset][letter] = image
        self.table[image][letter ^ 1] = coset

    def _define(self, coset: int, letter: int) -> int:
        if len(self.table) == MAX_COSETS:
            raise ValueError(f"coset enumeration passed {MAX_COSETS} cosets; is the group finite?")
        self.table.append([-1] * 6)
        self.same_as.append(len(self.same_as))
        self._link(coset, letter, len(self.table) - 1)
        return len(self.table) - 1

    def scan(self, coset: int, word: Sequence[int]) -> None:
        """Make `word` lead from `coset` back to itself: read it from both ends, define what is missing between."""
        front, back, first, last = coset, coset, 0, len(word) - 1
        while True:
            while first <= last and (image := self.table[front][word[first]]) >= 0:
                front, first = image, first + 1
            while first <= last and (image := self.table[back][word[last] ^ 1]) >= 0:
                back, last = image, last - 1
            if first > last:
                return self._identify(front, back)
            if first == last:
                return self._link(front, word[first], back)
            self._define(front, word[first])

    def _identify(self, one: int, other: int) -> None:
        """Two elements are equal: keep the older, and follow what this makes equal."""
        pairs = [(one, other)]
        while pairs:
            old, new = sorted(self._oldest(coset) for coset in pairs.pop())
            if old == new:
                continue
            self.same_as[new] = old
            for letter, image in enumerate(self.table[new]):
                if image < 0:
                    continue
                self.table[image][letter ^ 1] = -1
                target = self._oldest(image)
                if (known := self.table[old][letter]) >= 0:
                    pairs.append((known, target))
                elif (known := self.table[target][letter ^ 1]) >= 0:
                    pairs.append((known, old))
                else:
                    self._link(old, letter, target)


# --- Quotients PSL(2,l) and PGL(2,l) ---------------------------------------------------------------------------------

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
