"""The unit for any couplings and fields: `FieldUnit`, with or without replica exchange.

Sparse graphs, and the complete graph with uniform coupling, run 64 chains a word (`kernels_fields`); dense graphs one
chain at a time with cached local fields (`kernels_rows`). Both visit the sites in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import kernels_field_draws as kernels
from .field_tables import (
    aligned,
    field_graph,
    integer_step,
    is_uniform_complete,
    largest_sum,
    layout,
    new_ladder,
    row_graph,
    row_state,
    word_state,
)  # fmt: skip
from .model import IsingModel
from .observables import PAIR_OBSERVABLES, Arrays
from .streams import Purpose, generator, wide_states
from .sublattices import sublattice_signs
from .unit_state import fill
from .words import ONES

UPDATES = ("heat_bath", "metropolis")
CHAINS_PER_WORD, CHAINS_PER_ROWS = 64, 8
MAX_ROW_BYTES = 2**30
MAX_ROUNDING = 1e-4  # of 2 beta times a local field, typically, by rounding couplings to integers


class FieldTables:
    """What the units of one model share.

    Parameters
    ----------
    model
        Any model.
    largest_beta
        Decides whether couplings may be rounded to the integers of `kernels_rows`.
    cached
        Cached fields (`kernels_rows`) or recomputed ones (`kernels_fields`); by default what `caching_wins` says.
    """

    def __init__(self, model: IsingModel, largest_beta: float, cached: bool | None = None) -> None:
        self.model = model
        self.n_sites = model.lattice.n_sites
        self.fields = np.array(np.broadcast_to(model.fields, self.n_sites), dtype=np.float64)
        self.cached = caching_wins(model, largest_beta) if cached is None else cached
        self.chains_per_unit = CHAINS_PER_ROWS if self.cached else CHAINS_PER_WORD
        if self.cached:
            self.rows = row_graph(model, self.fields)
        else:
            self.graph = field_graph(model, self.fields)
            self.layout, self.plain_layout = layout(model, True), layout(model, False)


class FieldUnit:
    """A block of chains at one beta, or with exchange at all betas of a ladder.

    Parameters
    ----------
    tables
        Shared tables of the model.
    update
        ``"heat_bath"``, or ``"metropolis"``: flip probability 15/16 min(1, exp(-beta dE)), in site order.
    betas
        All inverse temperatures of the run.
    beta_indices
        Those of this unit: one, or more with exchange.
    block
        Chains tables.chains_per_unit * block onwards are simulated.
    chains, seed, disorder, initial
        As in `sample`.
    """

    def __init__(
        self,
        tables: FieldTables,
        update: str,
        betas: NDArray[np.float64],
        beta_indices: Sequence[int],
        block: int,
        chains: int,
        seed: int,
        disorder: int,
        initial: Any,
    ) -> None:
        if update not in UPDATES:
            raise ValueError(f"update must be one of {UPDATES}, got {update!r}")
        self.tables, self.metropolis = tables, update == "metropolis"
        self.beta_indices = sorted(beta_indices, key=lambda b: float(betas[b]))  # slot -> beta index
        self.betas = np.asarray(betas, dtype=np.float64)[self.beta_indices]
        self.first = tables.chains_per_unit * block
        self.count = min(tables.chains_per_unit, chains - self.first)
        lanes = range(self.first, self.first + self.count) if tables.cached else [block]
        keys = [(tables.n_sites, disorder, b, lane) for b in self.beta_indices for lane in lanes]
        rng = wide_states(seed, Purpose.SAMPLING, keys)
        spins = self._initial(initial, seed, keys)
        self.state: Any
        if tables.cached:
            self.state = row_state(tables.rows, spins.reshape(-1, tables.n_sites), rng)
            energies = aligned((len(self.betas), CHAINS_PER_ROWS), np.float64)
        else:
            self.state = word_state(tables.graph, tables.fields, spins, rng)
            energies = self.state.energies
        exchange_key = (tables.n_sites, disorder, self.beta_indices[0], block)
        self.ladder = new_ladder(self.betas, energies, wide_states(seed, Purpose.EXCHANGE, [exchange_key])[0])

    def _initial(self, initial: Any, seed: int, keys: Sequence[tuple[int, ...]]) -> NDArray[np.bool_]:
        """Up spins, (n_slots, count or 64, n_sites)."""
        n, per_key = self.tables.n_sites, 1 if self.tables.cached else CHAINS_PER_WORD
        shape = (len(self.beta_indices), -1, n)
        if not isinstance(initial, str):
            chosen = np.asarray(initial)[self.beta_indices, self.first : self.first + self.count] > 0
            missing = 0 if self.tables.cached else CHAINS_PER_WORD - self.count
            return np.concatenate([chosen, np.repeat(chosen[:, -1:], missing, axis=1)], axis=1)
        if initial == "up":
            return np.ones((len(keys) * per_key, n), bool).reshape(shape)
        draws = [generator(seed, Purpose.INITIAL, *key).integers(0, 2, (per_key, n), dtype=bool) for key in keys]
        return np.concatenate(draws).reshape(shape)

    def warm_up(self, n_sweeps: int) -> None:
        """Sweep without measuring; exchange statistics start afresh."""
        self._advance(np.broadcast_to(self.betas, (n_sweeps, len(self.betas))).copy())
        for counter in (self.ladder.accepted, self.ladder.attempts, self.ladder.round_trips, self.ladder.heading):
            counter[:] = 0

    def anneal(self, schedule: NDArray[np.float64]) -> int:
        """One sweep at every beta of the schedule; returns the number of flips where fields are cached, else 0.

        Raises
        ------
        ValueError
            A unit with more than one beta.
        """
        if len(self.betas) > 1:
            raise ValueError(f"a schedule needs a unit of one beta, this one has {len(self.betas)}")
        return self._advance(np.ascontiguousarray(schedule, dtype=np.float64)[:, None])

    def _advance(self, betas: NDArray[np.float64]) -> int:
        tables = self.tables
        if tables.cached:
            return int(kernels.advance_rows(self.state, tables.rows, betas, self.metropolis, self.ladder))
        kernels.advance_words(self.state, tables.graph, tables.fields, betas, self.metropolis, self.ladder)
        return 0

    def draw(self, results: Arrays, start: int, stop: int, thin: int) -> None:
        """Fill draws start..stop of this unit's slice of the results, name -> (beta, chain or pair, draw)."""
        tables, n_slots = self.tables, len(self.betas)
        lanes = self.count if tables.cached else CHAINS_PER_WORD
        wants_pairs = any(name in results for name in PAIR_OBSERVABLES)
        stagger = self._stagger(results)
        single = np.empty((n_slots, stop - start, 4, lanes))
        pairs = np.empty((n_slots, stop - start if wants_pairs else 0, 3, lanes))
        betas = np.broadcast_to(self.betas, (thin, n_slots)).copy()
        if tables.cached:
            kernels.draw_rows(self.state, tables.rows, betas, self.metropolis, self.ladder, stagger, single, pairs)
        else:
            kernels.draw_words(
                self.state,
                tables.graph,
                tables.fields,
                betas,
                self.metropolis,
                self.ladder,
                _layout(tables, results, "structure_factor"),
                _layout(tables, results, "overlap_k"),
                stagger,
                single,
                pairs,
            )
        n, n_bonds = tables.n_sites, max(1, tables.model.lattice.n_bonds)
        columns = {
            "energy": (single, 0, n), "magnetization": (single, 1, n), "structure_factor": (single, 2, n),
            "staggered_magnetization": (single, 3, n),
            "link_overlap": (pairs, 0, n_bonds), "overlap": (pairs, 1, n), "overlap_k": (pairs, 2, n),
        }  # fmt: skip
        for name, out in results.items():
            raw, column, size = columns[name]
            step = 2 if name in PAIR_OBSERVABLES else 1
            block = raw[:, :, column, : self.count - self.count % step : step] / size  # (slot, draw, chain or pair)
            first = self.first // step
            out[self.beta_indices, first : first + block.shape[2], start:stop] = block.transpose(0, 2, 1)

    def _stagger(self, results: Arrays) -> NDArray[np.uint64]:
        """Marks of the sublattice of sign -1, a word a site or, where fields are cached, a bit a site; or nothing."""
        signs = sublattice_signs(self.tables.model.lattice) if "staggered_magnetization" in results else None
        if signs is None:
            return np.zeros(0, np.uint64)
        if not self.tables.cached:
            return np.where(signs < 0, ONES, np.uint64(0))
        packed = np.packbits(signs < 0, bitorder="little")
        return np.pad(packed, (0, self.state.spins.shape[1] * 8 - len(packed))).view(np.uint64)

    def configurations(self) -> list[tuple[int, int, NDArray[np.int8]]]:
        """(beta index, first chain, spins (count, n_sites)) of every slot."""
        spins = self.spins()
        return [(b, self.first, spins[slot]) for slot, b in enumerate(self.beta_indices)]

    def spins(self) -> NDArray[np.int8]:
        """Present spins, (n_slots, count, n_sites), slots in the order of increasing beta."""
        n_slots, n = len(self.betas), self.tables.n_sites
        if self.tables.cached:
            up = np.unpackbits(self.state.spins.view(np.uint8), axis=1, bitorder="little")[:, :n]
            up = up.reshape(n_slots, self.count, n)
        else:
            octets = self.state.words.view(np.uint8).reshape(n_slots, n, 8)
            up = np.unpackbits(octets, axis=2, bitorder="little")[:, :, : self.count].transpose(0, 2, 1)
        return (2 * up.astype(np.int8) - 1).astype(np.int8)

    def statistics(self) -> dict[str, tuple[int, NDArray[Any]]]:
        """Exchange since warm-up: swap_acceptance (beta pair, chain) and round_trips (chain,), with the first chain.

        Beta pairs are neighbours in increasing order of beta; pairs never tried give NaN.
        """
        with np.errstate(invalid="ignore"):
            accepted = self.ladder.accepted[:, : self.count] / self.ladder.attempts[:, None]
        return {
            "swap_acceptance": (self.first, accepted),
            "round_trips": (self.first, self.ladder.round_trips[: self.count].copy()),
        }

    def checkpoint(self) -> dict[str, NDArray[Any]]:
        """Spins, fields or energies, random numbers and ladder, live."""
        return {**self.state._asdict(), **{f"ladder_{k}": v for k, v in self.ladder._asdict().items()}}

    def restore(self, checkpoint: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `checkpoint` of the same unit."""
        fill(self.checkpoint(), checkpoint)


def _layout(tables: FieldTables, results: Arrays, name: str) -> kernels.Layout:
    return tables.layout if name in results else tables.plain_layout


def field_units(
    model: IsingModel,
    betas: NDArray[np.float64],
    chains: int,
    update: str,
    seed: int,
    disorder: int,
    initial: Any,
    exchange: bool = False,
    cached: bool | None = None,
) -> list[FieldUnit]:
    """All units of a model: blocks of chains, at one beta each or with exchange over the whole ladder."""
    tables = FieldTables(model, float(np.max(betas)), cached)
    ladders = [list(range(len(betas)))] if exchange else [[b] for b in range(len(betas))]
    blocks = range(ceil(chains / tables.chains_per_unit))
    return [
        FieldUnit(tables, update, betas, ladder, block, chains, seed, disorder, initial)
        for ladder in ladders
        for block in blocks
    ]


def caching_wins(model: IsingModel, largest_beta: float) -> bool:
    """Whether cached fields and dense rows are faster than recomputing fields, and rounding the couplings is harmless.

    Measured on one core, 64 chains: recomputing takes 1.4 + 0.046 degree ns an attempt, caching 3.5 ns and, for the one
    attempt in three or four that flips, 4 + 0.045 n ns more (up to twice that where the matrix leaves the L2 cache).
    """
    lattice, n = model.lattice, model.lattice.n_sites
    degree = 2 * lattice.n_bonds / n
    if is_uniform_complete(model) or lattice.momentum is not None or 4 * n * n > MAX_ROW_BYTES or degree < 64 + n / 3:
        return False
    return 2 * largest_beta * integer_step(largest_sum(model), n) * degree**0.5 <= MAX_ROUNDING
