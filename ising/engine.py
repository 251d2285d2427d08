"""Work units: a block of chains that one thread carries from its first sweep to its last draw.

Every kernel family has its unit class. Units fill their own slice of the result arrays and own their random streams, so
results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .bit_tables import BitTables, fits_bits
from .bits import BitUnit
from .clusters import ClusterGraph, ClusterUnit
from .fields import CHAINS_PER_ROWS, CHAINS_PER_WORD, FieldTables, FieldUnit, caching_wins
from .model import IsingModel, realisation
from .space import SpaceUnit, fits_space
from .spins import SpinUnit, spin_graph

UPDATES = ("heat_bath", "metropolis", "random_site", "swendsen_wang", "wolff")
LOCAL_UPDATES = ("heat_bath", "metropolis")
SPACE_FROM = 1024  # L from which one chain with its spins in the bits beats 64 chains for memory


class Unit(Protocol):
    """What the driver needs of a work unit."""

    def warm_up(self, n_sweeps: int) -> None:
        """Sweep without measuring."""

    def draw(self, results: Any, start: int, stop: int, thin: int) -> None:
        """Fill draws start..stop of this unit's slice of the results, name -> (beta, chain or pair, draw).

        A unit that carries 64 disorder realisations gets a list of such dictionaries.
        """

    def configurations(self) -> list[tuple[int, int, NDArray[np.int8]]]:
        """(beta index, first chain, spins (..., n, n_sites)) blocks of the present state."""

    def statistics(self) -> dict[str, tuple[int, NDArray[Any]]]:
        """What exchange counted: name -> (first chain, array (..., n chains))."""

    def checkpoint(self) -> dict[str, NDArray[Any]]:
        """The arrays from which the unit goes on exactly, live: they change with its next sweep."""

    def restore(self, checkpoint: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the checkpoint of an equal unit; ValueError if it does not fit."""


def choose_kernel(models: Sequence[IsingModel], update: str, lanes: str, chains: int | None, moves: bool) -> str:
    """Name of the kernel family that runs: "space", "bits", "bits, disorder in lanes", "fields", "clusters" or
    "spins" (the slow reference).

    "space" needs no table of the lattice and wastes no lanes on few chains; `moves` are exchange or cluster moves.
    """
    if update not in LOCAL_UPDATES:
        return "spins" if update == "random_site" else "clusters"
    few = chains is not None and chains < 64
    plain = lanes == "chains" and not moves and all(fits_space(model) for model in models)
    if plain and (few or models[0].lattice.attrs["L"] >= SPACE_FROM):
        return "space"
    if all(fits_bits(model) for model in models):
        return "bits, disorder in lanes" if lanes == "disorder" else "bits"
    return "fields"


def kernel_name(kernel: str, models: Sequence[IsingModel], betas: NDArray[np.float64]) -> str:
    """The kernel as it stands in the results: "fields" has two forms."""
    if kernel != "fields":
        return kernel
    cached = [caching_wins(model, float(betas.max())) for model in models]
    return "fields, cached" if all(cached) else "fields, mixed" if any(cached) else "fields, recomputed"


@dataclass(frozen=True)
class Block:
    """The part of (disorder, beta, chain) that one unit carries; `disorder` leaves out lanes nobody asked for."""

    disorder: range
    beta: range
    chain: range

    @property
    def pair(self) -> range:
        """Pairs of chains (2k, 2k + 1)."""
        return range(self.chain.start // 2, self.chain.stop // 2)


class Workshop:
    """Splits (disorder, beta, chain) into blocks and makes the unit of any of them, as often as asked.

    Parameters
    ----------
    models, betas, chains, update, seed, initial, exchange, isoenergetic
        As in `sample`, checked.
    kernel
        What `choose_kernel` says.
    """

    def __init__(
        self,
        models: Sequence[IsingModel],
        betas: NDArray[np.float64],
        chains: int,
        update: str,
        seed: int,
        initial: Any,
        kernel: str,
        exchange: bool,
        isoenergetic: int,
    ) -> None:
        self.models, self.betas, self.chains, self.update, self.kernel = models, betas, chains, update, kernel
        self.seed, self.initial, self.exchange, self.isoenergetic = seed, initial, exchange, isoenergetic
        self.in_lanes = kernel == "bits, disorder in lanes"
        self._tables = lru_cache(maxsize=8)(self._make_tables)  # units of one realisation come one after another

    def blocks(self) -> Iterator[Block]:
        """All blocks, realisation by realisation, beta by beta (with exchange the whole ladder), chain by chain."""
        n = len(self.models)
        ladders = [range(len(self.betas))] if self.exchange else [range(b, b + 1) for b in range(len(self.betas))]
        for first in range(0, n, 64 if self.in_lanes else 1):
            step = self._chains_per_unit(first)
            for ladder in ladders:
                for chain in range(0, self.chains, step):
                    stop = min(first + 64, n) if self.in_lanes else first + 1
                    yield Block(range(first, stop), ladder, range(chain, min(chain + step, self.chains)))

    def _chains_per_unit(self, index: int) -> int:
        if self.kernel == "fields":
            cached = caching_wins(self.models[index], float(self.betas.max()))
            return CHAINS_PER_ROWS if cached else CHAINS_PER_WORD
        return {"space": 1, "bits": 64}.get(self.kernel, min(2, self.chains))

    def unit(self, block: Block) -> Unit:
        """The unit of a block, at its start."""
        index, betas, chains, seed, initial = block.disorder.start, self.betas, self.chains, self.seed, self.initial
        model, tables, beta, first = self.models[index], self._tables(index), block.beta.start, block.chain.start
        if self.kernel == "space":
            return SpaceUnit(model, self.update, beta, betas[beta], first, seed, index, initial)
        if self.kernel in ("bits", "bits, disorder in lanes"):
            words = block.chain if self.in_lanes else [first // 64]
            options = (chains, seed, index, initial, self.exchange, self.isoenergetic)
            return BitUnit(tables, betas, block.beta, words, *options)
        if self.kernel == "fields":
            number = first // tables.chains_per_unit
            return FieldUnit(tables, self.update, betas, block.beta, number, chains, seed, index, initial)
        rest = (beta, betas[beta], first, len(block.chain), seed, index, initial)
        if self.kernel == "clusters":
            return ClusterUnit(model, tables, self.update, *rest)
        return SpinUnit(model, tables, *rest)

    def _make_tables(self, index: int) -> Any:
        """What the units of a realisation (or of 64, in lanes) share."""
        if self.kernel == "fields":
            return FieldTables(self.models[index], float(self.betas.max()))
        if self.kernel == "clusters":
            return ClusterGraph(self.models[index])
        if self.kernel == "spins":
            return spin_graph(self.models[index])
        if self.in_lanes:
            return BitTables(_full_word(self.models, index), self.update, True)
        return BitTables([self.models[index]], self.update, False) if self.kernel == "bits" else None


def _full_word(models: Sequence[IsingModel], first: int) -> list[IsingModel]:
    """64 realisations from `first` on: those not asked for run too, so the others do not depend on their number."""
    attrs = models[0].attrs
    missing = range(len(models), first + 64)
    return [
        *models[first : first + 64],
        *(realisation(models[0].lattice, attrs["coupling_seed"], attrs["distribution"], i) for i in missing),
    ]
