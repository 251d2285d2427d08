"""Maps on closed surfaces as permutations of darts, and the finite quotients of triangle groups that give regular ones.

The elements of a quotient of <x, y, z | x^2 = y^p = z^q = xyz = 1> are the darts (half-edges) of a {p,q} map. Right
multiplication moves a dart: the orbits of z are the vertices, those of x the edges, those of y the faces. A lift is
given by three such permutations too, without being a group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Permutation = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Darts:
    """The three permutations of the darts: dart i goes to x[i], y[i], z[i]; all (order,) int32, with xyz = 1."""

    x: Permutation
    y: Permutation
    z: Permutation


@dataclass(frozen=True)
class Quotient:
    """A map with faces of p sides and vertices of degree q, not yet built.

    Attributes
    ----------
    p, q
        Orders of y and of z.
    surface
        Name, such as ``"klein"``, ``"PSL(2,13) #2"`` or ``"klein x4"``; unique for given p and q.
    order
        Number of darts, which is the number of group elements of a regular map.
    build
        Makes the permutations.
    alias
        A second name, such as ``"T3.1"``, or empty.
    base
        The map that this one covers twice, if it is a lift: its balls are no fuller than those of the lift.
    quick_radius
        The injectivity radius without building the map, where there is a shorter way.
    """

    p: int
    q: int
    surface: str
    order: int
    build: Callable[[], Darts] = field(repr=False, compare=False)
    alias: str = ""
    base: Quotient | None = field(default=None, repr=False, compare=False)
    quick_radius: Callable[[], int] | None = field(default=None, repr=False, compare=False)

    @property
    def regular(self) -> bool:
        """Whether a group moves any dart to any other; lifts make no such promise."""
        return self.base is None

    @property
    def n_sites(self) -> int:
        """Number of vertices."""
        return self.order // self.q

    def called(self, name: str) -> bool:
        """Whether `name` is the surface or its alias; capitals do not matter."""
        return bool(name) and name.lower() in (self.surface.lower(), self.alias.lower())
