"""Lattices: a site count, a bond list and what is known about them; everything else is built on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import as_kind, refuse
from .integers import as_integer
from .kernels_adjacency import count_ends, fill_neighbor_bonds, fill_neighbors

Dimension = int | Literal["mean_field"] | None
Recipe = tuple[str, Mapping[str, Any]]
MAX_SITES = 2**31 - 1  # sites are numbered in int32


@dataclass(frozen=True, eq=False)
class Momentum:
    """The smallest momenta of a periodic lattice.

    Attributes
    ----------
    length
        Number of layers along an axis (L).
    magnitude
        The lattice momentum 2 sin(k_min / 2) of the second-moment correlation length, in units of 1/(bond length).
    """

    length: int
    magnitude: float
    _build_layers: Callable[[], NDArray[np.int64]] = field(repr=False)

    @cached_property
    def layers(self) -> NDArray[np.int32]:
        """(n_axes, n_sites) int32: coordinate of every site along each axis; its phase is 2 pi layer / length."""
        return self._build_layers().astype(np.int32)


@dataclass(frozen=True, eq=False)
class Lattice:
    """An undirected simple graph with the facts the Monte Carlo and the scaling analysis need.

    Attributes
    ----------
    n_sites
        Number of sites.
    name
        Short name, such as ``"square(32)"``.
    dimension
        Integer dimension, ``"mean_field"`` for complete, random-regular and hyperbolic graphs, ``None`` if unknown.
    momentum
        The smallest momenta, or None where the graph has no translations.
    attrs
        Further facts (``L``, ``p``, ``q``, ``genus``, ...): plain numbers and strings.
    recipe
        Name and arguments of the function of `ising` that makes this lattice, or None where only its bonds tell it.
    """

    n_sites: int
    name: str
    dimension: Dimension
    _build_bonds: Callable[[], NDArray[np.int32]] = field(repr=False)
    attrs: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    _build_coordinates: Callable[[], NDArray[np.float64]] | None = field(default=None, repr=False)
    momentum: Momentum | None = field(default=None, repr=False)
    recipe: Recipe | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_sites", as_integer("n_sites", self.n_sites, 1))
        as_kind("name", self.name, str, "'square(32)'")
        if not isinstance(self.dimension, str | None):
            as_integer("dimension", self.dimension, 1)
        elif self.dimension not in ("mean_field", None):
            refuse("dimension", "an integer >= 1, 'mean_field' or None", self.dimension)
        if not isinstance(self.momentum, Momentum | None):
            refuse("momentum", "the Momentum of a lattice such as ising.square(8), or None", self.momentum)
        if self.recipe is not None and not (isinstance(self.recipe, tuple) and len(self.recipe) == 2):
            refuse("recipe", "a pair (name of a function, its arguments), or None", self.recipe)
        if not isinstance(self.attrs, Mapping):
            refuse("attrs", "a dict", self.attrs)

    @cached_property
    def bonds(self) -> NDArray[np.int32]:
        """(n_bonds, 2) int32: the two sites of every bond, each bond once."""
        bonds = self._build_bonds()
        bonds.setflags(write=False)
        return bonds

    @property
    def n_bonds(self) -> int:
        """Number of bonds."""
        return len(self.bonds)

    @cached_property
    def coordinates(self) -> NDArray[np.float64] | None:
        """(n_sites, dimension) positions for drawing, or None."""
        return None if self._build_coordinates is None else self._build_coordinates()

    @cached_property
    def degree(self) -> NDArray[np.int32]:
        """(n_sites,) int32: number of neighbours."""
        degree = np.zeros(self.n_sites, dtype=np.int32)
        count_ends(self.bonds, degree)
        return degree

    @cached_property
    def neighbors(self) -> NDArray[np.int32]:
        """(n_sites, max_degree) int32: neighbours of every site, padded with -1 at the end."""
        return self._by_site(fill_neighbors)

    @cached_property
    def neighbor_bonds(self) -> NDArray[np.int32]:
        """(n_sites, max_degree) int32: the bond behind every entry of `neighbors`, padded with -1."""
        return self._by_site(fill_neighbor_bonds)

    def _by_site(self, fill: Callable[..., None]) -> NDArray[np.int32]:
        table = np.full((self.n_sites, int(self.degree.max(initial=0))), -1, dtype=np.int32)
        fill(self.bonds, np.zeros(self.n_sites, dtype=np.int32), table)
        return table


def as_lattice(value: Any) -> Lattice:
    """The argument `lattice` of a function, checked."""
    return as_kind("lattice", value, Lattice, "ising.square(8)")


def from_bonds(n_sites: int, bonds: ArrayLike, name: str = "graph", dimension: Dimension = None) -> Lattice:
    """Any simple graph, with the bonds in the order given.

    Parameters
    ----------
    n_sites
        Number of sites, at least 1.
    bonds
        (n_bonds, 2) integers in [0, n_sites).
    name, dimension
        Carried along; see `Lattice`.

    Raises
    ------
    ValueError
        Shape, range, a self-loop or a repeated bond.

    Examples
    --------
    >>> from_bonds(3, [(0, 1), (1, 2)]).neighbors.tolist()
    [[1, -1], [0, 2], [1, -1]]
    """
    n_sites = as_integer("n_sites", n_sites, 1, MAX_SITES)
    try:
        array = np.asarray(bonds)
    except Exception:  # ragged, or a foreign object, which may raise anything
        refuse("bonds", "integers of shape (n_bonds, 2)", bonds)
    if array.size == 0 and not isinstance(bonds, Mapping):
        array = np.empty((0, 2), dtype=np.int32)
    if array.ndim != 2 or array.shape[1] != 2 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"bonds must be integers of shape (n_bonds, 2), got {array.dtype} of shape {array.shape}")
    if array.size and (array.min() < 0 or array.max() >= n_sites):
        raise ValueError(f"bonds must name sites in [0, {n_sites}), below n_sites, got {array.min()} .. {array.max()}")
    loops = np.flatnonzero(array[:, 0] == array[:, 1])
    if loops.size:
        raise ValueError(f"bond {loops[0]} joins site {array[loops[0], 0]} to itself; remove self-loops")
    low, high = array.min(axis=1).astype(np.int64), array.max(axis=1).astype(np.int64)
    key, counts = np.unique(low * n_sites + high, return_counts=True)
    if (counts > 1).any():
        twice = int(key[counts > 1][0])
        raise ValueError(f"bond ({twice // n_sites}, {twice % n_sites}) is given more than once; add its couplings up")
    frozen = np.array(array, dtype=np.int32)
    return Lattice(n_sites, name, dimension, lambda: frozen)


def from_networkx(graph: Any) -> Lattice:
    """The graph of a `networkx.Graph`; sites are numbered in the order of ``graph.nodes``.

    Raises
    ------
    ValueError
        A directed graph, a multigraph or self-loops.
    """
    if not all(hasattr(graph, name) for name in ("is_directed", "is_multigraph", "nodes", "edges")):
        refuse("graph", "a networkx.Graph", graph)
    if graph.is_directed() or graph.is_multigraph():
        raise ValueError("graph must be an undirected simple Graph: use nx.Graph(graph) to make one")
    index = {node: i for i, node in enumerate(graph.nodes)}
    bonds = [(index[a], index[b]) for a, b in graph.edges]
    return from_bonds(len(index), bonds, name=graph.name or "networkx")
