"""Units of 64 p-bit machines whose clock is a fixed order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import ising
from ising.bit_tables import BitTables, fits_bits
from ising.field_tables import field_graph, row_graph, row_state, word_state
from ising.fields import caching_wins
from ising.streams import Purpose, generator, wide_states

from . import kernels_sweeps
from .kernels_read import LANES, Reader
from .reading import new_record
from .schedules import Array


class Sweeps:
    """64 replicas; bits where couplings are +-J, rows of cached fields where they are dense, else fields in doubles.

    Parameters
    ----------
    model, reader, seed, word, rows
        As for `PBits`.
    largest_beta
        Dense couplings are rounded to integers where that is harmless up to this beta.
    """

    def __init__(
        self, model: ising.IsingModel, reader: Reader, seed: int, word: int, rows: int, largest_beta: float
    ) -> None:
        self.model, self.reader, self.seed, self.word = model, reader, seed, word
        self.n_sites, self.events = model.lattice.n_sites, np.zeros(1)
        self.betas = np.zeros(0)
        self.stream = None
        self.record = new_record(self.n_sites, rows, self._wide([(0, 1)])[0])
        self.words = np.zeros(self.n_sites + 1, np.uint64)
        self.fields = np.array(np.broadcast_to(model.fields, self.n_sites), dtype=float)
        self.bits = BitTables([model], "heat_bath", False) if fits_bits(model) else None
        self.graph: Any = None
        self.cached = caching_wins(model, largest_beta)
        if self.bits is None:
            self.graph = row_graph(model, self.fields) if self.cached else field_graph(model, self.fields)

    def restart(self, repeat: int) -> None:
        """Random spins and fresh streams; the record keeps the best."""
        rng = generator(self.seed, Purpose.DEVICE, self.n_sites, self.word, repeat, 2)
        if self.bits is None:
            up = rng.integers(0, 2, (LANES, self.n_sites), dtype=np.int8).astype(bool)
            self.state: Any = (
                row_state(self.graph, up, self._wide([(repeat, 3 + lane) for lane in range(LANES)]))
                if self.cached
                else word_state(self.graph, self.fields, up[None], self._wide([(repeat, 0)]))
            )
        else:
            self.words[:-1] = rng.integers(0, 2**64, self.n_sites, dtype=np.uint64)
            self.rng = self._wide([(repeat, 0)])[0]
        self.record.last[:] = self.words

    def run(self, controls: Array, n_steps: NDArray[np.int64]) -> int:
        """Intervals at beta = mean of controls (n, 2), n_steps (n,) sweeps each, then a read."""
        self.betas = betas = controls.mean(axis=1)
        tail = (n_steps, self.reader, self.record)
        if self.bits is not None:
            different, which = np.unique(betas, return_inverse=True)
            tables = self.bits.digits(different)[which]
            done = kernels_sweeps.run_bits(self.words, self.rng, self.bits.graph, tables, betas, *tail)
        else:
            run = kernels_sweeps.run_rows if self.cached else kernels_sweeps.run_fields
            done = run(self.words, self.state, self.graph, betas, *tail)
        self.events = self.events[-1] + np.cumsum(n_steps[:done] * self.n_sites, dtype=float)
        return int(done)

    def moving(self) -> list[NDArray[Any]]:
        """See `Unit`."""
        return [self.words, *([self.rng] if self.bits is not None else self.state)]

    def _wide(self, keys: list[tuple[int, int]]) -> NDArray[np.uint64]:
        return wide_states(self.seed, Purpose.DEVICE, [(self.n_sites, self.word, *key) for key in keys])
