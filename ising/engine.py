"""Work units: a block of chains that one thread carries from its first sweep to its last draw.

`BitUnit` runs 64 chains a word (heat bath, couplings +-J, uniform field); `SpinUnit` runs everything else. Both have
the same methods, fill their own slice of the result arrays and own their random streams, so results do not depend on
the number of threads.
"""

from __future__ import annotations

from math import pi
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import kernels_bits, kernels_spins
from .lattice import Lattice
from .model import IsingModel
from .streams import Purpose, generator, states
from .tables import heat_bath_digits

MAX_BIT_DEGREE = 31
WORDS_PER_UNIT = 8
UPDATE_CODES = {
    "heat_bath": kernels_spins.HEAT_BATH,
    "random_site": kernels_spins.RANDOM_SITE,
    "swendsen_wang": kernels_spins.SWENDSEN_WANG,
    "wolff": kernels_spins.WOLFF,
}
Arrays = dict[str, NDArray[np.float64]]


class Unit(Protocol):
    """What the driver in `sample.py` needs of a work unit."""

    whole_warm_up: bool

    def warm_up(self, n_sweeps: int) -> None:
        """Sweep without measuring."""

    def draw(self, results: Arrays, start: int, stop: int, thin: int) -> None:
        """Fill draws start..stop of this unit's slice of the results (each (beta, chain or pair, draw))."""

    def configurations(self) -> list[tuple[int, int, NDArray[np.int8]]]:
        """(beta index, first chain, spins (n, n_sites)) blocks of the present state."""


def fits_bits(model: IsingModel) -> bool:
    """Whether the bit-parallel kernel covers the model."""
    uniform_field = not isinstance(model.fields, np.ndarray)
    has_bonds = model.lattice.n_bonds > 0
    return uniform_field and has_bonds and model.coupling_magnitude is not None and _degree(model) <= MAX_BIT_DEGREE


def _degree(model: IsingModel) -> int:
    return int(model.lattice.degree.max())


def make_units(
    model: IsingModel, beta: NDArray[np.float64], chains: int, update: str, seed: int, disorder: int, initial: Any
) -> list[Unit]:
    """Split (beta, chain) into work units."""
    if update == "heat_bath" and fits_bits(model):
        columns = [(b, word) for b in range(len(beta)) for word in range((chains + 63) // 64)]
        shared = _BitShared(model)
        blocks = [columns[k : k + WORDS_PER_UNIT] for k in range(0, len(columns), WORDS_PER_UNIT)]
        return [BitUnit(shared, block, beta, chains, seed, disorder, initial) for block in blocks]
    graph = _spin_graph(model)
    starts = [(b, first) for b in range(len(beta)) for first in range(0, chains, 2)]
    return [
        SpinUnit(model, graph, update, b, beta[b], first, min(2, chains - first), seed, disorder, initial)
        for b, first in starts
    ]


class _BitShared:
    """Tables of a model that all its bit units read."""

    def __init__(self, model: IsingModel) -> None:
        self.model = model
        lattice = model.lattice
        degrees, site_class = np.unique(lattice.degree, return_inverse=True)
        self.degrees = degrees.astype(np.int32)
        opposed = np.less(model.couplings, 0) if model.disordered else np.empty(0, dtype=bool)
        bond_masks = np.where(opposed, kernels_bits.ONES, np.uint64(0))
        masks = np.zeros((0, 0), np.uint64)
        if model.disordered:
            masks = np.where(lattice.neighbors >= 0, bond_masks[lattice.neighbor_bonds], np.uint64(0))
        order, start, self.waves = _layers(lattice)
        self.graph = kernels_bits.BitGraph(
            lattice.neighbors, masks, site_class.astype(np.int32), lattice.bonds, bond_masks, order, start
        )
        self.coupling = float(np.abs(model.couplings).max()) if model.disordered else float(model.couplings)


class BitUnit:
    """Up to eight words of 64 chains, each word at its own beta."""

    whole_warm_up = False

    def __init__(
        self,
        shared: _BitShared,
        columns: list[tuple[int, int]],
        beta: NDArray[np.float64],
        chains: int,
        seed: int,
        disorder: int,
        initial: Any,
    ) -> None:
        self.shared, self.columns, self.chains = shared, columns, chains
        n_sites = shared.model.lattice.n_sites
        keys = [(n_sites, disorder, b, word) for b, word in columns]
        self.rng = np.ascontiguousarray(states(seed, Purpose.SAMPLING, keys).T)
        self.digits = heat_bath_digits(
            np.array([beta[b] for b, _ in columns]), shared.coupling, shared.model.fields, shared.degrees
        )
        self.spins = np.empty((n_sites, len(columns)), np.uint64)
        for c, (b, word) in enumerate(columns):
            if isinstance(initial, str):
                bits = generator(seed, Purpose.INITIAL, *keys[c]).integers(0, 2**64, n_sites, dtype=np.uint64)
                self.spins[:, c] = bits if initial == "random" else kernels_bits.ONES
            else:
                self.spins[:, c] = _pack(initial[b, 64 * word : 64 * word + 64])

    def warm_up(self, n_sweeps: int) -> None:
        """Sweep without measuring."""
        kernels_bits.warm_up(self.spins, self.rng, self.shared.graph, self.digits, n_sweeps)

    def draw(self, results: Arrays, start: int, stop: int, thin: int) -> None:
        """Fill draws start..stop of this unit's slice of the results."""
        lanes = 64 * len(self.columns)
        single = _raw_counts(stop - start, lanes)
        pairs = _raw_counts(stop - start if _wants_pairs(results) else 0, lanes)
        kernels_bits.run(self.spins, self.rng, self.shared.graph, self.digits, self.shared.waves, thin, single, pairs)
        model = self.shared.model
        n, n_bonds = model.lattice.n_sites, model.lattice.n_bonds
        moment = 2 * single[1] - n
        energy = -self.shared.coupling * (n_bonds - 2 * single[0]) - model.fields * moment
        values = {
            "energy": energy / n,
            "magnetization": moment / n,
            "structure_factor": single[2] / n,
            "overlap": (2 * pairs[1] - n) / n,
            "link_overlap": (n_bonds - 2 * pairs[0]) / n_bonds,
            "overlap_k": pairs[2] / n,
        }
        for name, out in results.items():
            step = 2 if name in PAIR_OBSERVABLES else 1
            for c, (b, word) in enumerate(self.columns):
                count = min(64, self.chains - 64 * word)
                block = values[name][:, 64 * c : 64 * c + count : step]  # (draws, chains or pairs)
                first = 64 * word // step
                out[b, first : first + block.shape[1], start:stop] = block.T

    def configurations(self) -> list[tuple[int, int, NDArray[np.int8]]]:
        """Blocks of spins, one per word."""
        return [
            (b, 64 * word, _unpack(self.spins[:, c], min(64, self.chains - 64 * word)))
            for c, (b, word) in enumerate(self.columns)
        ]


class SpinUnit:
    """One or two chains of int8 spins at one beta, any couplings, any update."""

    def __init__(
        self,
        model: IsingModel,
        graph: kernels_spins.SpinGraph,
        update: str,
        beta_index: int,
        beta: float,
        first: int,
        count: int,
        seed: int,
        disorder: int,
        initial: Any,
    ) -> None:
        self.model, self.graph, self.code, self.beta = model, graph, UPDATE_CODES[update], float(beta)
        self.beta_index, self.first = beta_index, first
        self.whole_warm_up = update == "wolff"
        n_sites = model.lattice.n_sites
        keys = [(n_sites, disorder, beta_index, chain) for chain in range(first, first + count)]
        self.rng = states(seed, Purpose.SAMPLING, keys)
        if isinstance(initial, str):
            random = [generator(seed, Purpose.INITIAL, *key).integers(0, 2, n_sites, dtype=np.int8) for key in keys]
            self.spins = 2 * np.stack(random) - 1 if initial == "random" else np.ones((count, n_sites), np.int8)
        else:
            self.spins = np.ascontiguousarray(initial[beta_index, first : first + count], dtype=np.int8)
        self.idle = kernels_spins.Idle(
            np.exp(-2 * self.beta * np.abs(graph.couplings)), np.exp(-2 * self.beta * np.abs(graph.fields))
        )
        self.n_clusters = np.ones(count, np.int64)
        self.waves = _waves(model.lattice)

    def warm_up(self, n_sweeps: int) -> None:
        """Sweep without measuring."""
        kernels_spins.warm_up(
            self.code, self.spins, self.rng, self.graph, self.beta, self.idle, self.n_clusters, n_sweeps
        )

    def draw(self, results: Arrays, start: int, stop: int, thin: int) -> None:
        """Fill draws start..stop of this unit's slice of the results."""
        count = len(self.spins)
        single = np.empty((count, stop - start, 4))
        pairs = np.empty((count // 2, stop - start if _wants_pairs(results) else 0, 4))
        kernels_spins.run(
            self.code, self.spins, self.rng, self.graph, self.beta, self.idle, self.n_clusters, self.waves, thin,
            single, pairs,
        )  # fmt: skip
        n, n_bonds = self.model.lattice.n_sites, max(1, self.model.lattice.n_bonds)
        values = {
            "energy": (single[..., 0] - single[..., 2]) / n,
            "magnetization": single[..., 1] / n,
            "structure_factor": single[..., 3] / n,
            "overlap": pairs[..., 1] / n,
            "link_overlap": -pairs[..., 0] / n_bonds,
            "overlap_k": pairs[..., 3] / n,
        }
        for name, out in results.items():
            first = self.first // 2 if name in PAIR_OBSERVABLES else self.first
            out[self.beta_index, first : first + len(values[name]), start:stop] = values[name]

    def configurations(self) -> list[tuple[int, int, NDArray[np.int8]]]:
        """The spins of this unit, one block."""
        return [(self.beta_index, self.first, self.spins)]


PAIR_OBSERVABLES = ("overlap", "link_overlap", "overlap_k")


def _wants_pairs(results: Arrays) -> bool:
    return any(name in results for name in PAIR_OBSERVABLES)


def _raw_counts(n_draws: int, lanes: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    shape = (n_draws, lanes)
    return np.empty(shape, np.int64), np.empty(shape, np.int64), np.empty(shape)


def _spin_graph(model: IsingModel) -> kernels_spins.SpinGraph:
    lattice = model.lattice
    layers = lattice.momentum.layers if lattice.momentum else np.zeros((0, lattice.n_sites), np.int32)
    couplings = np.array(model.couplings, ndmin=1)
    fields = np.array(model.fields, ndmin=1)
    return kernels_spins.SpinGraph(
        lattice.neighbors, lattice.neighbor_bonds, np.array(lattice.bonds), couplings, fields, layers
    )


def _waves(lattice: Lattice) -> NDArray[np.float64]:
    if lattice.momentum is None:
        return np.zeros((2, 0))
    phase = 2 * pi / lattice.momentum.length * np.arange(lattice.momentum.length)
    return np.array([np.cos(phase), np.sin(phase)])


def _layers(lattice: Lattice) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Sites sorted by layer, (n_axes, n_sites), the layers' first positions, and `waves`."""
    if lattice.momentum is None:
        everything = np.arange(lattice.n_sites, dtype=np.int32)[None]
        return everything, np.array([[0, lattice.n_sites]], np.int32), np.zeros((2, 0))
    layers, length = lattice.momentum.layers, lattice.momentum.length
    order = np.argsort(layers, axis=1, kind="stable").astype(np.int32)
    counts = np.stack([np.bincount(axis, minlength=length) for axis in layers])
    start = np.concatenate([np.zeros((len(layers), 1), int), counts.cumsum(axis=1)], axis=1).astype(np.int32)
    return order, start, _waves(lattice)


def _pack(spins: NDArray[np.int8]) -> NDArray[np.uint64]:
    """(n <= 64, n_sites) of +-1 -> (n_sites,) words; missing lanes are down."""
    words = np.zeros(spins.shape[1], np.uint64)
    for lane, row in enumerate(spins):
        words |= (row > 0).astype(np.uint64) << np.uint64(lane)
    return words


def _unpack(words: NDArray[np.uint64], count: int) -> NDArray[np.int8]:
    bits = words[None] >> np.arange(count, dtype=np.uint64)[:, None] & np.uint64(1)
    return (2 * bits.astype(np.int8) - 1).astype(np.int8)
