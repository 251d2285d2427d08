"""The plain unit: int8 spins, one or two chains, any couplings; the slow reference."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import kernels_spins
from .lattice import Lattice
from .model import IsingModel
from .observables import PAIR_OBSERVABLES, Arrays
from .streams import Purpose, generator, states
from .sublattices import sublattice_signs
from .unit_state import fill


class SpinUnit:
    """One or two chains of int8 spins at one beta, any couplings, random-site Metropolis."""

    def __init__(
        self,
        model: IsingModel,
        graph: kernels_spins.SpinGraph,
        beta_index: int,
        beta: float,
        first: int,
        count: int,
        seed: int,
        disorder: int,
        initial: Any,
    ) -> None:
        self.model, self.graph, self.beta = model, graph, float(beta)
        self.beta_index, self.first = beta_index, first
        n_sites = model.lattice.n_sites
        keys = [(n_sites, disorder, beta_index, chain) for chain in range(first, first + count)]
        self.rng = states(seed, Purpose.SAMPLING, keys)
        if isinstance(initial, str):
            random = [generator(seed, Purpose.INITIAL, *key).integers(0, 2, n_sites, dtype=np.int8) for key in keys]
            self.spins = 2 * np.stack(random) - 1 if initial == "random" else np.ones((count, n_sites), np.int8)
        else:
            self.spins = np.ascontiguousarray(initial[beta_index, first : first + count], dtype=np.int8)
        self.waves = waves(model.lattice)

    def warm_up(self, n_sweeps: int) -> None:
        """Sweep without measuring."""
        kernels_spins.warm_up(self.spins, self.rng, self.graph, self.beta, n_sweeps)

    def draw(self, results: Arrays, start: int, stop: int, thin: int) -> None:
        """Fill draws start..stop of this unit's slice of the results."""
        count = len(self.spins)
        signs = sublattice_signs(self.model.lattice) if "staggered_magnetization" in results else None
        graph = self.graph if signs is None else self.graph._replace(signs=signs)
        single = np.empty((count, stop - start, 5))
        pairs = np.empty((count // 2, stop - start if any(name in results for name in PAIR_OBSERVABLES) else 0, 5))
        kernels_spins.run(self.spins, self.rng, graph, self.beta, self.waves, thin, single, pairs)
        n, n_bonds = self.model.lattice.n_sites, max(1, self.model.lattice.n_bonds)
        values = {
            "energy": (single[..., 0] - single[..., 2]) / n,
            "magnetization": single[..., 1] / n,
            "structure_factor": single[..., 3] / n,
            "staggered_magnetization": single[..., 4] / n,
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

    def statistics(self) -> dict[str, tuple[int, NDArray[Any]]]:
        """Nothing: no exchange here."""
        return {}

    def checkpoint(self) -> dict[str, NDArray[Any]]:
        """Spins and random numbers, live."""
        return {"spins": self.spins, "rng": self.rng}

    def restore(self, checkpoint: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `checkpoint` of the same unit."""
        fill(self.checkpoint(), checkpoint)


def spin_graph(model: IsingModel) -> kernels_spins.SpinGraph:
    """The model as the spin kernels need it."""
    lattice = model.lattice
    layers = lattice.momentum.layers if lattice.momentum else np.zeros((0, lattice.n_sites), np.int32)
    couplings = np.array(model.couplings, ndmin=1)
    fields = np.array(model.fields, ndmin=1)
    return kernels_spins.SpinGraph(
        lattice.neighbors, lattice.neighbor_bonds, np.array(lattice.bonds), couplings, fields, layers,
        np.zeros(0, np.int8),
    )  # fmt: skip


def waves(lattice: Lattice) -> NDArray[np.float64]:
    """Cos and sin of the phase of every layer, (2, n_layers); empty without momentum."""
    if lattice.momentum is None:
        return np.zeros((2, 0))
    phase = 2 * pi / lattice.momentum.length * np.arange(lattice.momentum.length)
    return np.array([np.cos(phase), np.sin(phase)])
