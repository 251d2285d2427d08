"""The bit-parallel unit: 64 chains a word, any graph of degree up to 15, couplings +-J, uniform field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import kernels_bits
from .bit_tables import BitTables, pack, unpack
from .kernels_exchange import Ladder
from .observables import PAIR_OBSERVABLES, Arrays
from .streams import Purpose, generator, states, wide_states
from .sublattices import sublattice_signs
from .unit_state import fill
from .words import ONES, WIDTH

SINGLE = {
    "energy": np.int32,
    "magnetization": np.int32,
    "structure_factor": np.float64,
    "staggered_magnetization": np.int32,
}
PAIRS = {"link_overlap": np.int32, "overlap": np.int32, "overlap_k": np.float64}


class BitUnit:
    """One word at one beta, or with exchange at all betas; with disorder in the lanes one or two words (chains)."""

    def __init__(
        self,
        tables: BitTables,
        betas: NDArray[np.float64],
        beta_indices: Sequence[int],
        words: Sequence[int],
        chains: int,
        seed: int,
        disorder: int,
        initial: Any,
        exchange: bool = False,
        isoenergetic: int = 0,
    ) -> None:
        self.tables, self.beta_indices, self.words, self.chains = tables, list(beta_indices), list(words), chains
        lattice = tables.model.lattice
        self.n_sites, n_beta = lattice.n_sites, len(beta_indices)
        keys = [(self.n_sites, disorder, b, word) for word in words for b in beta_indices]
        self.rng = wide_states(seed, Purpose.SAMPLING, keys).reshape(len(words), n_beta, 4, WIDTH)
        self.spins = np.zeros((len(words), n_beta, self.n_sites + 1), np.uint64)
        for key, row in zip(keys, self.spins.reshape(len(keys), -1)):
            row[:-1] = self._initial(initial, seed, key)
        here = betas[self.beta_indices]
        self.run = kernels_bits.BitRun(
            tables.digits(here), tables.flips, here, tables.coupling, float(tables.model.fields), self.n_sites,
            lattice.n_bonds, exchange, isoenergetic, lattice.neighbors, tables.waves, tables.disorder_lanes,
            np.zeros((1, 0, WIDTH), np.uint64), np.zeros(0, np.uint64),
        )  # fmt: skip
        exchange_keys = [(self.n_sites, disorder, beta_indices[0], word) for word in words]
        self.ladder = _new_ladder(len(words), n_beta, states(seed, Purpose.EXCHANGE, exchange_keys))

    def _initial(self, initial: Any, seed: int, key: tuple[int, ...]) -> NDArray[np.uint64] | np.uint64:
        if isinstance(initial, str):
            if initial == "up":
                return ONES
            return generator(seed, Purpose.INITIAL, *key).integers(0, 2**64, self.n_sites, dtype=np.uint64)
        beta, word = key[2], key[3]
        if self.tables.disorder_lanes:
            return np.where(initial[beta, word] > 0, ONES, np.uint64(0))
        return pack(initial[beta, 64 * word : 64 * word + 64])

    def warm_up(self, n_sweeps: int) -> None:
        """Sweep without measuring."""
        run = self.run._replace(tally=self.tables.new_tally()) if self.run.exchange else self.run
        kernels_bits.advance(self.spins, self.rng, self.tables.graph, run, self.ladder, n_sweeps, False)
        self.ladder.accepted[:] = 0
        self.ladder.attempts[:] = 0
        self.ladder.round_trips[:] = 0
        self.ladder.heading[:] = 0

    def draw(self, results: Any, start: int, stop: int, thin: int) -> None:
        """Fill draws start..stop of this unit's slice of the results."""
        n_draws, n_words = stop - start, len(self.words)
        names = results[0] if self.tables.disorder_lanes else results
        n_pairs = n_words // 2 if self.tables.disorder_lanes else n_words
        single = self._outputs(n_draws, n_words, names, SINGLE)
        pairs = self._outputs(n_draws, n_pairs, names, PAIRS)
        # not kept: 24 bytes a site that only a running unit needs
        run = self.run._replace(tally=self.tables.new_tally(), stagger=self._stagger(names))
        kernels_bits.sample(self.spins, self.rng, self.tables.graph, run, self.ladder, thin, n_draws, single, pairs)
        self._write(results, start, self._values(single, pairs))

    def _stagger(self, names: Any) -> NDArray[np.uint64]:
        """All ones on the sublattice of sign -1, (n_sites + 1,), or nothing if it is not wanted."""
        signs = sublattice_signs(self.tables.model.lattice) if "staggered_magnetization" in names else None
        return np.zeros(0, np.uint64) if signs is None else np.where(np.append(signs, 1) < 0, ONES, np.uint64(0))

    def _outputs(self, n_draws: int, n_words: int, names: Any, wanted: Mapping[str, Any]) -> tuple[NDArray[Any], ...]:
        def raw(name: str, dtype: Any) -> NDArray[Any]:
            needed = name in names or (name == "magnetization" and "energy" in names and self.run.field != 0.0)
            return np.empty((n_draws if needed else 0, len(self.beta_indices), n_words, 64), dtype)

        return tuple(raw(name, dtype) for name, dtype in wanted.items())

    def _values(self, single: tuple[NDArray[Any], ...], pairs: tuple[NDArray[Any], ...]) -> Arrays:
        n, n_bonds = self.n_sites, self.run.n_bonds
        energy = -self.run.coupling * (n_bonds - 2.0 * single[0])
        if self.run.field != 0.0 and single[0].size:
            energy -= self.run.field * (2.0 * single[1] - n)
        return {
            "energy": energy / n,
            "magnetization": (2.0 * single[1] - n) / n,
            "structure_factor": single[2] / n,
            "staggered_magnetization": (2.0 * single[3] - n) / n,
            "overlap": (2.0 * pairs[1] - n) / n,
            "link_overlap": (n_bonds - 2.0 * pairs[0]) / n_bonds,
            "overlap_k": pairs[2] / n,
        }

    def _write(self, results: Any, start: int, values: Arrays) -> None:
        if self.tables.disorder_lanes:
            for lane, arrays in enumerate(results):
                for name, out in arrays.items():
                    first = self.words[0] // 2 if name in PAIR_OBSERVABLES else self.words[0]
                    block = values[name][..., lane].transpose(1, 2, 0)  # (beta, chains or pairs, draws)
                    out[self.beta_indices, first : first + block.shape[1], start : start + block.shape[2]] = block
            return
        for name, out in results.items():
            step = 2 if name in PAIR_OBSERVABLES else 1
            first, count = 64 * self.words[0], min(64, self.chains - 64 * self.words[0])
            block = values[name][:, :, 0, :count:step].transpose(1, 2, 0)
            at = first // step
            out[self.beta_indices, at : at + block.shape[1], start : start + block.shape[2]] = block

    def configurations(self) -> list[tuple[int, int, NDArray[np.int8]]]:
        """Blocks (beta index, first chain, spins (..., chains, n_sites))."""
        blocks = []
        for w, word in enumerate(self.words):
            for k, b in enumerate(self.beta_indices):
                row = self.spins[w, k, :-1]
                if self.tables.disorder_lanes:
                    blocks.append((b, word, unpack(row, 64)[:, None]))
                else:
                    blocks.append((b, 64 * word, unpack(row, min(64, self.chains - 64 * word))))
        return blocks

    def statistics(self) -> dict[str, tuple[int, NDArray[Any]]]:
        """Swap acceptance (beta_pair, chains) and round trips (chains,) with the first chain they belong to."""
        if not self.run.exchange:
            return {}
        attempts = np.where(self.ladder.attempts > 0, self.ladder.attempts, np.nan)
        acceptance = self.ladder.accepted / attempts[..., None]  # (words, pairs, 64), NaN where never tried
        if self.tables.disorder_lanes:
            swaps = acceptance.transpose(2, 1, 0)  # (lane, pair, chain)
            return {
                "swap_acceptance": (self.words[0], swaps),
                "round_trips": (self.words[0], self.ladder.round_trips.T),
            }
        first, count = 64 * self.words[0], min(64, self.chains - 64 * self.words[0])
        return {
            "swap_acceptance": (first, acceptance[0, :, :count]),
            "round_trips": (first, self.ladder.round_trips[0, :count]),
        }

    def checkpoint(self) -> dict[str, NDArray[Any]]:
        """Spins, random numbers and ladder, live."""
        return {"spins": self.spins, "rng": self.rng, **{f"ladder_{k}": v for k, v in self.ladder._asdict().items()}}

    def restore(self, checkpoint: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `checkpoint` of the same unit."""
        fill(self.checkpoint(), checkpoint)


def _new_ladder(n_words: int, n_beta: int, rng: NDArray[np.uint64]) -> Ladder:
    replica = np.broadcast_to(np.arange(n_beta, dtype=np.int32)[:, None], (n_words, n_beta, 64)).copy()
    return Ladder(
        energy=np.zeros((n_words, n_beta, 64)),
        unsatisfied=np.zeros((n_words, n_beta, 64), np.int32),
        up=np.zeros((n_words, n_beta, 64), np.int32),
        replica=replica,
        heading=np.zeros((n_words, n_beta, 64), np.int8),
        accepted=np.zeros((n_words, n_beta - 1, 64), np.int64),
        attempts=np.zeros((n_words, n_beta - 1), np.int64),
        round_trips=np.zeros((n_words, 64), np.int64),
        rng=rng,
        steps=np.zeros(n_words, np.int64),
    )
