"""Max-Cut, number partitioning, graph colouring and QUBO as Ising models, each with the way back from spins."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import ising
from ising import IsingModel
from ising.arguments import as_kind, as_number, refuse
from ising.integers import as_integer

LARGEST = 1e100  # of numbers to be partitioned


@dataclass(frozen=True)
class Cut:
    """Two sides of a graph and the total weight of the edges between them."""

    weight: float
    left: tuple[Hashable, ...]
    right: tuple[Hashable, ...]


@dataclass(frozen=True)
class Partition:
    """Two parts of a list of numbers and the absolute difference of their sums."""

    difference: float
    left: tuple[Any, ...]
    right: tuple[Any, ...]


@dataclass(frozen=True)
class Colouring:
    """Colour of every node, None where the spins give none or several; `conflicts` counts edges of one colour."""

    colours: dict[Hashable, int | None]
    conflicts: int

    @property
    def proper(self) -> bool:
        """Whether every node has a colour and no edge joins two nodes of one colour."""
        return self.conflicts == 0 and None not in self.colours.values()


def max_cut(graph: Any) -> tuple[IsingModel, Callable[[ArrayLike], Cut]]:
    """Max-Cut of a networkx graph: J = -w, so that cut = (W - E) / 2 with W the sum of the weights.

    Parameters
    ----------
    graph
        Undirected simple graph; the edge attribute `weight`, 1 where there is none, of either sign.

    Returns
    -------
    (model, decode)
        `decode` makes a `Cut` of (n_sites,) spins.

    Raises
    ------
    ValueError
        A directed graph, a multigraph, self-loops, weights that are not finite.

    Examples
    --------
    >>> import networkx
    >>> model, decode = max_cut(networkx.cycle_graph(5))
    >>> decode([1, -1, 1, -1, 1]).weight
    4.0
    """
    lattice = _lattice(graph)
    weights = _numbers("weights", [weight for _, _, weight in graph.edges(data="weight", default=1.0)])
    model = IsingModel(lattice, -weights, name="max_cut", attrs={"total_weight": float(weights.sum())})
    nodes = tuple(graph.nodes)

    def decode(spins: ArrayLike) -> Cut:
        s = _spins(spins, model)
        return Cut(cut_weight(model, float(model.energy(s))), _where(nodes, s > 0), _where(nodes, s < 0))

    return model, decode


def cut_weight(model: IsingModel, energy: float) -> float:
    """The cut (W - E) / 2 that belongs to an energy of a Max-Cut model, W = ``model.attrs["total_weight"]``.

    Raises
    ------
    ValueError
        If the model is not one of `max_cut` or of the readers of graphs.
    """
    energy = as_number("energy", energy)
    if "total_weight" not in as_kind("model", model, IsingModel, "ising.ferromagnet(ising.square(8))").attrs:
        raise ValueError(f"{model.name} has no total_weight: take a model of max_cut, read_gset or read_matrix_market")
    return (model.attrs["total_weight"] - energy) / 2


def number_partitioning(numbers: Sequence[float]) -> tuple[IsingModel, Callable[[ArrayLike], Partition]]:
    """Two parts of equal sum: (sum_i a_i s_i)^2 = sum_i a_i^2 + E with J_ij = -2 a_i a_j on the complete graph.

    Parameters
    ----------
    numbers
        At least two, finite, up to 1e100. Python integers of any size are added up exactly by `decode`.

    Returns
    -------
    (model, decode)
        `decode` makes a `Partition` of (n_sites,) spins.

    Examples
    --------
    >>> model, decode = number_partitioning([4, 5, 6, 7, 8])
    >>> decode([1, 1, 1, -1, -1]).difference
    0
    """
    try:
        numbers = list(numbers)
    except Exception:  # a foreign object may raise anything
        refuse("numbers", "a list of real numbers", numbers)
    values = _numbers("numbers", numbers)
    if len(values) < 2 or np.abs(values).max() > LARGEST:
        raise ValueError(f"numbers must be two or more of size up to {LARGEST:g}; divide by a common factor")
    lattice = ising.complete(len(values))
    a, b = lattice.bonds.T
    attrs = {"offset": float(values @ values)}
    model = IsingModel(lattice, -2.0 * values[a] * values[b], name="number_partitioning", attrs=attrs)

    def decode(spins: ArrayLike) -> Partition:
        s = _spins(spins, model)
        left, right = _where(numbers, s > 0), _where(numbers, s < 0)
        return Partition(abs(sum(left) - sum(right)), left, right)

    return model, decode


def graph_colouring(graph: Any, colours: int) -> tuple[IsingModel, Callable[[ArrayLike], Colouring]]:
    """Colours for the nodes of a networkx graph such that neighbours differ.

    With x_vc in {0, 1}: sum_v (1 - sum_c x_vc)^2 + sum over edges uv and c of x_uc x_vc = E + offset, which is 0 for
    proper colourings and positive else. Spin v * colours + c is +1 where node v has the colour c.

    Parameters
    ----------
    graph
        Undirected simple graph with at least one node.
    colours
        Number of colours, at least 1.

    Returns
    -------
    (model, decode)
        `decode` makes a `Colouring` of (n_sites,) spins; the offset is ``model.attrs["offset"]``.

    Examples
    --------
    >>> import networkx
    >>> model, decode = graph_colouring(networkx.path_graph(2), 2)
    >>> decode([1, -1, -1, 1]).proper
    True
    """
    lattice, colours = _lattice(graph), as_integer("colours", colours, 1)
    every = np.arange(colours)
    site = np.arange(lattice.n_sites)[:, None] * colours
    first, second = np.triu_indices(colours, k=1)
    within = np.stack([site + first, site + second], axis=-1).reshape(-1, 2)
    across = (lattice.bonds[:, None, :] * colours + every[:, None]).reshape(-1, 2)
    pairs = np.concatenate([within, across])
    quadratic = np.repeat([2.0, 1.0], [len(within), len(across)])
    model = from_qubo(np.full(lattice.n_sites * colours, -1.0), pairs, quadratic, float(lattice.n_sites))
    nodes = tuple(graph.nodes)

    def decode(spins: ArrayLike) -> Colouring:
        chosen = _spins(spins, model).reshape(-1, colours) > 0
        colour = np.where(chosen.sum(axis=1) == 1, chosen.argmax(axis=1), -1)
        ends = colour[lattice.bonds]
        conflicts = int(((ends[:, 0] == ends[:, 1]) & (ends[:, 0] >= 0)).sum())
        return Colouring({v: int(c) if c >= 0 else None for v, c in zip(nodes, colour)}, conflicts)

    return model, decode


def from_qubo(linear: ArrayLike, pairs: ArrayLike, quadratic: ArrayLike, offset: float = 0.0) -> IsingModel:
    """The Ising model of a quadratic function of x in {0, 1}, x = (1 + s) / 2.

    sum_i a_i x_i + sum_ij b_ij x_i x_j + offset = E + ``attrs["offset"]``, with J_ij = -b_ij / 4 and
    h_i = -a_i / 2 - sum_j b_ij / 4.

    Parameters
    ----------
    linear
        (n,) a_i.
    pairs
        (m, 2) integers, each pair once.
    quadratic
        (m,) b_ij.
    offset
        A constant.

    Raises
    ------
    ValueError
        Lengths that do not fit, numbers that are not finite, a pair given twice.

    Examples
    --------
    >>> model = from_qubo([-1.0, -1.0], [(0, 1)], [2.0])  # exactly one of two
    >>> (model.energy([[1, -1], [1, 1]]) + model.attrs["offset"]).tolist()
    [-1.0, 0.0]
    """
    a, b = _numbers("linear", linear), _numbers("quadratic", quadratic)
    try:
        ends = np.asarray(pairs)
    except Exception:  # ragged, or a foreign object, which may raise anything
        refuse("pairs", "integers of shape (m, 2)", pairs)
    if ends.size and ends.dtype.kind not in "iu":
        refuse("pairs", "integers of shape (m, 2)", pairs)
    if ends.shape != (len(b), 2) and ends.size + len(b):
        raise ValueError(f"pairs must be (m, 2) with a quadratic term each, got {ends.shape} and {len(b)} terms")
    lattice = ising.from_bonds(len(a), pairs, name="qubo")
    fields = -a / 2
    for column in range(2):
        np.subtract.at(fields, lattice.bonds[:, column], b / 4)
    constant = float(as_number("offset", offset) + a.sum() / 2 + b.sum() / 4)
    return IsingModel(lattice, -b / 4, fields, name="qubo", attrs={"offset": constant})


def _lattice(graph: Any) -> ising.Lattice:
    if not hasattr(graph, "is_directed"):
        raise ValueError(f"graph must be a networkx.Graph, got {type(graph).__name__}")
    return ising.from_networkx(graph)


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """(n,) finite doubles."""
    try:
        given = list(np.asarray(values, dtype=object))
        real = all(isinstance(value, Real) for value in given)
        array = np.array([float(value) for value in given if real])
    except Exception:  # a foreign object may raise anything
        refuse(name, "a list of real numbers", values)
    if not real:
        refuse(name, "a list of real numbers", values)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def _spins(spins: ArrayLike, model: IsingModel) -> NDArray[np.int8]:
    s = np.asarray(spins)
    if s.dtype.kind not in "if" or s.shape != (model.lattice.n_sites,) or not (np.abs(s) == 1).all():
        raise ValueError(f"decode takes {model.lattice.n_sites} spins +1 or -1 of one configuration, got {s.shape}")
    return s.astype(np.int8)


def _where(items: Sequence[Any], mask: NDArray[np.bool_]) -> tuple[Any, ...]:
    return tuple(item for item, inside in zip(items, mask) if inside)
