"""Where the sites of a patch lie in the Poincare disk: one isometry a site, from layer to layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from itertools import count, pairwise

import numpy as np
from numpy.typing import NDArray

from .disk import Positions
from .kernels_frames import advance, locate
from .patch import Patch

DIGITS = 50
PI = Decimal("3.14159265358979323846264338327950288419716939937511")
BLOCK = 65_536  # sites of the last layer whose frames exist at one time


def place(patch: Patch) -> Positions:
    """Positions of all sites; the edge from the centre to its first neighbour (or first site) is at the angle 0."""
    frames, turns, step = _constants(patch.p, patch.q, from_site=patch.starts[1] == 1)
    n_sites = patch.starts[-1]
    z, residual = (np.empty(n_sites, dtype=np.complex128) for _ in range(2))
    gap = np.empty(n_sites)
    locate(frames, z[: len(frames)], residual[: len(frames)], gap[: len(frames)])
    start_below = 0
    for start, stop in pairwise(patch.starts[1:]):
        last = stop == n_sites
        above = np.empty((min(stop - start, BLOCK) if last else stop - start, 8))
        for begin in range(start, stop, len(above)):
            block = slice(begin, min(begin + len(above), stop))
            parent = patch.parent[block] - np.int32(start_below)
            advance(frames, parent, patch.slot[block], turns, step, above)
            locate(above, z[block], residual[block], gap[block])
        frames, start_below = above, start
    return Positions(z, residual, gap)


def _constants(p: int, q: int, from_site: bool) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Frames of the first layer (n, 8), half turns by slot (q + 1, 4) and cosh, sinh of half an edge (4,), in pairs."""
    with localcontext(prec=DIGITS):
        in_p, in_q = _cos_sin(PI / p), _cos_sin(PI / q)
        cosh = in_p[0] / in_q[1]
        turns = list(_multiples(in_q, q + 1))
        if from_site:  # slot 1, the first neighbour, lies at the angle 0
            frames: Sequence[tuple[Decimal, ...]] = [(in_q[0], -in_q[1], Decimal(0), Decimal(0))]
        else:
            across = in_p[0] * in_q[0] / (in_p[1] * in_q[1])  # cosh of the distance from a face's centre to its sites
            frames = list(_first_face(p, q, ((across + 1) / 2).sqrt(), ((across - 1) / 2).sqrt()))
        return _pairs(frames), _pairs(turns), _pairs([(cosh, (cosh * cosh - 1).sqrt())])[0]


def _first_face(p: int, q: int, cosh: Decimal, sinh: Decimal) -> Iterator[tuple[Decimal, ...]]:
    """Frames of the sites of the central face; slot 0 is the next site, half a corner beside the way back."""
    c, s = _cos_sin(PI / 2 - PI / (2 * q))
    for x, y in _multiples(_cos_sin(PI / p), p):
        yield cosh * (x * c - y * s), cosh * (y * c + x * s), sinh * (x * c + y * s), sinh * (y * c - x * s)


def _multiples(angle: tuple[Decimal, Decimal], n: int) -> Iterator[tuple[Decimal, Decimal]]:
    """Cosine and sine of 0, 1, ..., n - 1 times an angle, from its own."""
    x, y = Decimal(1), Decimal(0)
    for _ in range(n):
        yield x, y
        x, y = x * angle[0] - y * angle[1], y * angle[0] + x * angle[1]


def _cos_sin(angle: Decimal) -> tuple[Decimal, Decimal]:
    """Cosine and sine by their power series."""
    sums, term = [Decimal(1), Decimal(0)], Decimal(1)
    for n in count(1):
        term *= angle / n
        if abs(term) < Decimal(10) ** -DIGITS:
            return sums[0], sums[1]
        sums[n % 2] += term if n % 4 < 2 else -term
    raise AssertionError


def _pairs(rows: Sequence[tuple[Decimal, ...]]) -> NDArray[np.float64]:
    """(n, k) numbers as (n, 2 k) doubles: each next to what it leaves."""
    high = [[float(value) for value in row] for row in rows]
    low = [[float(value - Decimal(h)) for value, h in zip(row, near)] for row, near in zip(rows, high)]
    return np.stack([high, low], axis=-1).reshape(len(rows), -1)
