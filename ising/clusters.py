"""Cluster updates: the unit that runs Swendsen-Wang or Wolff, and the tables its kernels need."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from . import kernels_clusters, kernels_wolff
from .cluster_momenta import momenta
from .kernels_bonds import BLOCK, PAD, BondWords, Scratch
from .kernels_clusters import N_DIGITS
from .kernels_wolff import Adjacency, Pool
from .lattice import Lattice
from .model import IsingModel
from .observables import IMPROVED_OBSERVABLES, PAIR_OBSERVABLES, Arrays
from .streams import Purpose, generator, wide_states
from .sublattices import sublattice_signs
from .unit_state import fill

MIN_REGULAR = 16  # pairs at one distance among 64 neighbouring nodes that make a regular word


class _Layout:
    """Where the bonds of a lattice live: the lane of every bond, and the words without signs and ghost."""

    def __init__(self, lattice: Lattice) -> None:
        ends = lattice.bonds.T.astype(np.int64)
        upper, lower = np.maximum(*ends), np.minimum(*ends)
        distance = upper - lower
        key = ((upper >> 6) * lattice.n_sites + lattice.n_sites - distance << 6) + (upper & 63)
        order = np.argsort(key)  # blocks of 64 upper nodes, far neighbours first
        group = key[order] >> 6
        head = np.flatnonzero(np.diff(group, prepend=-1))
        count = np.diff(head, append=len(group))
        first = order[head]
        upper_start = (upper[first] & ~63) + PAD
        lower_start = upper_start - distance[first]
        regular = (count >= MIN_REGULAR) & (lower_start >= 0)
        self.upper_start = upper_start[regular].astype(np.uint32)
        self.lower_start = lower_start[regular].astype(np.uint32)
        in_words = np.repeat(regular, count)
        words, lists = order[in_words], order[~in_words]
        lists = lists[np.argsort(upper[lists], kind="stable")]
        self.n_words = len(self.upper_start) + (len(lists) + 63) // 64
        self.lane = np.empty(len(upper), np.int64)  # (n_bonds,)
        self.lane[words] = 64 * np.repeat(np.cumsum(regular) - 1, count)[in_words] + (upper[words] & 63)
        self.lane[lists] = 64 * len(self.upper_start) + np.arange(len(lists))
        self.upper = (upper[lists] + PAD).astype(np.uint32)
        self.lower = (lower[lists] + PAD).astype(np.uint32)


_LAYOUTS: WeakKeyDictionary[Lattice, _Layout] = WeakKeyDictionary()


def _layout(lattice: Lattice) -> _Layout:
    if lattice not in _LAYOUTS:
        _LAYOUTS[lattice] = _Layout(lattice)
    return _LAYOUTS[lattice]


class ClusterGraph:
    """A model as the cluster kernels need it; all units of the model share it.

    Attributes
    ----------
    bonds
        Lattice bonds, and one bond per site to the ghost spin where there is a field.
    plain
        The lattice bonds as if all couplings were 1 (link overlap).
    magnitude
        (64 * n_words,) |J| of every lane, or (1,) where all are equal.
    """

    def __init__(self, model: IsingModel) -> None:
        self.model = model
        lattice, layout = model.lattice, _layout(model.lattice)
        n_ghost = (lattice.n_sites + 63) // 64 if model.has_field else 0
        n_words = -(-(layout.n_words + n_ghost) // BLOCK) * BLOCK
        ghost_lanes = 64 * layout.n_words + np.arange(lattice.n_sites if n_ghost else 0)
        lanes = np.zeros(64 * n_words)  # J of every lane
        lanes[layout.lane] = model.couplings
        plain_mask = _words_of(layout.lane, n_words)
        mask = plain_mask | _words_of(ghost_lanes, n_words)
        lanes[ghost_lanes] = np.broadcast_to(model.fields, lattice.n_sites)[: len(ghost_lanes)]
        self.uniform = model.coupling_magnitude is not None and not n_ghost
        self.magnitude = np.array([model.coupling_magnitude]) if self.uniform else np.abs(lanes)
        upper, lower = self._lists(layout, n_words)
        opposed = np.packbits(lanes < 0, bitorder="little").view(np.uint64)
        self.bonds = BondWords(layout.upper_start, layout.lower_start, upper, lower, mask, opposed)
        self.plain = self.bonds._replace(mask=plain_mask, opposed=np.zeros(n_words, np.uint64))
        self.momenta = momenta(lattice)
        self._digits: dict[float, NDArray[np.uint64]] = {}

    def _lists(self, layout: _Layout, n_words: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Nodes of the list words, the ghost's at the end."""
        n_regular = len(layout.upper_start)
        upper = np.full(64 * (n_words - n_regular), PAD, np.uint32)
        lower = np.zeros_like(upper)
        upper[: len(layout.upper)], lower[: len(layout.lower)] = layout.upper, layout.lower
        if self.model.has_field:
            n_sites, first = self.model.lattice.n_sites, 64 * (layout.n_words - n_regular)
            upper[first : first + n_sites] = PAD + np.arange(n_sites)
        return upper, lower

    def digits(self, beta: float) -> NDArray[np.uint64]:
        """Binary digits of p = 1 - exp(-2 beta |J|), (1 or n_words / 8, N_DIGITS, 8) uint64."""
        if beta not in self._digits:
            number = activation_integers(beta, self.magnitude)
            lanes = np.broadcast_to(number, 64 * BLOCK) if self.uniform else number
            shifts = range(N_DIGITS - 1, -1, -1)
            words = [np.packbits((lanes >> np.uint64(k) & np.uint64(1)) > 0, bitorder="little") for k in shifts]
            digits = np.stack([word.view(np.uint64).reshape(-1, BLOCK) for word in words], axis=1)
            self._digits[beta] = np.ascontiguousarray(digits)
        return self._digits[beta]

    @cached_property
    def adjacency(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64]]:
        """First entry of every site, neighbouring nodes (2 node, + 1 if J < 0) and |J| of every entry."""
        lattice, model = self.model.lattice, self.model
        ends = lattice.bonds.astype(np.int64)
        site, node = ends.T.ravel(), ends[:, ::-1].T.ravel() + PAD
        coupling = np.tile(np.broadcast_to(model.couplings, lattice.n_bonds), 2)
        if model.has_field:
            site = np.concatenate([np.arange(lattice.n_sites), site])
            node = np.concatenate([np.zeros(lattice.n_sites, np.int64), node])
            coupling = np.concatenate([np.broadcast_to(model.fields, lattice.n_sites), coupling])
        order = np.argsort(site, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(site, minlength=lattice.n_sites))])
        signed = (2 * node + (coupling < 0))[order]
        return start.astype(np.uint32), signed.astype(np.uint32), np.abs(coupling[order])


def activation_integers(beta: float, magnitude: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Activation probabilities p = 1 - exp(-2 beta |J|) in units of 2^-N_DIGITS, below 1."""
    p = -np.expm1(-2.0 * beta * magnitude)
    return np.minimum(np.rint(p * 2.0**N_DIGITS), 2.0**N_DIGITS - 1).astype(np.uint64)


class ClusterUnit:
    """One or two chains at one beta under Swendsen-Wang or Wolff; any couplings, fields through a ghost spin.

    Swendsen-Wang fills `improved_m2` and `improved_structure_factor` if `results` has these names: the expectation of
    m^2, or of the structure factor, over the coin tosses of the step that led to the draw, given its bonds. Means are
    those of the plain observables for any couplings and fields (the ghost's cluster counts like the others).

    Parameters
    ----------
    graph
        Of the model, shared by its units.
    update
        ``"swendsen_wang"`` or ``"wolff"``.
    beta_index, beta
        Where in the results, and the inverse temperature.
    first, count
        Chains first .. first + count - 1; first is even: pairs stay together.
    seed, disorder, initial
        As in `sample`.
    """

    def __init__(
        self,
        model: IsingModel,
        graph: ClusterGraph,
        update: str,
        beta_index: int,
        beta: float,
        first: int,
        count: int,
        seed: int,
        disorder: int,
        initial: Any,
    ) -> None:
        self.model, self.graph, self.wolff, self.beta = model, graph, update == "wolff", float(beta)
        self.beta_index, self.first = beta_index, first
        n = model.lattice.n_sites
        keys = [(n, disorder, beta_index, chain) for chain in range(first, first + count)]
        self.rng = wide_states(seed, Purpose.SAMPLING, keys)
        self.up = np.zeros((count, n + 2 * PAD), np.uint8)
        self.up[:, 0] = 1
        for chain, key in enumerate(keys):
            if isinstance(initial, str):
                random = generator(seed, Purpose.INITIAL, *key).integers(0, 2, n, dtype=np.int8)
                self.up[chain, PAD:-PAD] = random if initial == "random" else 1
            else:
                self.up[chain, PAD:-PAD] = initial[beta_index, first + chain] > 0
        self.n_clusters = np.ones(count, np.int64)
        self.warm_up_counts = np.empty((count, 0), np.int64)

    def warm_up(self, n_sweeps: int) -> None:
        """Sweep without measuring; a Wolff sweep then has the mean number of clusters of the second half."""
        graph = self.graph
        if self.wolff:
            counts = np.empty((len(self.up), n_sweeps), np.int64)
            kernels_wolff.warm_up(self.up, self.rng, *self._wolff_tables(), counts)
            self.warm_up_counts = np.concatenate([self.warm_up_counts, counts], axis=1)
            half = self.warm_up_counts.shape[1] // 2
            self.n_clusters = np.maximum(1, self.warm_up_counts[:, -max(half, 1) :].mean(axis=1).astype(np.int64))
        else:
            scratch = self._scratch(improved=False)
            digits = graph.digits(self.beta)
            kernels_clusters.warm_up(self.up, self.rng, graph.bonds, digits, graph.momenta, scratch, n_sweeps)

    def draw(self, results: Arrays, start: int, stop: int, thin: int) -> None:
        """Fill draws start..stop of this unit's slice of the results."""
        graph, count = self.graph, len(self.up)
        self.warm_up_counts = self.warm_up_counts[:, :0]  # their mean is in n_clusters for good
        single = np.zeros((count, stop - start, 6))
        pairs = np.zeros((count // 2, stop - start if any(name in results for name in PAIR_OBSERVABLES) else 0, 3))
        improved = any(name in results for name in IMPROVED_OBSERVABLES)
        scratch = self._scratch(improved, "staggered_magnetization" in results)
        weights = np.zeros(0) if graph.uniform else graph.magnitude
        tail = (graph.bonds, weights, graph.momenta, scratch, thin, single, graph.plain, pairs)
        if self.wolff:
            kernels_wolff.run(self.up, self.rng, *self._wolff_tables(), self.n_clusters, *tail)
        else:
            kernels_clusters.run(self.up, self.rng, graph.digits(self.beta), *tail)
        values = self._values(single, pairs)
        for name, out in results.items():
            first = self.first // 2 if name in PAIR_OBSERVABLES else self.first
            out[self.beta_index, first : first + len(values[name]), start:stop] = values[name]

    def _values(self, single: NDArray[np.float64], pairs: NDArray[np.float64]) -> Arrays:
        """Observables per site from the kernels' raw sums."""
        n, n_bonds = self.model.lattice.n_sites, self.model.lattice.n_bonds
        J = self.graph.magnitude
        ground, cost = (J * n_bonds, J * single[..., 0]) if self.graph.uniform else (J.sum(), single[..., 0])
        values = {
            "energy": (2 * cost - ground) / n,
            "magnetization": (2 * single[..., 1] - n) / n,
            "structure_factor": single[..., 2] / n,
            "staggered_magnetization": (2 * single[..., 5] - n) / n,
            "overlap": (2 * pairs[..., 1] - n) / n,
            "link_overlap": (n_bonds - 2 * pairs[..., 0]) / max(1, n_bonds),
            "overlap_k": pairs[..., 2] / n,
        }
        if not self.wolff:
            values |= {"improved_m2": single[..., 3] / n**2, "improved_structure_factor": single[..., 4] / n}
        return values

    def configurations(self) -> list[tuple[int, int, NDArray[np.int8]]]:
        """The spins of this unit, one block."""
        return [(self.beta_index, self.first, 2 * self.up[:, PAD:-PAD].view(np.int8) - 1)]

    def statistics(self) -> dict[str, tuple[int, NDArray[Any]]]:
        """Nothing: no exchange here."""
        return {}

    def checkpoint(self) -> dict[str, NDArray[Any]]:
        """Spins, random numbers, and what the warm-up says of the size of Wolff clusters, live."""
        counts = {"n_clusters": self.n_clusters, "warm_up_counts": self.warm_up_counts}
        return {"up": self.up, "rng": self.rng, **counts}

    def restore(self, checkpoint: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `checkpoint` of the same unit."""
        self.warm_up_counts = np.empty_like(checkpoint["warm_up_counts"])
        fill(self.checkpoint(), checkpoint)

    def _scratch(self, improved: bool, staggered: bool = False) -> Scratch:
        n_nodes, n_words = self.up.shape[1], len(self.graph.bonds.mask)
        signs = sublattice_signs(self.model.lattice) if staggered else None
        return Scratch(
            parent=np.arange(n_nodes, dtype=np.uint32),
            flips=np.zeros(n_nodes + 64 * BLOCK, np.uint8),
            pairs=np.empty((64 * BLOCK + 1, 2), np.uint32),
            lanes=np.empty(64, np.uint8),
            unsatisfied=np.empty((len(self.up), n_words), np.uint64),
            active=np.empty(n_words, np.uint64),
            overlap=np.empty(n_nodes, np.uint8),
            counts=np.empty_like(self.graph.momenta.sizes),
            sums=np.zeros((n_nodes if improved else 0, 1 + 2 * len(self.graph.momenta.steps))),
            stagger=np.zeros(0, np.uint8) if signs is None else np.pad(signs < 0, PAD).astype(np.uint8),
        )

    def _wolff_tables(self) -> tuple[Adjacency, NDArray[np.uint64], Pool]:
        start, neighbors, magnitude = self.graph.adjacency
        uniform = self.graph.uniform
        thresholds = np.zeros(0, np.uint64) if uniform else activation_integers(self.beta, magnitude)
        digits = self.graph.digits(self.beta) if uniform else np.zeros((1, N_DIGITS, BLOCK), np.uint64)
        words, ones, zeros, seeds = np.zeros((4, 8), np.uint64)
        pool = Pool(words, ~ones, zeros, seeds, np.empty(self.model.lattice.n_sites + 2, np.uint32))
        return Adjacency(start, neighbors, thresholds), digits, pool


def _words_of(lanes: NDArray[np.int64], n_words: int) -> NDArray[np.uint64]:
    present = np.zeros(64 * n_words, bool)
    present[lanes] = True
    return np.packbits(present, bitorder="little").view(np.uint64)
