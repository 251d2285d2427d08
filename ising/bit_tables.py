"""What the bit kernels know of a model: groups of sites, coupling signs, bonds, layers and threshold tables."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit
from numpy.typing import NDArray

from . import kernels_bits
from .lattice import Lattice
from .model import IsingModel
from .tables import heat_bath_digits, metropolis_digits
from .words import WIDTH


def fits_bits(model: IsingModel) -> bool:
    """Whether the bit kernels cover the model."""
    uniform_field = not isinstance(model.fields, np.ndarray)
    if not uniform_field or model.lattice.n_bonds == 0 or model.coupling_magnitude is None:
        return False
    return int(model.lattice.degree.max()) <= kernels_bits.MAX_DEGREE


@njit(cache=True, nogil=True)
def color(neighbors):  # type: ignore[no-untyped-def]
    """Proper colouring (n_sites,) int32: two colours where the graph is bipartite, else the first free one in order."""
    n_sites, max_degree = neighbors.shape
    colors = np.full(n_sites, -1, np.int32)
    queue = np.empty(n_sites, np.int32)
    bipartite = True
    for start in range(n_sites):
        if colors[start] >= 0:
            continue
        colors[start] = 0
        queue[0] = start
        head, tail = 0, 1
        while head < tail:
            i = queue[head]
            head += 1
            for j in range(max_degree):
                k = neighbors[i, j]
                if k < 0:
                    break
                if colors[k] < 0:
                    colors[k] = 1 - colors[i]
                    queue[tail] = k
                    tail += 1
                elif colors[k] == colors[i]:
                    bipartite = False
    if bipartite:
        return colors
    colors[:] = -1
    for i in range(n_sites):
        used = np.int64(0)
        for j in range(max_degree):
            if neighbors[i, j] < 0:
                break
            if colors[neighbors[i, j]] >= 0:
                used |= np.int64(1) << colors[neighbors[i, j]]
        free = 0
        while (used >> free) & 1:
            free += 1
        colors[i] = free
    return colors


class _Layout:
    """The part of the tables that is the lattice's: a BitGraph without signs, and where its bonds stand."""

    def __init__(self, lattice: Lattice) -> None:
        self.degrees, site_class = np.unique(lattice.degree, return_inverse=True)
        colors = color(lattice.neighbors)
        self.sites = _group_sites(colors, site_class)
        ends, self.bond_of, outgoing = orient(lattice.bonds, lattice.n_sites, lattice.neighbors.shape[1])
        self.starts = _group_sites(np.zeros_like(outgoing), outgoing.astype(np.intp))
        layers, sizes, self.waves = _layers(lattice)
        first = self.sites[:, 0]
        tallied = int(colors.max()) == 1 and len(self.degrees) == 1
        self.graph = kernels_bits.BitGraph(
            groups=_groups(lattice.neighbors, self.sites),
            degree=self.degrees[site_class[first]].astype(np.int32),
            site_class=site_class[first].astype(np.int32),
            planes=np.zeros((0, 0, 0), np.uint64),
            bonds=_groups(ends, self.starts),
            n_bonds=outgoing[self.starts[:, 0]],
            bond_planes=np.zeros((0, 0, 0), np.uint64),
            layers=layers,
            layer_sizes=sizes,
            last_color=int((colors[first] == 0).sum()) if tallied else len(self.sites),
            last_filled=int((self.sites[-1] < lattice.n_sites).sum()),
        )


_LAYOUTS: WeakKeyDictionary[Lattice, _Layout] = WeakKeyDictionary()


def _layout(lattice: Lattice) -> _Layout:
    if lattice not in _LAYOUTS:
        _LAYOUTS[lattice] = _Layout(lattice)
    return _LAYOUTS[lattice]


class BitTables:
    """What the units of one model (or of 64 disorder realisations) share."""

    def __init__(self, models: Sequence[IsingModel], update: str, disorder_lanes: bool) -> None:
        self.model, self.disorder_lanes, self.flips = models[0], disorder_lanes, update == "metropolis"
        lattice = self.model.lattice
        layout = _layout(lattice)
        self.degrees, self.waves, self.graph = layout.degrees, layout.waves, layout.graph
        near = ((layout.sites, lattice.neighbor_bonds), (layout.starts, layout.bond_of))
        if disorder_lanes:
            words = _coupling_words(models)
            planes, bond_planes = (_lane_planes(bonds, sites, words) for sites, bonds in near)
            self.graph = self.graph._replace(planes=planes, bond_planes=bond_planes)
        elif self.model.disordered:
            opposed = np.less(np.broadcast_to(self.model.couplings, lattice.n_bonds), 0)
            signs = (_signs(bonds, sites, opposed) for sites, bonds in near)
            groups, bonds = (table ^ sign for table, sign in zip((self.graph.groups, self.graph.bonds), signs))
            self.graph = self.graph._replace(groups=groups, bonds=bonds)
        magnitude = self.model.disordered or disorder_lanes
        self.coupling = float(np.abs(self.model.couplings).max()) if magnitude else float(self.model.couplings)

    def digits(self, betas: NDArray[np.float64]) -> NDArray[np.uint64]:
        """Threshold table of every beta."""
        make = metropolis_digits if self.flips else heat_bath_digits
        return make(betas, self.coupling, float(self.model.fields), self.degrees)

    def new_tally(self) -> NDArray[np.uint64]:
        """Scratch in which a sweep leaves what the energy needs, a multiple of eight groups."""
        n_groups = len(self.graph.degree) - self.graph.last_color
        n_planes = max(2, int(self.degrees[0]).bit_length()) if n_groups else 0
        return np.zeros((n_planes + 1, -(-n_groups // WIDTH) * WIDTH, WIDTH), np.uint64)


def _group_sites(colors: NDArray[np.int32], site_class: NDArray[np.intp]) -> NDArray[np.int64]:
    """Sites in groups of eight, colour by colour, of one class each: (n_groups, 8), padded with n_sites."""
    n_sites = len(colors)
    key = colors.astype(np.int64) * (int(site_class.max()) + 1) + site_class
    order = np.argsort(key, kind="stable")
    counts = np.unique(key, return_counts=True)[1]
    first_group = np.concatenate([[0], np.cumsum(-(-counts // WIDTH))])
    within = np.arange(n_sites) - np.repeat(np.cumsum(counts) - counts, counts)
    sites = np.full(first_group[-1] * WIDTH, n_sites, np.int64)
    sites[np.repeat(first_group[:-1] * WIDTH, counts) + within] = order
    return sites.reshape(-1, WIDTH)


@njit(cache=True, nogil=True)
def orient(bonds, n_sites, max_degree):  # type: ignore[no-untyped-def]
    """Give every bond to the end that has fewer so far: about half the degree each, so that bonds are counted once.

    Returns far ends and bond numbers (n_sites, most), padded with -1, and the number of bonds of each site.
    """
    ends = np.full((n_sites, max_degree), -1, np.int32)
    bond_of = np.full((n_sites, max_degree), -1, np.int32)
    counts = np.zeros(n_sites, np.int32)
    for bond in range(bonds.shape[0]):
        a, b = bonds[bond, 0], bonds[bond, 1]
        if counts[b] < counts[a]:
            a, b = b, a
        ends[a, counts[a]] = b
        bond_of[a, counts[a]] = bond
        counts[a] += 1
    most = counts.max()
    return ends[:, :most].copy(), bond_of[:, :most].copy(), counts


def _groups(near: NDArray[np.int32], sites: NDArray[np.int64]) -> NDArray[np.int32]:
    """Sites and their neighbours, (n_groups, 1 + max_degree, 8); n_sites where there is none."""
    return np.concatenate([sites[:, None].astype(np.int32), _arranged(near, sites, len(near))], axis=1)


def _signs(bond_of: NDArray[np.int32], sites: NDArray[np.int64], opposed: NDArray[np.bool_]) -> NDArray[np.int32]:
    """-1 behind opposed bonds, 0 elsewhere, arranged like `_groups`: XOR turns a neighbour k into ~k."""
    table = np.where((bond_of >= 0) & opposed[bond_of], -1, 0).astype(np.int32)
    return np.concatenate([np.zeros((len(sites), 1, WIDTH), np.int32), _arranged(table, sites, 0)], axis=1)


def _coupling_words(models: Sequence[IsingModel]) -> NDArray[np.uint64]:
    """(n_bonds,) words: bit r is set where realisation r has J < 0."""
    n_bonds = models[0].lattice.n_bonds
    return pack(np.stack([np.where(np.less(np.broadcast_to(one.couplings, n_bonds), 0), 1, -1) for one in models]))


def _lane_planes(bond_of: NDArray[np.int32], sites: NDArray[np.int64], words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The coupling words arranged like `_groups`."""
    table = np.where(bond_of >= 0, words[bond_of], np.uint64(0))
    return np.concatenate([np.zeros((len(sites), 1, WIDTH), np.uint64), _arranged(table, sites, 0)], axis=1)


def _arranged(table: NDArray[Any], sites: NDArray[np.int64], spare: int) -> NDArray[Any]:
    """Rows of a table (n_sites, m) in groups, (n_groups, m, 8) in C order; `spare` for -1 and for the spare site."""
    rows = np.concatenate([table, np.full((1, table.shape[1]), -1 if spare else 0, table.dtype)])
    if spare:
        rows[rows < 0] = spare
    return np.ascontiguousarray(rows.T[:, sites].transpose(1, 0, 2))


def _layers(lattice: Lattice) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Layers eight by eight, (n_axes, n_blocks, length, 8) sites padded with n_sites; layer sizes; cos and sin."""
    if lattice.momentum is None:
        return np.zeros((0, 0, 0, WIDTH), np.int32), np.zeros((0, 0), np.int32), np.zeros((2, 0))
    layers, n_layers = lattice.momentum.layers, lattice.momentum.length
    n_blocks = -(-n_layers // WIDTH)
    sizes = np.stack([np.bincount(axis, minlength=n_blocks * WIDTH) for axis in layers]).astype(np.int32)
    table = np.full((len(layers), n_blocks * WIDTH, int(sizes.max())), lattice.n_sites, np.int32)
    for axis, labels in enumerate(layers):
        order = np.argsort(labels, kind="stable")
        within = np.arange(len(order)) - np.repeat(np.cumsum(sizes[axis]) - sizes[axis], sizes[axis])
        table[axis, labels[order], within] = order
    blocks = table.reshape(len(layers), n_blocks, WIDTH, -1).transpose(0, 1, 3, 2)
    phase = 2 * pi / n_layers * np.arange(n_blocks * WIDTH)
    return np.ascontiguousarray(blocks), sizes, np.array([np.cos(phase), np.sin(phase)])


def pack(spins: NDArray[Any]) -> NDArray[np.uint64]:
    """(1 <= n <= 64, n_sites) of +-1 -> (n_sites,) words; missing lanes are like the last one."""
    words = np.zeros(spins.shape[1], np.uint64)
    for lane in range(64):
        words |= (spins[min(lane, len(spins) - 1)] > 0).astype(np.uint64) << np.uint64(lane)
    return words


def unpack(words: NDArray[np.uint64], count: int) -> NDArray[np.int8]:
    """(n_sites,) words -> (count, n_sites) of +-1."""
    in_bytes = words.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
    spins = np.empty((count, len(words)), np.int8)
    for lane in range(count):
        spins[lane] = (in_bytes[:, lane // 8] >> (lane % 8) & 1) * 2
    spins -= 1
    return spins
