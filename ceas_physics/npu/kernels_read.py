"""Compiled: reading 64 replicas out: energy, magnetization, overlap with the last read, entropy, the best so far.

`words[i]` is a uint64: bit k is spin i of replica k (1 is up). Energies are those of the ideal model for the spins as
they are read, whatever the device's own couplings and the noise of the read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ising.doubles import add_where, splat64, store
from ising.kernels_bits import BitGraph
from ising.kernels_counts import N_PLANES, count_unsatisfied, count_up
from ising.words import load, next_words, splat
from ising.words import store as store_words

LANES = 64
ONE, ZERO, ALL = np.uint64(1), np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF)
ENTROPY_STEP = 1.0 / 256.0  # grid of the entropy table in 2 beta |I|, which ends at 40
READ_DIGITS = 32  # of the probability that a read fails


class Reader(NamedTuple):
    """The ideal model, as the read needs it: bits if couplings are +-J, else any couplings."""

    bits: BitGraph  # no groups unless couplings are +-J
    coupling: float
    field: float
    n_bonds: int
    start: NDArray[np.int64]  # (n_sites + 1,): the neighbours of i are neighbors[start[i] : start[i + 1]]
    neighbors: NDArray[np.int32]  # for +-J: ~k is site k behind a negative coupling
    twice: NDArray[np.float64]  # 2 J
    base: NDArray[np.float64]  # (n_sites,): h_i - sum_j J_ij
    fields: NDArray[np.float64]  # (n_sites,)
    entropy: NDArray[np.float64]  # (n, 2): h2 and (x/2)^2 sech^2(x/2) at x = 2 beta |I| = n ENTROPY_STEP
    read_error: np.uint64  # probability that a spin is read wrong, times 2^READ_DIGITS
    target: float  # any energy at or below it ends the run
    members: int  # replicas that count, the first ones


class Record(NamedTuple):
    """What the reads of one unit of 64 replicas leave behind."""

    energy: NDArray[np.float64]  # (n_reads, 64)
    magnetization: NDArray[np.float64]
    overlap: NDArray[np.float64]
    entropy: NDArray[np.float64]
    slope: NDArray[np.float64]  # mean_i (beta I_i)^2 sech^2(beta I_i)
    lowest: NDArray[np.float64]  # the best so far
    best: NDArray[np.float64]  # (64,)
    best_read: NDArray[np.int64]  # (64,)
    best_words: NDArray[np.uint64]  # (n_sites + 1,)
    last: NDArray[np.uint64]  # (n_sites + 1,): the read before
    seen: NDArray[np.uint64]  # (n_sites + 1,): this read
    rng: NDArray[np.uint64]  # (4, 8): of the errors of the read
    reads: NDArray[np.int64]  # (1,): how many so far
    counts: NDArray[np.int32]  # (64,) scratch
    sums: NDArray[np.float64]  # (3, 64) scratch


@njit(cache=True, nogil=True)
def read(words, reader, beta, record, at):  # type: ignore[no-untyped-def]
    """Read 64 replicas into row `at` of the record; whether any of them is at the target.

    words (n_sites + 1,), the last one zero; beta NaN: no entropy.
    """
    seen, counts, n_sites = record.seen, record.counts, record.seen.size - 1
    planes, buffer = np.zeros((N_PLANES, 8), np.uint64), np.zeros(64, np.uint64)
    seen[:] = words
    if reader.read_error:
        _misread(seen, record.rng, reader.read_error, buffer)
    count_up(seen, n_sites, planes, buffer, counts)
    for lane in range(LANES):
        record.magnetization[at, lane] = (2.0 * counts[lane] - n_sites) / n_sites
    if reader.bits.groups.shape[0]:
        count_unsatisfied(seen, reader.bits, True, planes, buffer, counts)
        for lane in range(LANES):
            moment = n_sites * record.magnetization[at, lane]
            record.energy[at, lane] = -reader.coupling * (reader.n_bonds - 2.0 * counts[lane]) - reader.field * moment
        if beta == beta:
            _entropy_of_counts(seen, reader, beta, record, at)
    else:
        _energy_of_fields(seen, reader, beta, record, at)
    record.last[:] = ~(record.last ^ seen)
    count_up(record.last, n_sites, planes, buffer, counts)
    for lane in range(LANES):
        record.overlap[at, lane] = (2.0 * counts[lane] - n_sites) / n_sites
    record.last[:] = seen
    return _keep_best(record, reader, at)


@njit(cache=True, nogil=True)
def _keep_best(record, reader, at):  # type: ignore[no-untyped-def]
    better, hit = ZERO, False
    for lane in range(LANES):
        energy = record.energy[at, lane]
        if energy < record.best[lane]:
            record.best[lane] = energy
            record.best_read[lane] = record.reads[0]
            better |= ONE << np.uint64(lane)
        record.lowest[at, lane] = record.best[lane]
        hit = hit or (lane < reader.members and energy <= reader.target)
    if better:
        for i in range(record.seen.size):
            record.best_words[i] ^= (record.best_words[i] ^ record.seen[i]) & better
    record.reads[0] += 1
    return hit


@njit(cache=True, nogil=True)
def _misread(seen, rng, probability, buffer):  # type: ignore[no-untyped-def]
    """Flip each bit with the probability, digit by digit from the least significant on; eight words at a time."""
    a, b, c, d = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    for first in range(0, seen.size - 1, 8):
        wrong = splat(ZERO)
        for digit in range(READ_DIGITS):
            random, a, b, c = next_words(a, b, c, d)
            d = d + splat(ONE)
            one = splat(ALL if (probability >> np.uint64(digit)) & ONE else ZERO)
            wrong = (wrong & random) | (one & (wrong | random))
        store_words(buffer, 0, wrong)
        for k in range(first, min(first + 8, seen.size - 1)):
            seen[k] ^= buffer[k - first]
    store_words(rng, 0, a)
    store_words(rng, 8, b)
    store_words(rng, 16, c)
    store_words(rng, 24, d)


@njit(cache=True, nogil=True)
def _lookup(table, x, column):  # type: ignore[no-untyped-def]
    """Linear interpolation, to 1e-6; zero beyond the end."""
    position = x / ENTROPY_STEP
    if position >= table.shape[0] - 1:
        return 0.0
    k = int(position)
    return table[k, column] + (position - k) * (table[k + 1, column] - table[k, column])


@njit(cache=True, nogil=True)
def _energy_of_fields(seen, reader, beta, record, at):  # type: ignore[no-untyped-def]
    """E = -sum_i s_i (I_i + h_i)/2 and the entropy, for any couplings."""
    n_sites, local, sums = seen.size - 1, record.sums[2], record.sums
    total = splat64(0.0)
    sums[:] = 0.0
    for i in range(n_sites):
        field = splat64(reader.base[i])
        for k in range(reader.start[i], reader.start[i + 1]):
            field = add_where(field, seen[reader.neighbors[k]], reader.twice[k])
        both = field + splat64(reader.fields[i])
        total = add_where(add_where(total, seen[i], splat64(0.0) - both), ~seen[i], both)
        if beta == beta:
            store(local, 0, field)
            for lane in range(LANES):
                x = 2.0 * beta * abs(local[lane])
                sums[0, lane] += _lookup(reader.entropy, x, 0)
                sums[1, lane] += _lookup(reader.entropy, x, 1)
    store(local, 0, total)
    for lane in range(LANES):
        record.energy[at, lane] = 0.5 * local[lane]
        if beta == beta:
            record.entropy[at, lane] = sums[0, lane] / n_sites
            record.slope[at, lane] = sums[1, lane] / n_sites


@njit(cache=True, nogil=True)
def _entropy_of_counts(seen, reader, beta, record, at):  # type: ignore[no-untyped-def]
    """Entropy and slope for +-J: the counts of up neighbours are few, so their masks choose what is added."""
    n_sites, scratch = seen.size - 1, record.sums[2]
    entropy = slope = splat64(0.0)
    symmetric = reader.field == 0.0
    for i in range(n_sites):
        degree = reader.start[i + 1] - reader.start[i]
        ones, twos, fours, eights = count_neighbors(seen, reader.neighbors, reader.start[i], reader.start[i + 1])
        for count in range(degree // 2 + 1 if symmetric else degree + 1):
            here = equals(count, ones, twos, fours, eights)
            if symmetric:
                here |= equals(degree - count, ones, twos, fours, eights)
            x = 2.0 * beta * abs(reader.coupling * (2 * count - degree) + reader.field)
            entropy = add_where(entropy, here, _lookup(reader.entropy, x, 0))
            slope = add_where(slope, here, _lookup(reader.entropy, x, 1))
    store(scratch, 0, entropy)
    for lane in range(LANES):
        record.entropy[at, lane] = scratch[lane] / n_sites
    store(scratch, 0, slope)
    for lane in range(LANES):
        record.slope[at, lane] = scratch[lane] / n_sites


@njit(inline="always")
def count_neighbors(words, neighbors, first, stop):  # type: ignore[no-untyped-def]
    """Four bits of the number of neighbours that are up, for 64 replicas; neighbour ~k is site k behind J < 0."""
    ones = twos = fours = eights = ZERO
    for k in range(first, stop):
        sign = neighbors[k] >> 31
        x = words[neighbors[k] ^ sign] ^ np.uint64(sign)
        carry = ones & x
        ones ^= x
        x = twos & carry
        twos ^= carry
        carry = fours & x
        fours ^= x
        eights ^= carry
    return ones, twos, fours, eights


@njit(inline="always")
def equals(count, ones, twos, fours, eights):  # type: ignore[no-untyped-def]
    """Mask of the replicas whose four bits spell the count."""
    here = (ones if count & 1 else ~ones) & (twos if count & 2 else ~twos)
    return here & (fours if count & 4 else ~fours) & (eights if count & 8 else ~eights)
