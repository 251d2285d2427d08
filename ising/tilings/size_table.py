"""The table of closed maps of one {p,q}: a row for every size."""

from __future__ import annotations

from typing import NamedTuple

from tqdm.auto import tqdm

from ..arguments import as_flag
from .catalog import best, catalog, is_simple
from .closed import available_sizes, map_lattice, radius_objection


class MapRow(NamedTuple):
    """One size of closed {p,q} maps, with the map that ``closed_hyperbolic(p, q, n_sites=...)`` takes.

    Attributes
    ----------
    n_sites, surface
        Number of sites, name of the map.
    genus, radius
        Genus of the surface, injectivity radius.
    second_eigenvalue
        Second largest eigenvalue of the adjacency matrix; the largest is q.
    bipartite
        Whether the sites fall into two classes with all bonds between them.
    admitted
        Whether the radius is large enough to be taken without ``allow_small_radius=True``.
    n_names
        Number of surfaces known by name at this size that are simple graphs, this one included; ``"klein"`` and
        ``"bring"`` are in the families too, as ``"PSL(2,7) #1"`` and ``"PGL(2,5) #1"``, and count twice.
    """

    n_sites: int
    surface: str
    genus: int
    radius: int
    second_eigenvalue: float
    bipartite: bool
    admitted: bool
    n_names: int


def map_table(p: int, q: int, n_max: int = 10_000, progress: bool = False) -> list[MapRow]:
    """The closed {p,q} maps of up to `n_max` sites, one row for every size, ascending.

    Parameters
    ----------
    p, q
        Sides of a face, neighbours of a site.
    n_max
        Largest number of sites.
    progress
        Show a progress bar.

    Raises
    ------
    ValueError
        An impossible {p,q}, or n_max outside 1 to 1,000,000.

    Examples
    --------
    >>> for row in map_table(5, 4, 60):
    ...     print(row.n_sites, row.surface, row.genus, row.radius, round(row.second_eigenvalue, 6), row.bipartite)
    30 bring 4 2 2.0 False
    40 T5.3 5 1 2.828427 False
    60 bring x2 7 2 3.701562 False
    """
    from ..spectrum import second_eigenvalue

    as_flag("progress", progress)
    rows = []
    for size in tqdm(available_sizes(p, q, n_max), disable=not progress, desc="maps", leave=False):
        same_size = catalog(p, q, n_max)[size]
        quotient, n_names = best(same_size), sum(map(is_simple, same_size))
        lattice = map_lattice(quotient)
        genus, radius, bipartite = (lattice.attrs[key] for key in ("genus", "injectivity_radius", "bipartite"))
        admitted = radius_objection(quotient) is None
        second = second_eigenvalue(lattice)
        rows.append(MapRow(size, quotient.surface, genus, radius, second, bipartite, admitted, n_names))
    return rows
