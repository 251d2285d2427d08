"""Set-up of the read-out: tables of the ideal model, and the arrays that reads fill."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

import ising
from ising.bit_tables import BitTables, fits_bits
from ising.kernels_bits import BitGraph

from .couplings import couplings_of
from .kernels_read import ENTROPY_STEP, LANES, READ_DIGITS, Reader, Record

ROUNDING = 1e-12  # of the sum of all |J| and |h|: energies closer than that are equal
ENTROPY_END = 40.0  # of 2 beta |I|; h2 is below 2e-16 from here on


def entropy_table() -> NDArray[np.float64]:
    """Columns h2(sigma(x)) = ln(1 + e^-x) + x/(1 + e^x) and (x/2)^2 sech^2(x/2) = x^2 e^-x/(1 + e^-x)^2."""
    x = np.arange(0.0, ENTROPY_END + ENTROPY_STEP, ENTROPY_STEP)
    shrunk = np.exp(-x)
    entropy = np.log1p(shrunk) + x * shrunk / (1.0 + shrunk)
    return np.stack([entropy, x**2 * shrunk / (1.0 + shrunk) ** 2], axis=1)


def make_reader(model: ising.IsingModel, readout_noise: float, target: float | None) -> Reader:
    """The ideal model as the reads need it; all 64 replicas of a unit count."""
    ideal = couplings_of(model)
    rounding = ROUNDING * float(0.5 * np.abs(ideal.weights).sum() + np.abs(ideal.fields).sum())
    neighbors, bits, coupling, field = ideal.neighbors, _no_bits(), 0.0, 0.0
    if fits_bits(model):
        tables = BitTables([model], "heat_bath", False)
        bits, coupling, field = tables.graph, tables.coupling, float(model.fields)
        if isinstance(model.couplings, np.ndarray) or coupling != model.couplings:
            neighbors = np.where(ideal.weights < 0.0, ~neighbors, neighbors)
    return Reader(
        bits=bits, coupling=coupling, field=field, n_bonds=model.lattice.n_bonds,
        start=ideal.offsets, neighbors=neighbors, twice=2.0 * ideal.weights,
        base=ideal.fields - ideal.by_site(ideal.weights), fields=ideal.fields, entropy=entropy_table(),
        read_error=np.uint64(round(readout_noise * 2.0**READ_DIGITS)),
        target=-inf if target is None else float(target) + rounding, members=LANES,
    )  # fmt: skip


def new_record(n_sites: int, rows: int, rng: NDArray[np.uint64]) -> Record:
    """Room for that many reads at once."""

    def series() -> NDArray[np.float64]:
        return np.full((rows, LANES), np.nan)

    def words() -> NDArray[np.uint64]:
        return np.zeros(n_sites + 1, np.uint64)

    return Record(
        series(), series(), series(), series(), series(), series(), np.full(LANES, inf), np.zeros(LANES, np.int64),
        words(), words(), words(), rng, np.zeros(1, np.int64), np.zeros(LANES, np.int32), np.zeros((3, LANES)),
    )  # fmt: skip


def _no_bits() -> BitGraph:
    table, row, words = np.zeros((0, 0, 0), np.int32), np.zeros(0, np.int32), np.zeros((0, 0, 0), np.uint64)
    layers = np.zeros((0, 0, 0, 0), np.int32), np.zeros((0, 0), np.int32)
    return BitGraph(table, row, row, words, table, row, words, *layers, 0, 0)
