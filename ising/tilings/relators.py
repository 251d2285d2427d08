"""Quotients of triangle groups given by relators, enumerated by Todd and Coxeter's method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

import numpy as np

from .darts import Darts, Quotient
from .small_genus import TABLE, Tabulated

MAX_COSETS = 100_000  # of a coset enumeration, collapsed ones included


def tabulated(p: int, q: int, max_order: int) -> Iterator[Quotient]:
    """The quotients of `TABLE`, each as it stands and, with y and z exchanged, as its dual."""
    for row in TABLE:
        if row.order <= max_order and (p, q) in ((row.p, row.q), (row.q, row.p)):
            yield Quotient(p, q, row.name, row.order, partial(_tabulated_darts, row, p != row.p), row.alias)


@lru_cache(maxsize=64)
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
