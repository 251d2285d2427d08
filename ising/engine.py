"""Work units: a block of chains that one thread carries from its first sweep to its last draw.

Every kernel family has its unit class. Units fill their own slice of the result arrays and own their random streams, so
results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .bit_tables import BitTables, fits_bits
from .bits import BitUnit
from .clusters import ClusterGraph, ClusterUnit
from .fields import caching_wins, field_units
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


def make_units(
    models: Sequence[IsingModel],
    betas: NDArray[np.float64],
    chains: int,
    update: str,
    seed: int,
    initial: Any,
    kernel: str,
    exchange: bool,
    isoenergetic: int,
) -> list[tuple[int | slice, Unit]]:
    """Split (disorder, beta, chain) into work units; each with the realisation(s) it fills."""
    ladders = [list(range(len(betas)))] if exchange else [[b] for b in range(len(betas))]
    options = (betas, ladders, chains, seed, initial, exchange, isoenergetic)
    if kernel == "bits, disorder in lanes":
        return _disorder_units(models, update, *options)
    units: list[tuple[int | slice, Unit]] = []
    for index, model in enumerate(models):
        if kernel == "space":
            units += [
                (index, SpaceUnit(model, update, b, beta, chain, seed, index, initial))
                for b, beta in enumerate(betas)
                for chain in range(chains)
            ]
        elif kernel == "bits":
            tables = BitTables([model], update, False)
            words = range((chains + 63) // 64)
            units += [
                (index, BitUnit(tables, betas, ladder, [word], chains, seed, index, initial, exchange, isoenergetic))
                for ladder in ladders
                for word in words
            ]
        elif kernel == "fields":
            units += [
                (index, unit) for unit in field_units(model, betas, chains, update, seed, index, initial, exchange)
            ]
        elif kernel == "clusters":
            clusters = ClusterGraph(model)
            units += [
                (
                    index,
                    ClusterUnit(model, clusters, update, b, beta, first, min(2, chains - first), seed, index, initial),
                )
                for b, beta in enumerate(betas)
                for first in range(0, chains, 2)
            ]
        else:
            graph = spin_graph(model)
            units += [
                (index, SpinUnit(model, graph, b, beta, first, min(2, chains - first), seed, index, initial))
                for b, beta in enumerate(betas)
                for first in range(0, chains, 2)
            ]
    return units


def _full_word(models: Sequence[IsingModel], first: int) -> list[IsingModel]:
    """64 realisations from `first` on: those not asked for run too, so the others do not depend on their number."""
    attrs = models[0].attrs
    missing = range(len(models), first + 64)
    return [
        *models[first : first + 64],
        *(realisation(models[0].lattice, attrs["coupling_seed"], attrs["distribution"], i) for i in missing),
    ]


def _disorder_units(
    models: Sequence[IsingModel],
    update: str,
    betas: NDArray[np.float64],
    ladders: list[list[int]],
    chains: int,
    seed: int,
    initial: Any,
    exchange: bool,
    isoenergetic: int,
) -> list[tuple[int | slice, Unit]]:
    units: list[tuple[int | slice, Unit]] = []
    step = 2 if chains > 1 else 1
    for first in range(0, len(models), 64):
        tables = BitTables(_full_word(models, first), update, True)
        units += [
            (
                slice(first, first + 64),
                BitUnit(
                    tables, betas, ladder, range(chain, min(chain + step, chains)), chains, seed, first, initial,
                    exchange, isoenergetic,
                ),
            )
            for ladder in ladders
            for chain in range(0, chains, step)
        ]  # fmt: skip
    return units
