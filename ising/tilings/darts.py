"""Finite quotients of the triangle groups <x, y, z | x^2 = y^p = z^q = xyz = 1>, the symmetries of closed {p,q} maps.

The elements of a quotient G are the darts (half-edges) of a map on a closed surface. Right multiplication moves a dart:
the orbits of z are the vertices, those of x the edges, those of y the faces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Permutation = NDArray[np.int32]


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
