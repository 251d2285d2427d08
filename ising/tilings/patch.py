"""The combinatorics of an open tiling: layer upon layer round a site or a face, in exact integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .kernels_patch import grow_layer


@dataclass(frozen=True, eq=False)
class Patch:
    """A ball of the {p,q} tiling, sites in order of layer, then round the centre.

    Attributes
    ----------
    p, q
        Sides of a face, neighbours of a site.
    starts
        First site of every layer, then the number of sites.
    parent, second
        (n_sites,) int32: the neighbours in the layer below; a site has one or, as the top of a face, two (else -1).
    slot
        (n_sites,) int32: the turn at the parent from the parent's own parent to the site, in units of 2 pi / q.
    level
        (n_level, 2) int32: the bonds inside a layer, in order round the centre.
    """

    p: int
    q: int
    starts: Sequence[int]
    parent: NDArray[np.int32]
    second: NDArray[np.int32]
    slot: NDArray[np.int32]
    level: NDArray[np.int32]

    def bonds(self) -> NDArray[np.int32]:
        """(n_bonds, 2) int32, the lower site first: to parents, to second parents, inside layers."""
        child = np.arange(self.starts[1], self.starts[-1], dtype=np.int32)
        shared = np.flatnonzero(self.second >= 0).astype(np.int32)
        bonds = np.empty((child.size + shared.size + len(self.level), 2), dtype=np.int32)
        bonds[: child.size, 0], bonds[: child.size, 1] = self.parent[child], child
        pairs = bonds[child.size : child.size + shared.size]
        pairs[:, 0], pairs[:, 1] = self.second[shared], shared
        np.minimum(self.level[:, 0], self.level[:, 1], out=bonds[child.size + shared.size :, 0])
        np.maximum(self.level[:, 0], self.level[:, 1], out=bonds[child.size + shared.size :, 1])
        return bonds

    def faces(self) -> NDArray[np.int32]:
        """(n_faces, p) int32: the sites of every complete face, counterclockwise."""
        top = np.flatnonzero(self.second >= 0)
        tops = self._faces_below(top[:, None], self.parent[top], self.second[top])
        beside = (
            self.level[self.starts[1] :] if self.starts[1] > 1 else self.level
        )  # without the sides of a central face
        edges = self._faces_below(beside[:, :0], beside[:, 0], beside[:, 1])
        central = np.arange(self.starts[1])[None, :] if self.starts[1] > 1 else np.empty((0, self.p))
        return np.concatenate([central, tops, edges]).astype(np.int32)

    def _faces_below(
        self, top: NDArray[np.integer], left: NDArray[np.integer], right: NDArray[np.integer]
    ) -> NDArray[np.integer]:
        """Faces closed by sites `top` (n, 1) or by bonds (n, 0); their sides begin at sites `left` and `right` (n,)."""
        n_right = (self.p - top.shape[1]) // 2
        lefts, rights = [left], [right]
        for _ in range(self.p - top.shape[1] - n_right - 1):
            second = self.second[lefts[-1]]
            lefts.append(np.where(second >= 0, second, self.parent[lefts[-1]]))
        for _ in range(n_right - 1):
            rights.append(self.parent[rights[-1]])
        clockwise = [*top.T, *lefts, *rights[::-1]]
        return np.stack(clockwise[::-1], axis=1)


def grow(p: int, q: int, sizes: Sequence[int]) -> Patch:
    """The patch with the given layer sizes (see `growth.layer_sizes`); the first is 1 round a site, p round a face.

    The first site of every layer is at the angle 0 or the first one after it: the pattern is symmetric about that ray,
    so half the children of a site on it come before it.
    """
    starts = [0, *np.cumsum(sizes).tolist()]
    parent, second, slot = (np.full(starts[-1], -1, dtype=np.int32) for _ in range(3))
    gap = np.full(sizes[0], p if sizes[0] == 1 else 1, dtype=np.int32)
    parents = np.zeros(sizes[0], dtype=np.int32)
    on_axis, level = True, []
    for layer, (start, stop) in enumerate(pairwise(starts)):
        closes = gap == 1
        ends = np.flatnonzero(closes).astype(np.int32)
        level.append(start + np.stack([ends, (ends + 1) % gap.size], axis=1))
        if layer == len(sizes) - 1:
            break
        gap[closes] = p - 1
        closes_before = np.roll(closes, 1)
        children = q - parents - closes - closes_before
        shift = int(children[0]) // 2 if on_axis and gap.size > 1 else 0
        on_axis = children[0] % 2 == 1 or gap.size == 1 if on_axis else bool(gap[-1] == 2)
        above = slice(stop, starts[layer + 2])
        next_gap = np.empty(sizes[layer + 1], dtype=np.int32)
        grow_layer(p, start, shift, gap, children, closes_before, parent[above], second[above], slot[above], next_gap)
        gap, parents = next_gap, (second[above] >= 0) + np.int32(1)
    return Patch(p, q, starts, parent, second, slot, np.concatenate(level).astype(np.int32))
