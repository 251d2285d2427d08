"""The Poincare disk, curvature -1: positions exact up to the rim, Moebius maps, distances, geodesics, translations.

Points are complex numbers everywhere: ``lattice.positions.z``, not the real ``lattice.coordinates``. Real numbers whose
last axis is 2 could be pairs (x, y) and are refused.
"""

from __future__ import annotations

from cmath import exp
from dataclasses import dataclass
from math import pi, tanh

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import as_number, as_numbers, refuse
from ..integers import as_integer
from .growth import check_hyperbolic, edge_length

RIM = 1 + 4 * np.finfo(np.float64).eps  # |z| of points on the rim, after rounding


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
        i, j = (_sites(name, sites, len(self.z)) for name, sites in (("i", i), ("j", j)))
        try:
            np.broadcast_shapes(i.shape, j.shape)
        except ValueError:
            raise ValueError(f"i and j must broadcast, got shapes {i.shape} and {j.shape}") from None
        apart = (self.z[i] - self.z[j]) + (self.residual[i] - self.residual[j])
        return np.asarray(2 * np.arcsinh(np.abs(apart) / np.sqrt(self.gap[i] * self.gap[j])))


def _sites(name: str, values: ArrayLike, n_sites: int) -> NDArray[np.integer]:
    """An array of sites."""
    array = as_numbers(name, values, least=0, below=n_sites, empty=True)
    if (array != np.rint(array)).any():
        refuse(name, "an array of sites, which are integers", values)
    return array.astype(np.int64)


def moebius(z: ArrayLike, a: complex, theta: float = 0.0) -> NDArray[np.complex128]:
    """Turn by `theta` about the origin, then take the origin to `a`: w = e^(i theta) z, w -> (w + a) / (1 + conj(a) w).

    Parameters
    ----------
    z
        Complex points of the closed disk, any shape.
    a
        Image of the origin, |a| < 1.
    theta
        Angle in radians.

    Raises
    ------
    ValueError
        |a| >= 1, |z| > 1, NaN, or real pairs.

    Examples
    --------
    >>> moebius([0.0, 0.5, 0.5j], 0.5).round(3).tolist()
    [(0.5+0j), (0.8+0j), (0.588+0.353j)]
    """
    image, points, theta = _inside("a", a), _complex("z", z), as_number("theta", theta)
    if image.ndim:
        raise ValueError(f"a must be one complex number, got shape {image.shape}")
    if not (np.abs(points) <= RIM).all():
        raise ValueError(f"z must lie in the closed unit disk, got |z| up to {np.abs(points).max()}")
    turned = np.exp(1j * theta) * points
    return np.asarray((turned + image) / (1 + np.conj(image) * turned))


def distance(z: ArrayLike, w: ArrayLike) -> NDArray[np.float64]:
    """Geodesic distance d of points of the disk: sinh^2(d/2) = |z - w|^2 / ((1 - |z|^2) (1 - |w|^2)).

    From plain doubles the error grows as 1e-16 e^r with the distance r from the centre; sites of a lattice have
    `Positions.distance`.

    Raises
    ------
    ValueError
        Points on the rim or outside, NaN, or real pairs.
    """
    z, w = _pair(z, w)
    gaps = (1 - np.abs(z)) * (1 + np.abs(z)) * (1 - np.abs(w)) * (1 + np.abs(w))
    return np.asarray(2 * np.arcsinh(np.abs(z - w) / np.sqrt(gaps)))


def geodesic(z: ArrayLike, w: ArrayLike, n_points: int = 16) -> NDArray[np.complex128]:
    """(..., n_points) complex: points at equal distances along the geodesic from z to w, ends included.

    Raises
    ------
    ValueError
        Points on the rim or outside, NaN, or real pairs.
    """
    n_points = as_integer("n_points", n_points, 2)
    z, w = (points[..., None] for points in _pair(z, w))
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

    Parameters
    ----------
    p, q
        Sides of a face, neighbours of a site.
    k
        Number of the neighbour, counterclockwise; an integer, taken modulo q.

    Raises
    ------
    ValueError
        {p,q} is not hyperbolic, or k no integer.
    """
    p, q = check_hyperbolic(p, q)
    k = as_integer("k", k) % q
    return tanh(edge_length(p, q) / 2) * exp(2j * pi * k / q), pi / q if q % 2 else 0.0


def _pair(z: ArrayLike, w: ArrayLike) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    first, second = _inside("z", z), _inside("w", w)
    try:
        np.broadcast_shapes(first.shape, second.shape)
    except ValueError:
        raise ValueError(f"z and w must broadcast, got shapes {first.shape} and {second.shape}") from None
    return first, second


def _inside(name: str, z: ArrayLike) -> NDArray[np.complex128]:
    points = _complex(name, z)
    if not (np.abs(points) < 1).all():
        raise ValueError(f"{name} must lie inside the unit disk, got |{name}| up to {np.abs(points).max()}")
    return points


def _complex(name: str, z: ArrayLike) -> NDArray[np.complex128]:
    try:
        points = np.asarray(z)
    except Exception:  # ragged, or a foreign object, which may raise anything
        refuse(name, "complex numbers", z)
    if points.shape[-1:] == (2,) and not np.iscomplexobj(points):
        raise ValueError(
            f"{name} must hold complex numbers, got real ones of shape {points.shape}, which could be coordinates: "
            "take lattice.positions.z, or x + 1j * y"
        )
    if points.dtype.kind not in "iufc" or points.size == 0 or isinstance(z, np.ma.MaskedArray):
        refuse(name, "complex numbers", z)
    if not np.isfinite(points).all():
        refuse(name, "finite", points[~np.isfinite(points)].flat[0])
    return points.astype(np.complex128)
