"""The dimension delta of the limit set of a group of isometries, the part of the boundary its orbits pile up on.

The group of a tiling {p,q}, or of a closed surface, has a compact fundamental domain: its orbits reach all of the
boundary and delta = 1. Groups with funnels leave gaps and have delta < 1; here the simplest, the reflections in n
geodesics placed evenly round the disk that do not meet.
"""

from __future__ import annotations

from math import cos, cosh, pi, tan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import as_number, as_numbers
from ..integers import as_integer
from .growth import check_hyperbolic

Array = NDArray[np.float64]
NODES = 64
MAX_RADIUS = 700.0  # cosh stays a double


def tiling_dimension(p: int, q: int) -> float:
    """Dimension of the boundary of {p,q}: 1, the whole circle, because the group of the tiling is cocompact.

    Parameters
    ----------
    p, q
        Sides of a face, neighbours of a site, (p - 2)(q - 2) > 4.

    Raises
    ------
    ValueError
        {p,q} is not hyperbolic.
    """
    check_hyperbolic(p, q)
    return 1.0


def funnel_dimension(n: int, opening: float) -> float:
    """Dimension of the limit set of the reflections in n geodesics that each cut an arc `opening` off the unit circle.

    delta solves radius(L_delta) = 1, where on functions of one arc (Bowen 1979; McMullen 1998)

        L_s g(x) = sum_(k=1)^(n-1) |R'(x - 2 pi k / n)|^s g(R(x - 2 pi k / n)),

    x is the angle from the middle of the arc and R the reflection in its geodesic. L_s is collocated on 64 Chebyshev
    points; g is analytic, so the error falls exponentially, the slower the closer the arcs: at n = 3 it is below 1e-12
    up to 110 degrees.

    Parameters
    ----------
    n
        Number of geodesics, >= 3.
    opening
        Angle of each arc in radians, 0 < opening < 2 pi / n.

    Raises
    ------
    ValueError
        Arcs that touch or overlap.

    Examples
    --------
    >>> round(funnel_dimension(3, pi / 3), 10)
    0.2955464799
    """
    from scipy.optimize import brentq

    n, opening = _check_funnels(n, opening)
    return float(brentq(lambda s: _leading_eigenvalue(n, opening, s) - 1, 0.0, 1.0, xtol=1e-14))


def funnel_distances(n: int, opening: float, radius: float) -> Array:
    """Distances from the centre, ascending, to its images under the group of `funnel_dimension`, up to `radius`.

    Every image is a reduced word in the reflections. A reflection of the hyperboloid is X - 2 <X, e> e; the distance
    arcosh X_0 grows with every letter put in front, so a branch ends where it leaves the disk.

    Parameters
    ----------
    n, opening
        As in `funnel_dimension`.
    radius
        Largest hyperbolic distance, curvature -1.

    Returns
    -------
    (n_images,) float64, the centre itself at distance 0 included.

    Examples
    --------
    >>> funnel_distances(3, pi / 3, 4.0).round(3).tolist()
    [0.0, 2.634, 2.634, 2.634]
    """
    n, opening = _check_funnels(n, opening)
    radius = as_number("radius", radius, least=0, most=MAX_RADIUS)
    angles = 2 * pi * np.arange(n) / n
    # the geodesic's unit normal: <e, e> = 1 with <X, Y> = X1 Y1 + X2 Y2 - X0 Y0
    normals = np.stack([np.full(n, 1 / tan(opening / 2)), np.cos(angles), np.sin(angles)], axis=1)
    normals[:, 1:] /= np.sin(opening / 2)
    images, first = np.array([[1.0, 0.0, 0.0]]), np.array([-1])
    heights = [images[:, 0]]
    while len(images):
        reflected = [_reflect(images[first != letter], normal) for letter, normal in enumerate(normals)]
        first = np.repeat(np.arange(n), [len(block) for block in reflected])
        images = np.concatenate(reflected)
        inside = images[:, 0] <= cosh(radius)
        images, first = images[inside], first[inside]
        heights.append(images[:, 0])
    return np.sort(np.arccosh(np.concatenate(heights)))


def orbital_dimension(distances: ArrayLike, radius: float) -> float:
    """Estimate of delta by counting: N(r) ~ e^(delta r), so delta = ln[N(r) / N(r / 2)] / (r / 2) at r = `radius`.

    Where orbits are discrete in length, as with narrow funnels, N(r) also oscillates, and the error is of order 1 / r.

    Parameters
    ----------
    distances
        Hyperbolic distances from one point to the points of its orbit, complete up to `radius`.
    radius
        Largest distance counted.

    Raises
    ------
    ValueError
        No point within `radius` / 2.

    Examples
    --------
    >>> round(orbital_dimension(funnel_distances(3, pi / 3, 40.0), 40.0), 2)  # 0.2955 in truth
    0.28
    """
    r, radius = as_numbers("distances", distances, least=0), as_number("radius", radius, above=0)
    near, far = np.count_nonzero(r <= radius / 2), np.count_nonzero(r <= radius)
    if near == 0:
        raise ValueError(f"distances hold no point within radius / 2 = {radius / 2:g}; count up to a larger radius")
    return float(np.log(far / near) / (radius / 2))


def _check_funnels(n: int, opening: float) -> tuple[int, float]:
    n, opening = as_integer("n", n, 3), as_number("opening", opening)
    if not 0 < opening < 2 * pi / n:
        raise ValueError(f"opening must be between 0 and 2 pi / {n} = {2 * pi / n:.6f} radians, got {opening}")
    return n, opening


def _reflect(points: Array, normal: Array) -> Array:
    """Reflections of (k, 3) points of the hyperboloid in the geodesic of a unit normal."""
    return points - 2 * np.outer(points @ (normal * [-1, 1, 1]), normal)


def _leading_eigenvalue(n: int, opening: float, s: float) -> float:
    """Spectral radius of L_s on polynomials through the Chebyshev points of the arc."""
    nodes = np.cos(pi * (np.arange(NODES) + 0.5) / NODES)
    angles = nodes * opening / 2 - 2 * pi * np.arange(1, n)[:, None] / n  # (k, node)
    slope = tan(opening / 2) ** 2 / (1 + cos(opening / 2) ** -2 - 2 * np.cos(angles) / cos(opening / 2))
    images = 2 * np.arctan(tan(opening / 4) ** 2 / np.tan(angles / 2)) / (opening / 2)
    to_coefficients = np.linalg.inv(np.polynomial.chebyshev.chebvander(nodes, NODES - 1))
    operator = (slope[:, :, None] ** s * np.polynomial.chebyshev.chebvander(images, NODES - 1)).sum(axis=0)
    return float(np.abs(np.linalg.eigvals(operator @ to_coefficients)).max())
