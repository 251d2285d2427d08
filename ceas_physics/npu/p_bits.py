"""Units of 64 p-bit machines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import ising
from ising.bit_tables import fits_bits
from ising.streams import Purpose, generator, wide_states
from ising.tables import heat_bath_digits

from . import kernels_p_bit, kernels_p_bit_fields
from .couplings import Couplings
from .devices import PBit
from .kernels_p_bit import BitDevice, Clock
from .kernels_p_bit_fields import FieldDevice
from .kernels_read import Reader
from .reading import new_record
from .realism import Realism
from .schedules import Array

ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class PBits:
    """64 replicas with one sequence of events; bits where couplings are +-J and ideal, else doubles.

    Parameters
    ----------
    model, couplings
        The ideal model, and the couplings as the device has them.
    device, realism
        Clock; noise and delay.
    reader
        How it is read.
    seed, word
        Streams.
    rows
        Most reads between two looks at the record.
    """

    def __init__(
        self, model: ising.IsingModel, couplings: Couplings, device: PBit, realism: Realism, reader: Reader,
        seed: int, word: int, rows: int,
    ) -> None:  # fmt: skip
        self.model, self.couplings, self.device, self.realism, self.reader = model, couplings, device, realism, reader
        self.seed, self.word, self.n_sites = seed, word, couplings.n_sites
        live = np.flatnonzero(couplings.stuck == 0).astype(np.int32)
        self.n_live, self.events = len(live), np.zeros(1)
        self.betas = np.zeros(0)
        self.stream: np.random.Generator | None = None
        self.record = new_record(self.n_sites, rows, self._wide(0, 1))
        self.bits = fits_bits(model) and realism.bits is None and not realism.mismatch and not realism.noise
        if self.bits:
            self.degrees, site_class = np.unique(np.diff(couplings.offsets), return_inverse=True)
            self.chip = BitDevice(couplings.offsets, reader.neighbors, site_class.astype(np.int32), live)
        else:
            self.fields = FieldDevice(
                couplings.offsets, couplings.neighbors, 2.0 * couplings.weights,
                couplings.fields - couplings.by_site(couplings.weights), live, realism.noise * couplings.scale,
            )  # fmt: skip

    def restart(self, repeat: int) -> None:
        """Random spins and fresh streams; the record keeps the best."""
        self.stream = generator(self.seed, Purpose.DEVICE, self.n_sites, self.word, repeat, 2)
        start = self.stream.integers(0, 2**64, self.n_sites, dtype=np.uint64)
        stuck = self.couplings.stuck
        start = np.where(stuck == 0, start, np.where(stuck > 0, ALL, np.uint64(0)))
        words = np.append(start, np.uint64(0))
        delay = round(self.realism.delay * self.n_live)
        late = np.arange(delay, dtype=np.int32) % self.n_sites
        self.clock = Clock(
            words, words.copy() if delay else words, self._wide(repeat, 0), late, words[late],
            np.zeros(1, np.int64), np.zeros(8, np.uint64), np.full(16, ALL), np.zeros(8, np.uint64),
            np.zeros(8, np.uint64),
        )  # fmt: skip
        self.record.last[:] = words

    def run(self, controls: Array, n_steps: NDArray[np.int64]) -> int:
        """Intervals at beta = mean of controls (n, 2), n_steps (n,) updates per live spin each, then a read."""
        self.betas = betas = controls.mean(axis=1)
        events = n_steps * self.n_live
        if self.device.clock == "poisson" and self.stream is not None:
            events = self.stream.poisson(events)
        if self.bits:
            tables = self._tables(betas)
            done = kernels_p_bit.run(self.clock, self.chip, tables, betas, events, self.reader, self.record, 0)
        else:
            done = kernels_p_bit_fields.run(self.clock, self.fields, betas, events, self.reader, self.record, 0)
        self.events = self.events[-1] + np.cumsum(events[:done], dtype=float)
        return int(done)

    def moving(self) -> list[NDArray[Any]]:
        """See `Unit`."""
        return list(self.clock)

    def _tables(self, betas: Array) -> NDArray[np.uint64]:
        """(n_beta, n_classes, n_terms, n_digits) with the digits padded to a multiple of eight."""
        different, which = np.unique(betas, return_inverse=True)
        digits = heat_bath_digits(different, self.reader.coupling, self.reader.field, self.degrees)[:, :, :, 0]
        padding = -digits.shape[2] % 8
        padded = np.pad(digits, ((0, 0), (0, 0), (0, padding), (0, 0)))
        return np.ascontiguousarray(padded.swapaxes(-1, -2)[which])

    def _wide(self, repeat: int, purpose: int) -> NDArray[np.uint64]:
        return wide_states(self.seed, Purpose.DEVICE, [(self.n_sites, self.word, repeat, purpose)])[0]
