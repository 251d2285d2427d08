"""Exact ground states: planar graphs by matching frustrated faces, square tori up to L = 14 by a transfer matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, dijkstra

import ising
from ising import IsingModel, Lattice
from ising.arguments import as_kind
from ising.integers import as_integer

from .matching import minimum_weight_matching
from .transfer import LANES, lowest_energies, lowest_rows

MOST_FRUSTRATED = 5_000
LARGEST_TORUS = 14
SCALE = 2.0**36  # real couplings are rounded to 2^-36 of the largest; sums along paths stay exact in doubles


@dataclass(frozen=True, eq=False)
class GroundState:
    """A configuration of lowest energy: `spins` (n_sites,) int8 and its total `energy`."""

    energy: float
    spins: NDArray[np.int8]


def cylinder(circumference: int, length: int) -> Lattice:
    """Square lattice, periodic in one direction and free in the other: site x * circumference + y, y round the ring.

    Raises
    ------
    ValueError
        circumference < 3 or length < 1.

    Examples
    --------
    >>> cylinder(4, 3).n_bonds
    20
    """
    circumference, length = as_integer("circumference", circumference, 3), as_integer("length", length, 1)
    sites = np.arange(circumference * length).reshape(length, circumference)
    rings = np.stack([sites, np.roll(sites, -1, axis=1)], axis=-1).reshape(-1, 2)
    along = np.stack([sites[:-1], sites[1:]], axis=-1).reshape(-1, 2)
    return ising.from_bonds(sites.size, np.concatenate([rings, along]), f"cylinder({circumference}, {length})", 2)


def planar_ground_state(model: IsingModel) -> GroundState:
    """The ground state of any planar model without fields: E = -sum |J| + 2 min sum over unsatisfied bonds of |J|.

    Seen from the faces, the unsatisfied bonds are paths that end in the frustrated faces (an odd number of J < 0 round
    them): the cheapest set is a minimum-weight perfect matching of those faces along shortest paths (Bieche, Maynard,
    Rammal and Uhry 1980). Needs the package networkx for the faces.

    Parameters
    ----------
    model
        On a planar graph: free boundaries, `cylinder`, an open hyperbolic tiling, a tree. Bimodal and integer couplings
        are exact; others are rounded to 2^-36 of the largest, and states closer than that cannot be told apart.

    Raises
    ------
    ValueError
        Fields, a graph that is not planar, or more than 5,000 frustrated faces (quadratic memory).

    Examples
    --------
    >>> model = ising.IsingModel(cylinder(3, 2), -1.0)  # two triangles, each with one bond unsatisfied
    >>> planar_ground_state(model).energy
    -5.0
    """
    if as_kind("model", model, IsingModel, "ising.ferromagnet(ising.square(8))").has_field:
        raise ValueError("planar_ground_state needs fields = 0: a field joins every site to a ghost spin")
    couplings = np.broadcast_to(np.asarray(model.couplings, dtype=np.float64), model.lattice.n_bonds)
    kept = np.flatnonzero(couplings)
    bonds, signs = model.lattice.bonds[kept], np.sign(couplings[kept])
    faces, n_faces = _faces(model.lattice.n_sites, bonds)
    frustrated = np.zeros(n_faces, dtype=np.int64)
    np.add.at(frustrated, faces[signs < 0].ravel(), 1)
    terminals = np.flatnonzero(frustrated % 2)
    if len(terminals) > MOST_FRUSTRATED:
        raise ValueError(f"{len(terminals)} frustrated faces are more than {MOST_FRUSTRATED}; take a smaller lattice")
    unsatisfied = _cheapest_paths(faces, n_faces, _integers(np.abs(couplings[kept])), terminals)
    spins = _spins(model.lattice.n_sites, bonds, np.where(unsatisfied, -signs, signs))
    return GroundState(float(model.energy(spins)), spins)


def _integers(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole numbers in proportion to the weights; 1 where they are all equal."""
    if weights.size == 0 or (weights == weights[0]).all():
        return np.ones_like(weights)
    if (weights == np.rint(weights)).all() and weights.max() <= SCALE:
        return weights
    return np.rint(weights * (SCALE / weights.max()))


def _faces(n_sites: int, bonds: NDArray[np.int32]) -> tuple[NDArray[np.int64], int]:
    """The faces on both sides of every bond, (n_bonds, 2), and the number of faces."""
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(range(n_sites))
    graph.add_edges_from(bonds.tolist())
    planar, embedding = networkx.check_planarity(graph)
    if not planar:
        raise ValueError("the graph is not planar: free a direction (cylinder), or use torus_ground_state up to L = 14")
    face_of: dict[tuple[int, int], int] = {}
    n_faces = 0
    for a, b in _both_ways(bonds):
        if (a, b) not in face_of:
            corners = embedding.traverse_face(a, b)
            face_of.update(dict.fromkeys(zip(corners, [*corners[1:], corners[0]]), n_faces))
            n_faces += 1
    sides = [[face_of[a, b], face_of[b, a]] for a, b in bonds.tolist()]
    return np.array(sides, dtype=np.int64).reshape(-1, 2), n_faces


def _both_ways(bonds: NDArray[np.int32]) -> Iterator[tuple[int, int]]:
    for a, b in bonds.tolist():
        yield a, b
        yield b, a


def _cheapest_paths(
    faces: NDArray[np.int64], n_faces: int, weights: NDArray[np.float64], terminals: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Which bonds are crossed by the cheapest set of paths that has its ends in the terminals: (n_bonds,) bool."""
    crossed = np.zeros(len(faces), dtype=np.bool_)
    dual, cheapest = _dual_graph(faces, n_faces, weights)
    component = connected_components(dual, directed=False)[1] if n_faces else np.zeros(0, dtype=np.int64)
    for part in np.unique(component[terminals]):
        ends = terminals[component[terminals] == part]
        lengths, before = dijkstra(dual, directed=False, indices=ends, return_predecessors=True)
        partner = minimum_weight_matching(np.rint(lengths[:, ends]).astype(np.int64))
        for k in np.flatnonzero(partner > np.arange(len(ends))):
            face = ends[partner[k]]
            while face != ends[k]:
                crossed[cheapest[before[k, face], face]] ^= True
                face = before[k, face]
    return crossed


def _dual_graph(
    faces: NDArray[np.int64], n_faces: int, weights: NDArray[np.float64]
) -> tuple[csr_array, dict[tuple[int, int], int]]:
    """Faces joined across their cheapest common bond, and that bond for both orders of the two faces."""
    order = np.argsort(-weights, kind="stable")  # cheap bonds come last and overwrite dear ones
    cheapest = {}
    for k in order:
        a, b = faces[k].tolist()
        if a != b:
            cheapest[a, b] = cheapest[b, a] = int(k)
    pairs = np.array(list(cheapest), dtype=np.int64).reshape(-1, 2)
    lengths = weights[np.fromiter(cheapest.values(), dtype=np.int64, count=len(cheapest))]
    return csr_array(coo_array((lengths, (pairs[:, 0], pairs[:, 1])), shape=(n_faces, n_faces))), cheapest


def _spins(n_sites: int, bonds: NDArray[np.int32], products: NDArray[np.float64]) -> NDArray[np.int8]:
    """Spins with s_i s_j as given on every bond, which must be consistent; one site of each component is up."""
    ends = np.concatenate([bonds, bonds[:, ::-1]])
    graph = csr_array(coo_array((np.tile(products, 2), (ends[:, 0], ends[:, 1])), shape=(n_sites, n_sites)))
    spins = np.zeros(n_sites, dtype=np.int8)
    for root in range(n_sites):
        if not spins[root]:
            order, before = breadth_first_order(graph, root, directed=False)
            spins[root] = 1
            for site in order[1:]:
                spins[site] = spins[before[site]] * graph[before[site], site]
    return spins


def torus_ground_state(model: IsingModel) -> GroundState:
    """The ground state on ``ising.square(L)``, L <= 14, with any couplings and fields.

    For each configuration of the first row, the lowest energy of all configurations of the boundary row is carried from
    site to site: E(.. s' ..) = min over s of E(.. s ..) - J s s'; 4^L (L - 1) L steps, half of that without fields.

    Raises
    ------
    ValueError
        Another lattice, or a larger one.

    Examples
    --------
    >>> torus_ground_state(ising.ferromagnet(ising.square(4))).energy
    -32.0
    """
    L = as_kind("model", model, IsingModel, "ising.ferromagnet(ising.square(8))").lattice.attrs.get("L", 0)
    if model.lattice.name != f"square({L})":
        raise ValueError(f"torus_ground_state needs ising.square(L), got {model.lattice.name}")
    if L > LARGEST_TORUS:
        raise ValueError(
            f"L must be at most {LARGEST_TORUS}, got {L}; with one free direction take planar_ground_state"
        )
    couplings = np.broadcast_to(np.asarray(model.couplings), 2 * L * L).reshape(L, L, 2)
    down, right = np.ascontiguousarray(np.moveaxis(couplings, -1, 0))
    fields = np.array(np.broadcast_to(np.asarray(model.fields), L * L).reshape(L, L))
    energy = np.empty((2**L, LANES))
    first_rows = np.arange(2**L if model.has_field else 2 ** (L - 1))
    blocks = np.resize(first_rows, (-(-len(first_rows) // LANES), LANES))
    best = [lowest_energies(down, right, fields, block, energy) for block in blocks]
    winner = blocks.ravel()[np.argmin(np.ravel(best))]
    rows = lowest_rows(down, right, fields, winner)
    spins = (2 * (rows[:, None] >> np.arange(L) & 1) - 1).astype(np.int8).ravel()
    return GroundState(float(model.energy(spins)), spins)
