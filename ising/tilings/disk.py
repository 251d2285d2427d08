"""The Poincare disk, curvature -1: positions exact up to the rim, Moebius maps, distances, geodesics, translations."""

from __future__ import annotations

from cmath import exp
from dataclasses import dataclass
from math import pi, tanh

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .growth import check_hyperbolic, edge_length


@dataclass(frozen=True, eq=False)
class Positions:
    """Points of the disk that keep their distances near the rim, where neighbours differ in the last digits of z.

    Attributes
    ----------
    z
        (n,) complex128: the points, rounded.
    residual
        (n,) complex128: what the rounding left; z + residual holds twice the digits.
    gap
        (n,) float64: 1 - |z|^2, to full relative precision.
    """

    z: NDArray[np.complex128]
    residual: NDArray[np.complex128]
    gap: NDArray[np.float64]

    def __getitem__(self, sites: ArrayLike | slice) -> Positions:
        """The positions of some sites."""
        index = sites if isinstance(sites, slice) else np.asarray(sites)
        return Positions(self.z[index], self.residual[index], self.gap[index])

    def distance(self, i: ArrayLike, j: ArrayLike) -> NDArray[np.float64]:
        """Geodesic distance d between sites i and j (arrays broadcast): sinh^2(d/2) = |z_i - z_j|^2 / (gap_i gap_j)."""
        i, j = np.asarray(i), np.asarray(j)
        apart = (self.z[i] - self.z[j]) + (self.residual[i] - self.residual[j])
        return np.asarray(2 * np.arcsinh(np.abs(apart) / np.sqrt(self.gap[i] * self.gap[j])))


def moebius(z: ArrayLike, a: complex, theta: float = 0.0) -> NDArray[np.complex128]:
    """Turn by `theta` about the origin, then take the origin to `a`: w = e^(i theta) z, w -> (w + a) / (1 + conj(a) w).

    Parameters
    ----------
    z
        Points of the closed disk, any shape.
    a
        Image of the origin, |a| < 1.
    theta
        Angle in radians.

    Raises
    ------
    ValueError
        |a| >= 1.

    Examples
    --------
    >>> moebius([0.0, 0.5, 0.5j], 0.5).round(3).tolist()
    [(0.5+0j), (0.8+0j), (0.588+0.353j)]
    """
    if not abs(a) < 1:
        raise ValueError(f"a must lie inside the unit disk, got |a| = {abs(a)}")
    turned = np.exp(1j * theta) * np.asarray(z, dtype=np.complex128)
    return np.asarray((turned + a) / (1 + np.conj(a) * turned))


def distance(z: ArrayLike, w: ArrayLike) -> NDArray[np.float64]:
    """Geodesic distance d of points of the disk: sinh^2(d/2) = |z - w|^2 / ((1 - |z|^2) (1 - |w|^2)).

    From plain doubles the error grows as 1e-16 e^r with the distance r from the centre; sites of a lattice have
    `Positions.distance`.
    """
    z, w = _inside(z), _inside(w)
    gaps = (1 - np.abs(z)) * (1 + np.abs(z)) * (1 - np.abs(w)) * (1 + np.abs(w))
    return np.asarray(2 * np.arcsinh(np.abs(z - w) / np.sqrt(gaps)))


def geodesic(z: ArrayLike, w: ArrayLike, n_points: int = 16) -> NDArray[np.complex128]:
    """(..., n_points) complex: points at equal distances along the geodesic from z to w, ends included."""
    z, w = _inside(z)[..., None], _inside(w)[..., None]
    seen = (w - z) / (1 - np.conj(z) * w)  # w as seen from z at the origin, where geodesics are straight
    length = np.abs(seen)
    direction = np.divide(seen, length, out=np.zeros_like(seen), where=length > 0)
    along = np.tanh(np.linspace(0, 1, n_points) * np.arctanh(length)) * direction
    return np.asarray((along + z) / (1 + np.conj(z) * along))


def translation(p: int, q: int, k: int = 0) -> tuple[complex, float]:
    """The motion (a, theta) for `moebius` that takes the centre to its neighbour k and the tiling to itself.

    The tiling is {p,q} with a site at the centre and an edge along the positive real axis, as `hyperbolic` lays it.
    Neighbour k lies at the angle 2 pi k / q and the distance `edge_length`. For even q the motion is the hyperbolic
    translation along that edge, theta = 0; for odd q no symmetry goes straight on through a site, and the direction of
    the edge is turned by theta = pi / q.

    Raises
    ------
    ValueError
        {p,q} is not hyperbolic.
    """
    check_hyperbolic(p, q)
    return tanh(edge_length(p, q) / 2) * exp(2j * pi * k / q), pi / q if q % 2 else 0.0


def _inside(z: ArrayLike) -> NDArray[np.complex128]:
    points = np.asarray(z, dtype=np.complex128)
    if not (np.abs(points) < 1).all():
        raise ValueError(f"points must lie inside the unit disk, got |z| up to {np.abs(points).max()}")
    return points
