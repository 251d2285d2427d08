"""Open patches of the hyperbolic lattice {p,q}: all sites up to a distance from a site or from a face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import islice
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..arguments import as_choice, as_flag
from ..integers import as_integer
from ..lattice import Lattice
from .disk import Positions
from .frames import place
from .growth import check_hyperbolic, layer_sizes
from .patch import Patch, grow

MAX_SITES = 2**31 - 1
MAX_SIDES = 2**31 - 1


@dataclass(frozen=True, eq=False)
class OpenTiling(Lattice):
    """An open patch of {p,q} with what its geometry adds to a `Lattice`; made by `hyperbolic`."""

    _build_patch: Callable[[], Patch] = field(kw_only=True, repr=False)
    _kept: NDArray[np.int64] | None = field(kw_only=True, default=None, repr=False)

    @cached_property
    def layer(self) -> NDArray[np.int32]:
        """(n_sites,) int32: graph distance from the central site, or from the sites of the central face."""
        starts = self._build_patch().starts
        layer = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
        return layer if self._kept is None else layer[self._kept]

    @cached_property
    def positions(self) -> Positions:
        """Positions in the Poincare disk that keep every edge at its geodesic length, however near the rim."""
        positions = place(self._build_patch())
        return positions if self._kept is None else positions[self._kept]

    @cached_property
    def coordinates(self) -> NDArray[np.float64]:
        """(n_sites, 2) points of the unit disk: `positions` rounded to doubles.

        From these numbers alone a distance near the rim is known to about 1e-16 e^r, r the distance from the centre.
        """
        return self.positions.z.view(np.float64).reshape(-1, 2)

    @cached_property
    def faces(self) -> NDArray[np.int32]:
        """(n_faces, p) int32: the sites of every complete face, counterclockwise."""
        faces = self._build_patch().faces()
        return faces if self._kept is None else np.searchsorted(self._kept, faces).astype(np.int32)

    @cached_property
    def rim_distance(self) -> NDArray[np.int32]:
        """(n_sites,) int32: graph distance to the nearest site that lacks one of its q neighbours.

        The bulk without k layers at the rim is ``rim_distance >= k``; the boundary itself is ``rim_distance == 0``.
        """
        distance = np.where(self.degree < self.attrs["q"], 0, -1).astype(np.int32)
        shell: NDArray[np.integer] = np.flatnonzero(distance == 0)
        while shell.size:
            around = np.unique(self.neighbors[shell])
            next_shell = around[(around >= 0) & (distance[around] < 0)]
            distance[next_shell] = distance[shell[0]] + 1
            shell = next_shell
        return distance


def hyperbolic(
    p: int, q: int, layers: int, center: Literal["site", "cell"] = "site", *, trim: bool = False
) -> OpenTiling:
    """An open patch of the hyperbolic lattice {p,q}: faces of p sides, q neighbours at every site.

    Built layer by layer in exact integers, so that the layers have `sphere_sizes` sites. Sites are ordered by layer,
    then by their angle round the centre in [0, 2 pi).

    Parameters
    ----------
    p, q
        Integers >= 3 with (p-2)(q-2) > 4.
    layers
        Largest graph distance from the centre, at least 1; all sites up to it and all bonds among them.
    center
        ``"site"``: distance from one site. ``"cell"``: distance from the p sites of one face, which are layer 0.
    trim
        Leave out every site that is a corner of no complete face, dangling ends among them: the union of the complete
        faces remains, with all bonds among its sites.

    Returns
    -------
    OpenTiling
        A `Lattice` with `layer`, `positions`, `faces` and `rim_distance`; curvature -1.

    Raises
    ------
    ValueError
        {p,q} is Euclidean or spherical, layers < 1, an unknown centre, 2^31 sites or more, nothing left after trimming.

    Examples
    --------
    >>> lattice = hyperbolic(7, 3, 4)
    >>> lattice.n_sites, np.bincount(lattice.layer).tolist(), lattice.coordinates[1].round(4).tolist()
    (40, [1, 3, 6, 12, 18], [0.2758, 0.0])
    """
    p, q = check_hyperbolic(p, q)
    layers = as_integer("layers", layers, 1)
    as_choice("center", center, ("site", "cell"))
    trim = as_flag("trim", trim)
    sizes = _layer_sizes(int(p), int(q), layers, center)
    build_patch = cache(lambda: grow(int(p), int(q), sizes))
    kept = _corners(build_patch(), layers) if trim else None

    def build_bonds() -> NDArray[np.int32]:
        bonds = build_patch().bonds()
        return bonds if kept is None else _bonds_among(kept, bonds, sum(sizes))

    return OpenTiling(
        sum(sizes) if kept is None else kept.size,
        f"hyperbolic({p}, {q}, {layers}" + ", cell" * (center == "cell") + ", trimmed" * trim + ")",
        "mean_field",
        build_bonds,
        MappingProxyType({"p": int(p), "q": int(q), "layers": layers, "center": center, "trim": bool(trim)}),
        recipe=("hyperbolic", {"p": int(p), "q": int(q), "layers": layers, "center": center, "trim": bool(trim)}),
        _build_patch=build_patch,
        _kept=kept,
    )


def _layer_sizes(p: int, q: int, layers: int, center: str) -> list[int]:
    if max(p, q) > MAX_SIDES:
        raise ValueError(f"p and q must be below 2^31, got p={p}, q={q}")
    sizes: list[int] = []
    for size in islice(layer_sizes(p, q, center), layers + 1):
        if sum(sizes) + size > MAX_SITES:
            raise ValueError(
                f"{{{p},{q}}} with layers={layers} has more than 2^31 - 1 sites; at most layers={len(sizes) - 1} fits"
            )
        sizes.append(size)
    return sizes


def _corners(patch: Patch, layers: int) -> NDArray[np.int64]:
    corner = np.zeros(patch.starts[-1], dtype=bool)
    corner[patch.faces().ravel()] = True
    if not corner.any():
        raise ValueError(f"no face of {{{patch.p},{patch.q}}} is complete with layers={layers}; take {patch.p // 2}")
    return np.flatnonzero(corner)


def _bonds_among(kept: NDArray[np.int64], bonds: NDArray[np.int32], n_sites: int) -> NDArray[np.int32]:
    number = np.full(n_sites, -1, dtype=np.int32)
    number[kept] = np.arange(kept.size, dtype=np.int32)
    bonds = number[bonds]
    return bonds[(bonds >= 0).all(axis=1)]
